"""System calls that make processes and wait for them."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.fork import copy_process
from inspector.predict.kernel.order import learn
from inspector.predict.kernel.sigchld import wait_status
from inspector.predict.kernel.syscalls.registry import Blocked, signed, system_call
from inspector.predict.kernel.uaccess import copy_to_user, put_user

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

_CSIGNAL = 0xFF
_CLONE_PARENT_SETTID, _CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x00100000, 0x00200000, 0x01000000
_WNOHANG, _WUNTRACED, _WCONTINUED = 1, 2, 8
_RUSAGE_BYTES = 72
_DUMP_CORE = frozenset(
    f"SIG{name}"
    for name in "QUIT ILL TRAP ABRT FPE SEGV BUS SYS XCPU XFSZ".split()  # noqa: SIM905
)
"""SIG_KERNEL_COREDUMP_MASK. A pipe would take the core in spite of the limit, and wait would tell (0x80)."""


@system_call("fork")
def fork(task: Task) -> int:
    """Source: kernel/fork.c:fork()."""
    return clone(task, signal.SIGCHLD, 0, 0, 0, 0)


@system_call("clone")
def clone(task: Task, flags: int, stack: int, parent_tid: int, _tls: int, child_tid: int) -> int:
    """Make a process; threads are not modelled. Source: kernel/fork.c:kernel_clone()."""
    known = _CSIGNAL | _CLONE_PARENT_SETTID | _CLONE_CHILD_CLEARTID | _CLONE_CHILD_SETTID
    if flags & ~known or flags & _CSIGNAL != signal.SIGCHLD or stack:
        raise NotModelled(f"clone with flags {flags:#x}")
    child = copy_process(task)
    if flags & _CLONE_CHILD_CLEARTID:
        child.clear_child_tid = child_tid
    if flags & _CLONE_CHILD_SETTID:
        child.set_child_tid = child_tid
    if flags & _CLONE_PARENT_SETTID:
        put_user(task, parent_tid, child.pid)
    return task.kernel.tell_pid(child.pid)


@system_call("waitpid")
def waitpid(task: Task, pid: int, status: int, options: int) -> int:
    """Source: kernel/exit.c:waitpid()."""
    return wait4(task, pid, status, options, 0)


@system_call("wait4")
def wait4(task: Task, pid: int, status: int, options: int, usage: int) -> int:
    """Wait for a child's end. Source: kernel/exit.c:kernel_wait4(), do_wait()."""
    if options & ~(_WNOHANG | _WUNTRACED | _WCONTINUED):
        raise NotModelled(f"wait4 with options {options:#x}")
    wanted = signed(pid)
    if wanted < -1 or not wanted:
        raise NotModelled("waiting for a process group")
    children = [child for child in task.children if wanted in (-1, child.pid)]
    if not children:
        raise KernelError(Errno.ECHILD)
    if options & _WNOHANG and not all(child.parent_was_told for child in children):
        raise NotModelled("a look at whether a child has ended, which is the scheduler's to say")
    if len(children) > 1:
        task.kernel.assume("children at the same time", "end in the order in which they were made")
    ended = next((child for child in children if child.ending is not None), None)
    if ended is None:
        raise Blocked(lambda: any(child.ending is not None for child in children))
    task.children.remove(ended)
    learn(task, ended.clock)
    if status:
        if ended.ending is not None and ended.ending.signal in _DUMP_CORE:
            task.kernel.assume("core files", "none: core_pattern is no pipe")
        put_user(task, status, wait_status(ended))
    if usage:
        task.kernel.assume("wait4's resource usage", "0")
        copy_to_user(task, usage, bytes(_RUSAGE_BYTES))
    return ended.pid
