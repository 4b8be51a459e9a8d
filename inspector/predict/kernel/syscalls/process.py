"""System calls about the process and the machine: how it ends, its thread area, its limits, its names."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SIZE
from inspector.model.ending import Ending
from inspector.model.profile import SystemNames
from inspector.model.program import UNLIMITED
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.iov_iter import LARGEST_TRANSFER, IovIter
from inspector.predict.kernel.syscalls.registry import signed, system_call
from inspector.predict.kernel.task import COMM_BYTES
from inspector.predict.kernel.uaccess import copy_from_user, copy_to_user, put_user, strncpy_from_user
from inspector.predict.machine.cpu import descriptor

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

_RLIMIT_STACK, _RLIMIT_CORE, _RLIMIT_LOCKS = 3, 4, 10
"""The last, which the kernel no longer looks at, marks the processes of a run, and is not known here."""
_RLIMITS = 16
_COMPAT_INFINITY = 0xFFFF_FFFF
_ROBUST_LIST_HEAD_BYTES = 12
_UTSNAME_BYTES = 65
_GRND_RANDOM_INSECURE = 2 | 4
_PR_GET_DUMPABLE, _PR_SET_NAME, _PR_GET_NAME, _PR_CAPBSET_READ = 3, 15, 16, 23
_CAP_LAST_CAP = 40
# struct user_desc: seg_32bit, contents:2, read_exec_only, limit_in_pages, seg_not_present, useable
_SEG_32BIT, _LIMIT_IN_PAGES, _USER_DESC_FLAGS = 0x01, 0x10, 0x3F
_FIRST_TLS_ENTRY, _TLS_ENTRIES = 12, 3


@system_call("exit", "exit_group")
def exit_group(task: Task, status: int) -> int:
    """End the process; it has one thread. Source: kernel/exit.c:do_exit()."""
    task.ending = Ending(status=status & 0xFF)
    return 0


@system_call("set_tid_address")
def set_tid_address(task: Task, address: int) -> int:
    """Name the word to clear when the thread ends. Source: kernel/fork.c:set_tid_address()."""
    task.clear_child_tid = address
    return task.pid


@system_call("set_robust_list")
def set_robust_list(task: Task, head: int, length: int) -> int:
    """Register the list of held futexes. Source: kernel/futex/syscalls.c:set_robust_list()."""
    if length != _ROBUST_LIST_HEAD_BYTES:
        raise KernelError(Errno.EINVAL)
    task.robust_list = head
    return 0


@system_call("set_thread_area")
def set_thread_area(task: Task, address: int) -> int:
    """Set a segment for thread-local data. Source: arch/x86/kernel/tls.c:do_set_thread_area()."""
    entry, base, limit, flags = struct.unpack("<iIII", copy_from_user(task, address, 16))
    if entry == -1:
        free = (n for n in range(_FIRST_TLS_ENTRY, _FIRST_TLS_ENTRY + _TLS_ENTRIES) if n not in task.tls)
        entry = next(free, -1)
        if entry == -1:
            raise KernelError(Errno.ESRCH)
        put_user(task, address, entry)
    if not _FIRST_TLS_ENTRY <= entry < _FIRST_TLS_ENTRY + _TLS_ENTRIES:
        raise KernelError(Errno.EINVAL)
    if flags & (_USER_DESC_FLAGS & ~_LIMIT_IN_PAGES) != _SEG_32BIT:
        raise NotModelled(f"thread area with flags {flags:#x}")
    task.tls[entry] = descriptor(base, limit & 0xFFFFF, pages=bool(flags & _LIMIT_IN_PAGES))
    task.kernel.cpu.set_descriptor(entry, task.tls[entry], reload=True)
    return 0


def _limit(task: Task, which: int) -> tuple[int, int]:
    """Return (soft, hard)."""
    if which >= _RLIMITS:
        raise KernelError(Errno.EINVAL)
    limits = task.limits
    known = limits.of(which)
    if known is not None and which != _RLIMIT_LOCKS:
        return known
    if which not in (_RLIMIT_STACK, _RLIMIT_CORE):
        raise NotModelled(f"resource limit {which}")
    return limits.stack if which == _RLIMIT_STACK else limits.core, UNLIMITED


@system_call("ugetrlimit")
def ugetrlimit(task: Task, which: int, address: int) -> int:
    """Tell a limit in 32 bits. Source: kernel/sys.c:compat getrlimit()."""
    values = (min(value, _COMPAT_INFINITY) for value in _limit(task, which))
    copy_to_user(task, address, struct.pack("<II", *values))
    return 0


@system_call("prlimit64")
def prlimit64(task: Task, pid: int, which: int, new: int, old: int) -> int:
    """Tell a limit in 64 bits. Source: kernel/sys.c:prlimit64()."""
    if signed(pid) not in (0, task.pid) or new:
        raise NotModelled("prlimit64 that changes a limit, or another process's")
    limits = _limit(task, which)
    if old:
        copy_to_user(task, old, struct.pack("<QQ", *limits))
    return 0


@system_call("sysinfo")
def sysinfo(task: Task, address: int) -> int:
    """Tell how much memory there is; what is in use is assumed to be none.

    Sizes are in bytes, or in pages where one does not fit in 32 bits.
    Source: kernel/sys.c:do_sysinfo(), compat sysinfo().
    """
    profile = task.kernel.profile
    task.kernel.assume("sysinfo", "all memory is free, no load, just booted")
    ram, swap = profile.ram_bytes, profile.swap_bytes
    unit = 1 if max(ram, swap) < 1 << 32 else PAGE_SIZE
    sizes = (ram // unit, ram // unit, 0, 0, swap // unit, swap // unit)
    copy_to_user(task, address, struct.pack("<i3I6IHxxIII8x", 0, 0, 0, 0, *sizes, 1, 0, 0, unit))
    return 0


@system_call("uname")
def uname(task: Task, address: int) -> int:
    """Name the system. Source: kernel/sys.c:newuname()."""
    profile = task.kernel.profile
    names = profile.system
    if names is None:
        names = SystemNames("(none)", "(none)", "(none)")
        task.kernel.assume("uname", "node, version and domain are (none)")
    fields = ("Linux", names.node, profile.kernel, names.version, profile.machine, names.domain)
    copy_to_user(task, address, b"".join(_utsname_field(field) for field in fields))
    return 0


def _utsname_field(text: str) -> bytes:
    return text.encode()[: _UTSNAME_BYTES - 1].ljust(_UTSNAME_BYTES, b"\0")


@system_call("prctl")
def prctl(task: Task, option: int, address: int, _third: int, _fourth: int, _fifth: int) -> int:
    """Change or tell the process's name. Source: kernel/sys.c:prctl()."""
    if option == _PR_SET_NAME:
        task.comm = strncpy_from_user(task, address, COMM_BYTES)
    elif option == _PR_GET_NAME:
        copy_to_user(task, address, task.comm.ljust(COMM_BYTES + 1, b"\0"))
    elif option == _PR_GET_DUMPABLE:
        # The predicted file could be read: fs/exec.c:would_dump().
        return 1
    elif option == _PR_CAPBSET_READ:
        return _capbset_read(task, address)
    else:
        raise NotModelled(f"prctl option {option}")
    return 0


