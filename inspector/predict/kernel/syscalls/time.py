"""System calls about time, which stands still: what a program is told is an assumption."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.syscalls.registry import signed, system_call
from inspector.predict.kernel.uaccess import copy_from_user, copy_to_user, put_user

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

TIME32, TIME64 = "<ii", "<qi4x"
"""struct timespec, old and new. The new one's nanoseconds are half a word, and the rest is padding."""
_NANOSECONDS = 1_000_000_000
_CLOCK_REALTIME, _CLOCK_MONOTONIC = 0, 1
_REAL_CLOCKS = (0, 5, 8, 11)
"""CLOCK_REALTIME, its coarse form, its alarms, CLOCK_TAI (its offset is 0 until someone sets it)."""
_MONOTONIC_CLOCKS = (1, 4, 6, 7, 9)
_CPU_CLOCKS = (2, 3)
_COARSE_CLOCKS = (5, 6)
_USER_HZ = 100
_RUSAGE_WHO = (0, 1, -1)
_RUSAGE_BYTES, _TMS_BYTES = 72, 16
_NOW, _UP = _NANOSECONDS * 1_000_000_000, _NANOSECONDS * 1000


def _wall_clock(task: Task) -> int:
    """Return nanoseconds since 1970; two predictions that differ in chance are told different times."""
    task.kernel.assume("time by system call", "2001-09-09 01:46:40 UTC, 1000 s after boot, standing still")
    return _NOW + task.kernel.chance * _NANOSECONDS


def _since_boot(task: Task) -> int:
    return _wall_clock(task) - _NOW + _UP


def _clock(task: Task, clock: int) -> int:
    """Return what a clock shows in nanoseconds. Source: kernel/time/posix-timers.c:clockid_to_kclock()."""
    if clock in _REAL_CLOCKS:
        return _wall_clock(task)
    if clock in _MONOTONIC_CLOCKS:
        return _since_boot(task)
    if clock in _CPU_CLOCKS:
        task.kernel.assume("CPU time", "0")
        return 0
    if signed(clock) < 0:
        raise NotModelled(f"clock {signed(clock)}")
    raise KernelError(Errno.EINVAL)


@system_call("time")
def time(task: Task, address: int) -> int:
    """Source: kernel/time/time.c:time32()."""
    seconds = _wall_clock(task) // _NANOSECONDS
    if address:
        put_user(task, address, seconds)
    return seconds


@system_call("gettimeofday")
def gettimeofday(task: Task, address: int, zone: int) -> int:
    """Source: kernel/time/time.c, its compat form."""
    if address:
        seconds, nanoseconds = divmod(_wall_clock(task), _NANOSECONDS)
        put_user(task, address, seconds)
        put_user(task, address + 4, nanoseconds // 1000)
    if zone:
        copy_to_user(task, zone, bytes(8))
    return 0


@system_call("clock_gettime")
def clock_gettime(task: Task, clock: int, address: int) -> int:
    """Source: kernel/time/posix-timers.c:clock_gettime32()."""
    copy_to_user(task, address, struct.pack("<ii", *divmod(_clock(task, clock), _NANOSECONDS)))
    return 0


@system_call("clock_gettime64")
def clock_gettime64(task: Task, clock: int, address: int) -> int:
    """Source: kernel/time/posix-timers.c:clock_gettime()."""
    copy_to_user(task, address, struct.pack("<qq", *divmod(_clock(task, clock), _NANOSECONDS)))
    return 0


@system_call("clock_getres")
def clock_getres(task: Task, clock: int, address: int) -> int:
    """Source: kernel/time/posix-timers.c:clock_getres_time32()."""
    return _clock_getres(task, clock, address, "<ii")


@system_call("clock_getres_time64")
def clock_getres_time64(task: Task, clock: int, address: int) -> int:
    """Source: kernel/time/posix-timers.c:clock_getres()."""
    return _clock_getres(task, clock, address, "<qq")


def _clock_getres(task: Task, clock: int, address: int, form: str) -> int:
    """Tell a clock's resolution: that of high-resolution timers."""
    if clock in _COARSE_CLOCKS:
        raise NotModelled("the length of a tick")
    _clock(task, clock)
    if address:
        copy_to_user(task, address, struct.pack(form, 0, 1))
    return 0


@system_call("times")
def times(task: Task, address: int) -> int:
    """Source: kernel/sys.c, its compat form."""
    if address:
        task.kernel.assume("CPU time", "0")
        copy_to_user(task, address, bytes(_TMS_BYTES))
    return _since_boot(task) * _USER_HZ // _NANOSECONDS


@system_call("getrusage")
def getrusage(task: Task, who: int, address: int) -> int:
    """Source: kernel/sys.c, its compat form."""
    if signed(who) not in _RUSAGE_WHO:
        raise KernelError(Errno.EINVAL)
    task.kernel.assume("resource usage", "0")
    copy_to_user(task, address, bytes(_RUSAGE_BYTES))
    return 0


@system_call("alarm")
def alarm(_task: Task, seconds: int) -> int:
    """Give up an alarm that was never asked for. Source: kernel/time/itimer.c:alarm()."""
    if seconds:
        raise NotModelled("an alarm, in a time that stands still")
    return 0


@system_call("nanosleep")
def nanosleep(task: Task, duration: int, _remaining: int) -> int:
    """Sleep, in a time that stands still. Source: kernel/time/hrtimer.c:nanosleep_time32()."""
    return _sleep(task, duration, TIME32)


@system_call("clock_nanosleep")
def clock_nanosleep_time32(task: Task, clock: int, flags: int, duration: int, _remaining: int) -> int:
    """Sleep by a clock. Source: kernel/time/posix-timers.c:clock_nanosleep_time32()."""
    _check_sleep(clock, flags)
    return _sleep(task, duration, TIME32)


@system_call("clock_nanosleep_time64")
def clock_nanosleep(task: Task, clock: int, flags: int, duration: int, _remaining: int) -> int:
    """Sleep by a clock. Source: kernel/time/posix-timers.c:clock_nanosleep()."""
    _check_sleep(clock, flags)
    return _sleep(task, duration, TIME64)


def _check_sleep(clock: int, flags: int) -> None:
    if clock not in (_CLOCK_REALTIME, _CLOCK_MONOTONIC) or flags:
        raise NotModelled(f"clock_nanosleep by clock {clock} with flags {flags:#x}")


def _sleep(task: Task, duration: int, form: str) -> int:
    checked_time(*struct.unpack(form, copy_from_user(task, duration, struct.calcsize(form))))
    return 0


def read_time(task: Task, address: int, form: str) -> int | None:
    """Return a struct timespec in nanoseconds; None if there is none. Raises KernelError(EFAULT, EINVAL)."""
    if not address:
        return None
    return checked_time(*struct.unpack(form, copy_from_user(task, address, struct.calcsize(form))))


def checked_time(seconds: int, nanoseconds: int) -> int:
    """Return a span in nanoseconds, or raise KernelError(EINVAL).

    Source: include/linux/time64.h:timespec64_valid().
    """
    if seconds < 0 or not 0 <= nanoseconds < _NANOSECONDS:
        raise KernelError(Errno.EINVAL)
    return seconds * _NANOSECONDS + nanoseconds
