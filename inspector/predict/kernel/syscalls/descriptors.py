"""System calls about descriptors themselves, and where relative paths start."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.files import HostFile
from inspector.predict.kernel.syscalls.registry import signed, system_call
from inspector.predict.kernel.uaccess import copy_to_user

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

_F_DUPFD, _F_DUPFD_CLOEXEC = 0, 1030
_O_CLOEXEC = 0o2000000
_SURELY_ALLOWED = 256
"""The limit of open files is the user's own and not known; hardly any is lower than this."""


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
    if flags & ~_O_CLOEXEC or old == new:
        raise KernelError(Errno.EINVAL)
    _check_limit(new, Errno.EBADF)
    task.files.put(new, task.files.get(old))
    return new


@system_call("fcntl64", "fcntl")
def fcntl(task: Task, descriptor: int, command: int, argument: int) -> int:
    """Give a file one more descriptor. Source: fs/fcntl.c:do_fcntl(), fs/file.c:f_dupfd()."""
    file = task.files.get(descriptor)
    if command not in (_F_DUPFD, _F_DUPFD_CLOEXEC):
        raise NotModelled(f"fcntl command {command}")
    _check_limit(argument, Errno.EINVAL)
    return task.files.add(file, lowest=argument)


def _check_limit(descriptor: int, error: Errno) -> None:
    """Refuse a descriptor beyond every limit."""
    if signed(descriptor) < 0:
        raise KernelError(error)
    if descriptor >= _SURELY_ALLOWED:
        raise NotModelled(f"descriptor {descriptor}, which the limit of open files may forbid")


@system_call("pread64")
def pread64(task: Task, descriptor: int, address: int, size: int, low: int, high: int) -> int:
    """Read at a place, leaving the position alone. Source: fs/read_write.c:ksys_pread64()."""
    position = signed(high) << 32 | low
    if position < 0:
        raise KernelError(Errno.EINVAL)
    file = task.files.get(descriptor)
    if not isinstance(file, HostFile):
        raise NotModelled("pread64 from something other than a regular file")
    return file.read_at(task, address, min(size, 0x7FFF_F000), position)


@system_call("getcwd")
def getcwd(task: Task, address: int, size: int) -> int:
    """Store the working directory and return its length with its NUL. Source: fs/d_path.c:getcwd()."""
    path = os.fsencode(os.path.realpath(task.cwd)) + b"\0"
    if len(path) > size:
        raise KernelError(Errno.ERANGE)
    copy_to_user(task, address, path)
    return len(path)
