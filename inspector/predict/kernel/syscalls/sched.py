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
from inspector.predict.kernel.uaccess import copy_to_user, get_user

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

_FUTEX_WAIT, _FUTEX_WAKE, _FUTEX_PRIVATE = 0, 1, 128
_FUTEX_COMMAND = ~(_FUTEX_PRIVATE | 256)


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


@system_call("futex", "futex_time64")
def futex(task: Task, address: int, operation: int, value: int) -> int:
    """Wake nobody, for there is one thread, or see that there is nothing to wait for.

    Source: kernel/futex/syscalls.c:do_futex(), kernel/futex/waitwake.c.
    """
    command = operation & _FUTEX_COMMAND
    if command not in (_FUTEX_WAIT, _FUTEX_WAKE) or not operation & _FUTEX_PRIVATE:
        raise NotModelled(f"futex operation {operation}")
    if address % 4:
        raise KernelError(Errno.EINVAL)
    if command == _FUTEX_WAKE:
        return 0
    fault_while_disabled(task, VirtAddr(address), Access.READ)
    if get_user(task, address) != value:
        raise KernelError(Errno.EAGAIN)
    raise NotModelled("waiting on a futex that no one else can change")
