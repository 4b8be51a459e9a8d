"""System calls about descriptors themselves, and where relative paths start."""

from __future__ import annotations

import fcntl as fcntls
import os
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.pipe import refuse_unread
from inspector.predict.kernel.syscalls.registry import signed, system_call
from inspector.predict.kernel.uaccess import copy_to_user

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

_O_ASYNC, _O_DIRECT = 0o20000, 0o40000
_SETFL_MASK = os.O_APPEND | os.O_NONBLOCK | os.O_NDELAY | _O_DIRECT | os.O_NOATIME


@system_call("dup")
def dup(task: Task, descriptor: int) -> int:
    """Source: fs/file.c:dup()."""
    return task.files.add(task.files.get(descriptor))


@system_call("dup2")
def dup2(task: Task, old: int, new: int) -> int:
    """Source: fs/file.c:dup2()."""
    if old == new:
        task.files.get(old)
        return new
    return dup3(task, old, new, 0)


@system_call("dup3")
def dup3(task: Task, old: int, new: int, flags: int) -> int:
    """Source: fs/file.c:ksys_dup3()."""
    if flags & ~os.O_CLOEXEC or old == new:
        raise KernelError(Errno.EINVAL)
    if signed(new) < 0:
        raise KernelError(Errno.EBADF)
    task.files.check_limit(new, Errno.EBADF)
    task.files.put(new, task.files.get(old), close_on_exec=bool(flags & os.O_CLOEXEC))
    refuse_unread(task.kernel)
    return new


@system_call("fcntl64", "fcntl")
def fcntl(task: Task, descriptor: int, command: int, argument: int) -> int:
    """Source: fs/fcntl.c:do_fcntl()."""
    file = task.files.get(descriptor)
    match command:
        case fcntls.F_DUPFD | fcntls.F_DUPFD_CLOEXEC:
            if signed(argument) < 0:
                raise KernelError(Errno.EINVAL)
            task.files.check_limit(argument, Errno.EINVAL)
            return task.files.add(file, lowest=argument, close_on_exec=command == fcntls.F_DUPFD_CLOEXEC)
        case fcntls.F_GETFD:
            return fcntls.FD_CLOEXEC if descriptor in task.files.close_on_exec else 0
        case fcntls.F_SETFD:
            task.files.set_close_on_exec(descriptor, close=bool(argument & fcntls.FD_CLOEXEC))
            return 0
        case fcntls.F_GETFL:
            return file.flags
        case fcntls.F_SETFL:
            if argument & (_O_ASYNC | _O_DIRECT):
                raise NotModelled(f"fcntl that sets flags {argument:#o}")
            file.flags = file.flags & ~_SETFL_MASK | argument & _SETFL_MASK
            return 0
        case _:
            raise NotModelled(f"fcntl command {command}")


@system_call("getcwd")
def getcwd(task: Task, address: int, size: int) -> int:
    """Store the working directory and return its length with its NUL. Source: fs/d_path.c:getcwd()."""
    path = os.fsencode(os.path.realpath(task.cwd)) + b"\0"
    if len(path) > size:
        raise KernelError(Errno.ERANGE)
    copy_to_user(task, address, path)
    return len(path)
