"""System calls that open and close files, ask for access and change the directory (fs/open.c)."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from inspector.errors import CannotObserve, NotModelled
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.fadvise import generic_fadvise
from inspector.predict.kernel.files import Directory, HostFile, NullDevice
from inspector.predict.kernel.pipe import PipeEnd, refuse_unread
from inspector.predict.kernel.shmem import MemFd
from inspector.predict.kernel.syscalls.path import AT_FDCWD, kernel_error, path_at
from inspector.predict.kernel.syscalls.registry import signed, system_call

if TYPE_CHECKING:
    from inspector.predict.kernel.files import OpenFile
    from inspector.predict.kernel.task import Task

_NOT_KEPT = os.O_CREAT | os.O_EXCL | os.O_NOCTTY | os.O_TRUNC | os.O_CLOEXEC
"""Flags that only opening looks at (fs/open.c:do_dentry_open())."""
_I386_LARGEFILE = 0o100000
_MODELLED = (
    os.O_ACCMODE
    | _NOT_KEPT
    | os.O_APPEND
    | os.O_NONBLOCK
    | os.O_DIRECTORY
    | os.O_NOFOLLOW
    | os.O_NOATIME
    | _I386_LARGEFILE
)
_AT_EACCESS = 0x200
_LAST_ADVICE = 5
"""POSIX_FADV_NOREUSE."""


@system_call("open")
def sys_open(task: Task, path: int, flags: int, mode: int) -> int:
    """Source: fs/open.c:open()."""
    return openat(task, AT_FDCWD, path, flags, mode)


@system_call("openat")
def openat(task: Task, directory: int, path: int, flags: int, _mode: int) -> int:
    """Open a host file for reading. Source: fs/open.c:do_sys_openat2()."""
    full = path_at(task, directory, path, follow=not flags & os.O_NOFOLLOW)
    if flags & ~_MODELLED:
        raise NotModelled(f"opening {full} with flags {flags:#o}")
    descriptor = task.files.lowest_free()
    try:
        file = _open(task, full, flags)
    except OSError as error:
        raise kernel_error(error) from error
    task.files.put(descriptor, file, close_on_exec=bool(flags & os.O_CLOEXEC))
    return descriptor


def _open(task: Task, path: str, flags: int) -> OpenFile:
    """Source: fs/namei.c:path_openat(), do_open()."""
    if path == "/dev/null":
        return NullDevice(flags & ~_NOT_KEPT)
    if path == "/dev/tty":
        # It has a session of its own, and that no terminal: drivers/tty/tty_io.c:tty_open_current_tty().
        raise KernelError(Errno.ENXIO)
    mode = _mode_to_open(path, flags)
    if stat.S_ISLNK(mode):
        raise KernelError(Errno.ELOOP)
    writes = flags & (os.O_ACCMODE | os.O_TRUNC | os.O_CREAT)
    if stat.S_ISDIR(mode) and writes:
        raise KernelError(Errno.EISDIR)
    if stat.S_ISDIR(mode):
        return Directory(task.kernel.host_files.open_directory(path), flags & ~_NOT_KEPT)
    if flags & os.O_DIRECTORY:
        raise KernelError(Errno.ENOTDIR)
    if writes:
        raise NotModelled(f"opening {path} for writing")
    try:
        file = task.kernel.host_files.open(path)
    except CannotObserve as error:
        raise NotModelled(f"reading {path}, which is no regular file") from error
    return HostFile(file, flags & ~_NOT_KEPT)


def _mode_to_open(path: str, flags: int) -> int:
    """Return type and permissions of what is to be opened, or refuse to create it."""
    try:
        found = os.stat(path, follow_symlinks=not flags & os.O_NOFOLLOW)  # noqa: PTH116
    except FileNotFoundError:
        if flags & os.O_CREAT:
            raise NotModelled(f"creating {path}") from None
        raise
    if flags & os.O_CREAT and flags & os.O_EXCL:
        raise KernelError(Errno.EEXIST)
    return found.st_mode


@system_call("close")
def close(task: Task, descriptor: int) -> int:
    """Source: fs/open.c:close()."""
    task.files.close(descriptor)
    refuse_unread(task.kernel)
    return 0


@system_call("access")
def access(task: Task, path: int, mode: int) -> int:
    """Source: fs/open.c:access()."""
    return _access(task, AT_FDCWD, path, mode, 0)


@system_call("faccessat")
def faccessat(task: Task, directory: int, path: int, mode: int) -> int:
    """Source: fs/open.c:faccessat()."""
    return _access(task, directory, path, mode, 0)


@system_call("faccessat2")
def faccessat2(task: Task, directory: int, path: int, mode: int, flags: int) -> int:
    """Source: fs/open.c:faccessat2()."""
    if flags & ~_AT_EACCESS:
        raise NotModelled(f"faccessat2 with flags {flags:#x}")
    return _access(task, directory, path, mode, flags)


def _access(task: Task, directory: int, path: int, mode: int, flags: int) -> int:
    """Source: fs/open.c:do_faccessat()."""
    if mode & ~(os.R_OK | os.W_OK | os.X_OK):
        raise KernelError(Errno.EINVAL)
    full = path_at(task, directory, path, follow=True)
    try:
        os.stat(full)  # noqa: PTH116
    except OSError as error:
        raise kernel_error(error) from error
    if not os.access(full, mode, effective_ids=bool(flags & _AT_EACCESS)):
        raise KernelError(Errno.EACCES)
    return 0


@system_call("chdir")
def chdir(task: Task, path: int) -> int:
    """Source: fs/open.c:chdir()."""
    full = path_at(task, AT_FDCWD, path, follow=True)
    try:
        found = os.stat(full)  # noqa: PTH116
    except OSError as error:
        raise kernel_error(error) from error
    if not stat.S_ISDIR(found.st_mode):
        raise KernelError(Errno.ENOTDIR)
    if not os.access(full, os.X_OK):
        raise KernelError(Errno.EACCES)
    task.cwd = os.path.realpath(full)
    return 0


@system_call("fchdir")
def fchdir(task: Task, descriptor: int) -> int:
    """Source: fs/open.c:fchdir()."""
    file = task.files.get(descriptor)
    if not isinstance(file, Directory):
        raise KernelError(Errno.ENOTDIR)
    task.cwd = file.path
    return 0


@system_call("fadvise64")
def fadvise64(task: Task, descriptor: int, low: int, high: int, size: int, advice: int) -> int:
    """Source: arch/x86/kernel/sys_ia32.c:ia32_fadvise64()."""
    return fadvise64_64(task, descriptor, low, high, size, 0, advice)


@system_call("fadvise64_64")
def fadvise64_64(
    task: Task, descriptor: int, low: int, high: int, size_low: int, size_high: int, advice: int
) -> int:
    """Take advice about a file (rule `cache.dropped`). Source: mm/fadvise.c:generic_fadvise()."""
    file = task.files.get(descriptor)
    if isinstance(file, PipeEnd):
        raise KernelError(Errno.ESPIPE)
    offset, size = signed(high) << 32 | low, signed(size_high) << 32 | size_low
    if size < 0 or advice > _LAST_ADVICE:
        raise KernelError(Errno.EINVAL)
    if offset < 0:
        raise NotModelled("advice about a file from before its start, which only newer kernels refuse")
    if isinstance(file, HostFile):
        generic_fadvise(task.kernel, file.mapped, offset, size, advice)
    return 0


@system_call("fsync", "fdatasync")
def fsync(task: Task, descriptor: int) -> int:
    """Wait for what was written, which is nothing. Source: fs/sync.c:do_fsync()."""
    file = task.files.get(descriptor)
    if not isinstance(file, HostFile | MemFd | Directory):
        raise KernelError(Errno.EINVAL)
    return 0


@system_call("umask")
def umask(task: Task, mask: int) -> int:
    """Source: kernel/sys.c:umask()."""
    task.kernel.assume("umask", f"{task.umask:03o}")
    old, task.umask = task.umask, mask & 0o777
    return old
