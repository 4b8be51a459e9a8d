"""System calls about the scheduler, and the futex that no other thread can hold."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import VirtAddr
from inspector.model.vma import Access
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.fault import fault_while_disabled
from inspector.predict.kernel.syscalls.registry import signed, system_call
from inspector.predict.kernel.syscalls.time import TIME32, TIME64, read_time
from inspector.predict.kernel.uaccess import copy_to_user, get_user, put_user

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

_FUTEX_WAIT, _FUTEX_WAKE, _FUTEX_PRIVATE, _FUTEX_CLOCK_REALTIME = 0, 1, 128, 256
_REAL_TIME_POLICIES, _OTHER_POLICIES = (1, 2), (0, 3, 5, 6)
_SCHED_EXT, _PRIO_USER = 7, 2
_FUTEX_COMMAND = ~(_FUTEX_PRIVATE | _FUTEX_CLOCK_REALTIME)


@system_call("sched_yield")
def sched_yield(_task: Task) -> int:
    """Let others run: a process's faults do not depend on when. Source: kernel/sched/syscalls.c."""
    return 0


@system_call("sched_getaffinity")
def sched_getaffinity(task: Task, pid: int, size: int, address: int) -> int:
    """Store the set of CPUs, word by word. Source: kernel/sched/syscalls.c, kernel/compat.c."""
    if signed(pid) not in (0, task.pid):
        raise NotModelled("the CPUs of another process")
    if size < 4 or size % 4:  # noqa: PLR2004 - whole words
        raise KernelError(Errno.EINVAL)
    longest = task.kernel.profile.cpumask_bytes
    if longest is None or size < longest:
        raise NotModelled("a set of CPUs that may be too short")
    task.kernel.assume("CPUs it may run on", "number 0 alone")
    size = min(size, longest)
    for at in range(0, size, 4):
        copy_to_user(task, address + at, struct.pack("<I", not at))
    return size


@system_call("sched_getscheduler")
def sched_getscheduler(task: Task, pid: int) -> int:
    """Tell the policy. Source: kernel/sched/syscalls.c:sched_getscheduler()."""
    _ordinary(task, pid)
    return 0


@system_call("sched_getparam")
def sched_getparam(task: Task, pid: int, address: int) -> int:
    """Store the priority. Source: kernel/sched/syscalls.c:sched_getparam()."""
    if not address or signed(pid) < 0:
        raise KernelError(Errno.EINVAL)
    _ordinary(task, pid)
    put_user(task, address, 0)
    return 0


def _ordinary(task: Task, pid: int) -> None:
    """Assume the policy everyone starts with."""
    if signed(pid) < 0:
        raise KernelError(Errno.EINVAL)
    if pid not in (0, task.pid):
        raise NotModelled("how another process is scheduled")
    task.kernel.assume("scheduling", "SCHED_OTHER, nice 0")


@system_call("sched_get_priority_max")
def sched_get_priority_max(_task: Task, policy: int) -> int:
    """Source: kernel/sched/syscalls.c:sched_get_priority_max()."""
    return _priority(policy, 99)


@system_call("sched_get_priority_min")
def sched_get_priority_min(_task: Task, policy: int) -> int:
    """Source: kernel/sched/syscalls.c:sched_get_priority_min()."""
    return _priority(policy, 1)


def _priority(policy: int, of_real_time: int) -> int:
    if policy in _REAL_TIME_POLICIES:
        return of_real_time
    if policy in _OTHER_POLICIES:
        return 0
    if policy == _SCHED_EXT:
        raise NotModelled("SCHED_EXT, which only some kernels know")
    raise KernelError(Errno.EINVAL)


@system_call("getpriority")
def getpriority(task: Task, which: int, who: int) -> int:
    """Return 20 less the nice value. Source: kernel/sys.c:getpriority()."""
    if which > _PRIO_USER:
        raise KernelError(Errno.EINVAL)
    if which or who not in (0, task.pid):
        raise NotModelled("how others are scheduled")
    task.kernel.assume("scheduling", "SCHED_OTHER, nice 0")
    return 20


@system_call("futex")
def futex(task: Task, address: int, operation: int, value: int, timeout: int) -> int:
    """Source: kernel/futex/syscalls.c:futex_time32()."""
    return _futex(task, address, operation, value, (timeout, TIME32))


@system_call("futex_time64")
def futex_time64(task: Task, address: int, operation: int, value: int, timeout: int) -> int:
    """Source: kernel/futex/syscalls.c:futex()."""
    return _futex(task, address, operation, value, (timeout, TIME64))


def _futex(task: Task, address: int, operation: int, value: int, timeout: tuple[int, str]) -> int:
    """Wake nobody, for there is one thread, or see that there is nothing to wait for.

    Source: kernel/futex/syscalls.c:do_futex(), kernel/futex/waitwake.c.
    """
    command = operation & _FUTEX_COMMAND
    if command not in (_FUTEX_WAIT, _FUTEX_WAKE) or not operation & _FUTEX_PRIVATE:
        raise NotModelled(f"futex operation {operation}")
    if command == _FUTEX_WAIT:
        read_time(task, *timeout)
    if operation & _FUTEX_CLOCK_REALTIME:
        raise KernelError(Errno.ENOSYS)
    if address % 4:
        raise KernelError(Errno.EINVAL)
    if command == _FUTEX_WAKE:
        return 0
    fault_while_disabled(task, VirtAddr(address), Access.READ)
    if get_user(task, address) != value:
        raise KernelError(Errno.EAGAIN)
    raise NotModelled("waiting on a futex that no one else can change")
