"""System calls about who a process is: its numbers, users and groups (kernel/sys.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.syscalls.registry import signed, system_call
from inspector.predict.kernel.uaccess import put_user

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task


@system_call("getpid", "gettid")
def getpid(task: Task) -> int:
    """Return the process's number."""
    return task.kernel.tell_pid(task.pid)


@system_call("getppid")
def getppid(task: Task) -> int:
    """Return the parent's number. Raises NotModelled where it has ended, and someone else's child this is."""
    if task.parent is None:
        return task.kernel.tell_pid(task.kernel.first_pid - 1)
    if task.parent.ending is not None:
        raise NotModelled("the parent of a process whose parent has ended")
    return task.kernel.tell_pid(task.parent.pid)


@system_call("getpgrp")
def getpgrp(task: Task) -> int:
    """Return the process's group."""
    return task.process_group


@system_call("getpgid")
def getpgid(task: Task, pid: int) -> int:
    """Source: kernel/sys.c:do_getpgid()."""
    return _find(task, pid).process_group


@system_call("getsid")
def getsid(task: Task, pid: int) -> int:
    """Source: kernel/sys.c:getsid()."""
    return _find(task, pid).session


@system_call("setpgid")
def setpgid(task: Task, pid: int, group: int) -> int:
    """Move a process to a group. Source: kernel/sys.c:setpgid()."""
    if signed(group) < 0:
        raise KernelError(Errno.EINVAL)
    moved = _find(task, pid)
    if moved is not task and moved.parent is not task:
        raise KernelError(Errno.ESRCH)
    if moved.session != task.session or moved.session == moved.pid:
        raise KernelError(Errno.EPERM)
    group = group or moved.pid
    members = [each for each in task.kernel.tasks if each.process_group == group]
    if group != moved.pid and not any(each.session == task.session for each in members):
        raise KernelError(Errno.EPERM)
    moved.process_group = group
    return 0


@system_call("setsid")
def setsid(task: Task) -> int:
    """Begin a session. Source: kernel/sys.c:ksys_setsid()."""
    if any(each.process_group == task.pid for each in task.kernel.tasks):
        raise KernelError(Errno.EPERM)
    task.session = task.process_group = task.pid
    return task.pid


def _find(task: Task, pid: int) -> Task:
    """Return one of the simulated processes, which are all that is known of. Source: kernel/pid.c."""
    if not pid:
        return task
    found = next((each for each in task.kernel.tasks if each.pid == pid), None)
    if found is None:
        raise NotModelled(f"a question about process {signed(pid)}, which is not one of these")
    if found.ending is not None and (found.parent is None or found not in found.parent.children):
        raise KernelError(Errno.ESRCH)
    return found


@system_call("getuid32", "getuid")
def getuid(task: Task) -> int:
    """Return the real user."""
    return task.credentials.uid


@system_call("geteuid32", "geteuid")
def geteuid(task: Task) -> int:
    """Return the effective user."""
    return task.credentials.euid


@system_call("getgid32", "getgid")
def getgid(task: Task) -> int:
    """Return the real group."""
    return task.credentials.gid


@system_call("getegid32", "getegid")
def getegid(task: Task) -> int:
    """Return the effective group."""
    return task.credentials.egid


@system_call("getresuid32")
def getresuid(task: Task, real: int, effective: int, saved: int) -> int:
    """Store the three users; execve makes the saved one the effective. Source: kernel/sys.c:getresuid()."""
    put_user(task, real, task.credentials.uid)
    put_user(task, effective, task.credentials.euid)
    put_user(task, saved, task.credentials.euid)
    return 0


@system_call("getresgid32")
def getresgid(task: Task, real: int, effective: int, saved: int) -> int:
    """Store the three groups. Source: kernel/sys.c:getresgid()."""
    put_user(task, real, task.credentials.gid)
    put_user(task, effective, task.credentials.egid)
    put_user(task, saved, task.credentials.egid)
    return 0


@system_call("getgroups32")
def getgroups(task: Task, size: int, address: int) -> int:
    """Store the supplementary groups, one by one. Source: kernel/groups.c:getgroups()."""
    groups = task.credentials.groups
    if signed(size) < 0:
        raise KernelError(Errno.EINVAL)
    if size:
        if len(groups) > size:
            raise KernelError(Errno.EINVAL)
        for index, group in enumerate(groups):
            put_user(task, address + 4 * index, group)
    return len(groups)
