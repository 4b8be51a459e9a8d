"""System calls that wait for files to be ready (fs/select.c): regular files always are, and nobody types."""

from __future__ import annotations

import select as events
import struct
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.files import Terminal
from inspector.predict.kernel.pipe import PipeEnd
from inspector.predict.kernel.syscalls.registry import signed, system_call
from inspector.predict.kernel.syscalls.time import TIME32, TIME64, checked_time, read_time
from inspector.predict.kernel.uaccess import copy_from_user, copy_to_user, get_user, put_user

if TYPE_CHECKING:
    from inspector.predict.kernel.files import OpenFile
    from inspector.predict.kernel.task import Task

_READABLE = events.POLLIN | events.POLLRDNORM
_WRITABLE = events.POLLOUT | events.POLLWRNORM
_SELECT_SETS = (_READABLE | events.POLLHUP | events.POLLERR, _WRITABLE | events.POLLERR, events.POLLPRI)
"""What makes a descriptor ready for each of select's three sets."""
_SMALL_TABLE = 64
"""A process's first table of descriptors has this many (NR_OPEN_DEFAULT)."""
_SIGSET_BYTES = 8
_NANOSECONDS = 1_000_000_000


def _poll_mask(file: OpenFile) -> int:
    """Return the events that are there.

    Source: include/linux/poll.h:vfs_poll(), drivers/tty/n_tty.c:n_tty_poll().
    """
    if isinstance(file, Terminal):
        return _WRITABLE
    if isinstance(file, PipeEnd):
        raise NotModelled("whether a pipe is ready, which is the scheduler's to say")
    return _READABLE | _WRITABLE


@system_call("poll")
def poll(task: Task, address: int, count: int, timeout: int) -> int:
    """Source: fs/select.c:poll()."""
    return _poll(task, address, count, waits=signed(timeout) < 0)


@system_call("ppoll")
def ppoll(task: Task, address: int, count: int, timeout: int, mask: int, mask_size: int) -> int:
    """Source: fs/select.c:ppoll_time32()."""
    return _ppoll(task, address, count, (timeout, TIME32), (mask, mask_size))


@system_call("ppoll_time64")
def ppoll_time64(task: Task, address: int, count: int, timeout: int, mask: int, mask_size: int) -> int:
    """Source: fs/select.c:ppoll_time64()."""
    return _ppoll(task, address, count, (timeout, TIME64), (mask, mask_size))


def _ppoll(task: Task, address: int, count: int, timeout: tuple[int, str], mask: tuple[int, int]) -> int:
    span = read_time(task, *timeout)
    _read_mask(task, *mask)
    ready = _poll(task, address, count, waits=span is None)
    _write_time(task, *timeout, span, ready)
    return ready


def _poll(task: Task, address: int, count: int, *, waits: bool) -> int:
    """Look at `count` struct pollfds: descriptor 0, events 4, results 6.

    Source: fs/select.c:do_sys_poll().
    """
    if count > _SMALL_TABLE:
        raise NotModelled(f"poll of {count} descriptors, which the limit of open files may forbid")
    results = [
        _result(task, descriptor, wanted)
        for descriptor, wanted in struct.iter_unpack("<ih2x", copy_from_user(task, address, 8 * count))
    ]
    ready = sum(map(bool, results))
    if waits and not ready:
        raise NotModelled("waiting for something that never comes")
    for index, result in enumerate(results):
        copy_to_user(task, address + 8 * index + 6, struct.pack("<H", result))
    return ready


def _result(task: Task, descriptor: int, wanted: int) -> int:
    """Source: fs/select.c:do_pollfd()."""
    if descriptor < 0:
        return 0
    file = task.files.find(descriptor)
    return events.POLLNVAL if file is None else _poll_mask(file) & (wanted | events.POLLERR | events.POLLHUP)


@system_call("_newselect")
def newselect(task: Task, count: int, readers: int, writers: int, others: int, timeout: int) -> int:
    """Source: fs/select.c:do_compat_select()."""
    span = None
    if timeout:
        seconds, microseconds = struct.unpack("<ii", copy_from_user(task, timeout, 8))
        span = checked_time(seconds + microseconds // 1_000_000, microseconds % 1_000_000 * 1000)
    ready = _select(task, signed(count), (readers, writers, others), waits=span is None)
    if span:
        left = span if ready else 0
        copy_to_user(task, timeout, struct.pack("<ii", left // _NANOSECONDS, left % _NANOSECONDS // 1000))
    return ready


@system_call("pselect6")
def pselect6(task: Task, count: int, readers: int, writers: int, others: int, timeout: int, mask: int) -> int:
    """Source: fs/select.c:pselect6_time32()."""
    return _pselect(task, signed(count), (readers, writers, others), (timeout, TIME32), mask)


@system_call("pselect6_time64")
def pselect6_time64(
    task: Task, count: int, readers: int, writers: int, others: int, timeout: int, mask: int
) -> int:
    """Source: fs/select.c:pselect6_time64()."""
    return _pselect(task, signed(count), (readers, writers, others), (timeout, TIME64), mask)


def _pselect(task: Task, count: int, sets: tuple[int, int, int], timeout: tuple[int, str], pack: int) -> int:
    """The sixth argument leads to the signal mask and its size. Source: fs/select.c:do_compat_pselect()."""
    mask = (get_user(task, pack), get_user(task, pack + 4)) if pack else (0, 0)
    span = read_time(task, *timeout)
    _read_mask(task, *mask)
    ready = _select(task, count, sets, waits=span is None)
    _write_time(task, *timeout, span, ready)
    return ready


def _select(task: Task, count: int, addresses: tuple[int, int, int], *, waits: bool) -> int:
    """Read three sets, look, and write them again. Source: fs/select.c:compat_core_sys_select()."""
    if count < 0:
        raise KernelError(Errno.EINVAL)
    if task.files.highest >= _SMALL_TABLE:
        raise NotModelled("select in a process with many descriptors")
    count = min(count, _SMALL_TABLE)
    words = range(0, -(-count // 32) * 4, 4)
    sets = [
        sum(get_user(task, address + at) << 8 * at for at in words) & (1 << count) - 1 if address else 0
        for address in addresses
    ]
    files = {
        number: task.files.get(number) for number in range(count) if any(each >> number & 1 for each in sets)
    }
    found = [
        sum(
            1 << number for number, file in files.items() if wanted >> number & 1 and _poll_mask(file) & ready
        )
        for wanted, ready in zip(sets, _SELECT_SETS, strict=True)
    ]
    total = sum(each.bit_count() for each in found)
    if waits and not total:
        raise NotModelled("waiting for something that never comes")
    for address, result in zip(addresses, found, strict=True):
        for at in words if address else ():
            put_user(task, address + at, result >> 8 * at)
    return total


def _write_time(task: Task, address: int, form: str, span: int | None, ready: int) -> None:
    """Store what is left of the time, which stands still. Source: fs/select.c:poll_select_finish()."""
    if span:
        data = struct.pack(form, *divmod(span if ready else 0, _NANOSECONDS))
        try:
            copy_to_user(task, address, data)
        except KernelError:
            return


def _read_mask(task: Task, address: int, size: int) -> None:
    """Take a signal mask for as long as the call lasts. Source: kernel/signal.c:set_compat_user_sigmask()."""
    if not address:
        return
    if size != _SIGSET_BYTES:
        raise KernelError(Errno.EINVAL)
    mask = int.from_bytes(copy_from_user(task, address, _SIGSET_BYTES), "little")
    if any(not mask >> number - 1 & 1 for number in task.signals.waiting):
        raise NotModelled("a signal that a waiting call lets through")
