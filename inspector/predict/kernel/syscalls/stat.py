"""System calls that tell about files (fs/stat.c)."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.files import stat_of
from inspector.predict.kernel.syscalls.path import AT_FDCWD, SELF_EXE, kernel_error, path_at
from inspector.predict.kernel.syscalls.registry import signed, system_call
from inspector.predict.kernel.uaccess import copy_from_user, copy_to_user, store

if TYPE_CHECKING:
    from inspector.predict.kernel.files import FileStat
    from inspector.predict.kernel.task import Task

_AT_EMPTY_PATH, _AT_SYMLINK_NOFOLLOW, _AT_NO_AUTOMOUNT = 0x1000, 0x100, 0x800
_AT_STATX_SYNC_TYPE = 0x6000
_STATX_BASIC_STATS = 0x7FF


def _encoded_device(device: int) -> int:
    """Source: include/linux/kdev_t.h:new_encode_dev()."""
    major, minor = os.major(device), os.minor(device)
    return minor & 0xFF | major << 8 | (minor & ~0xFF) << 12


def _put_stat64(task: Task, address: int, found: FileStat) -> None:
    """Store struct stat64 of arch/x86/include/uapi/asm/stat.h, field by field in the kernel's order.

    Source: arch/x86/kernel/sys_ia32.c:cp_stat64().
    """
    times = [part for moment in found.times for part in divmod(moment, 1_000_000_000)]
    fields = (
        (0, "<Q", _encoded_device(found.device)),
        (12, "<I", found.inode & 0xFFFF_FFFF),
        (88, "<Q", found.inode),
        (16, "<I", found.mode),
        (20, "<I", found.links),
        (24, "<I", found.uid),
        (28, "<I", found.gid),
        (32, "<Q", _encoded_device(found.special_device)),
        (44, "<q", found.size),
        *((64 + 4 * index, "<I", part & 0xFFFF_FFFF) for index, part in enumerate(times)),
        (52, "<I", found.block_size),
        (56, "<Q", found.blocks),
    )
    for offset, form, value in fields:
        store(task, address + offset, struct.pack(form, value))


def _statx(found: FileStat) -> bytes:
    """Return struct statx of include/uapi/linux/stat.h."""
    access, modified, changed = (
        struct.pack("<qII", *divmod(moment, 1_000_000_000), 0) for moment in found.times
    )
    return (
        struct.pack(
            "<IIQIIIHHQQQQ",
            _STATX_BASIC_STATS,
            found.block_size,
            0,
            found.links,
            found.uid,
            found.gid,
            found.mode,
            0,
            found.inode,
            found.size,
            found.blocks,
            0,
        )
        + access
        + bytes(16)
        + changed
        + modified
        + struct.pack(
            "<IIII",
            os.major(found.special_device),
            os.minor(found.special_device),
            os.major(found.device),
            os.minor(found.device),
        )
    ).ljust(256, b"\0")


@system_call("fstat64")
def fstat64(task: Task, descriptor: int, address: int) -> int:
    """Source: arch/x86/kernel/sys_ia32.c:ia32_fstat64(), cp_stat64()."""
    _put_stat64(task, address, task.files.get(descriptor).stat)
    return 0


@system_call("stat64")
def stat64(task: Task, path: int, address: int) -> int:
    """Source: arch/x86/kernel/sys_ia32.c:ia32_stat64()."""
    return fstatat64(task, AT_FDCWD, path, address, 0)


@system_call("lstat64")
def lstat64(task: Task, path: int, address: int) -> int:
    """Source: arch/x86/kernel/sys_ia32.c:ia32_lstat64()."""
    return fstatat64(task, AT_FDCWD, path, address, _AT_SYMLINK_NOFOLLOW)


@system_call("fstatat64")
def fstatat64(task: Task, directory: int, path: int, address: int, flags: int) -> int:
    """Source: arch/x86/kernel/sys_ia32.c:ia32_fstatat64()."""
    _put_stat64(task, address, _stat_at(task, directory, path, flags))
    return 0


@system_call("statx")
def statx(task: Task, directory: int, path: int, flags: int, _mask: int, address: int) -> int:
    """Tell about a file; what is no part of stat is assumed to be absent. Source: fs/stat.c:statx()."""
    task.kernel.assume("statx", "no creation time, attributes or mount")
    copy_to_user(task, address, _statx(_stat_at(task, directory, path, flags & ~_AT_STATX_SYNC_TYPE)))
    return 0


def _stat_at(task: Task, directory: int, path: int, flags: int) -> FileStat:
    """Source: fs/stat.c:vfs_fstatat(), fs/namei.c:__getname_maybe_null()."""
    if flags & ~(_AT_EMPTY_PATH | _AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT):
        raise KernelError(Errno.EINVAL)
    if flags & _AT_EMPTY_PATH and _is_empty(task, path):
        if directory == AT_FDCWD:
            return _host_stat(task.cwd)
        return task.files.get(directory).stat
    follow = not flags & _AT_SYMLINK_NOFOLLOW
    full = path_at(task, directory, path, follow=follow)
    if full == SELF_EXE:
        raise NotModelled(f"lstat of {full}, whose inode differs between two runs")
    return _host_stat(full, follow=follow)


def _is_empty(task: Task, path: int) -> bool:
    return not path or copy_from_user(task, path, 1) == b"\0"


def _host_stat(path: str, *, follow: bool = True) -> FileStat:
    try:
        return stat_of(os.stat(path, follow_symlinks=follow))  # noqa: PTH116
    except OSError as error:
        raise kernel_error(error) from error


@system_call("readlink")
def readlink(task: Task, path: int, address: int, size: int) -> int:
    """Source: fs/stat.c:readlink()."""
    return readlinkat(task, AT_FDCWD, path, address, size)


@system_call("readlinkat")
def readlinkat(task: Task, directory: int, path: int, address: int, size: int) -> int:
    """Source: fs/stat.c:do_readlinkat()."""
    if signed(size) <= 0:
        raise KernelError(Errno.EINVAL)
    full = path_at(task, directory, path)
    try:
        target = task.executable if full == SELF_EXE else os.readlink(full)  # noqa: PTH115
    except OSError as error:
        raise kernel_error(error) from error
    data = os.fsencode(target)[:size]
    copy_to_user(task, address, data)
    return len(data)