def _capbset_read(task: Task, capability: int) -> int:
    """Tell whether the bounding set has a capability: execve gives root all that it has.

    Source: security/commoncap.c:cap_task_prctl(), handle_privileged_root().
    """
    if task.credentials.euid:
        raise NotModelled("the capability bounding set")
    if capability > _CAP_LAST_CAP:
        raise KernelError(Errno.EINVAL)
    return task.credentials.capabilities >> capability & 1


@system_call("getrandom")
def getrandom(task: Task, address: int, size: int, flags: int) -> int:
    """Fill memory with random bytes, which are assumed. Source: drivers/char/random.c:getrandom()."""
    if flags & ~7 or flags & _GRND_RANDOM_INSECURE == _GRND_RANDOM_INSECURE:
        raise KernelError(Errno.EINVAL)
    task.kernel.assume("getrandom", task.kernel.random_bytes(16).hex())
    buffer = IovIter(task, [(address, min(size, LARGEST_TRANSFER))])
    done = 0
    while buffer.count:
        wanted = min(buffer.count, PAGE_SIZE)
        copied = buffer.copy_to(task.kernel.random_bytes(wanted))
        done += copied
        if copied < wanted:
            break
    if size and not done:
        raise KernelError(Errno.EFAULT)
    return done


@system_call("rseq")
def rseq(_task: Task, address: int, size: int, flags: int, signature: int) -> int:
    """Register restartable sequences: their faults would depend on when the process is scheduled."""
    raise NotModelled(f"rseq({address:#x}, {size}, {flags}, {signature:#x})")
