"""System calls about open files."""

from __future__ import annotations

import errno
import os
import stat
import struct
from typing import TYPE_CHECKING

from inspector.elf.file import ExecutableFile
from inspector.errors import CannotObserve, NotModelled
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.files import FileStat, HostFile, NullDevice, stat_of
from inspector.predict.kernel.syscalls.registry import signed, system_call
from inspector.predict.kernel.uaccess import copy_from_user, copy_to_user, strncpy_from_user

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

_PATH_MAX = 4096
_AT_FDCWD, _AT_EMPTY_PATH, _AT_SYMLINK_NOFOLLOW = -100, 0x1000, 0x100
_O_ACCMODE, _O_CREAT, _O_TRUNC, _O_DIRECTORY = 3, 0o100, 0o1000, 0o200000
_TCGETS, _TIOCGWINSZ = 0x5401, 0x5413
_RAW_TERMIOS = struct.pack("<4I20x", 0, 0, 0xBF, 0)
"""struct termios of a terminal in raw mode: 38400 baud, 8 bits."""
_STATX_BASIC_STATS = 0x7FF
_LARGEST_TRANSFER = 0x7FFF_F000


def user_path(task: Task, address: int) -> str:
    """Return the path at `address`. Source: fs/namei.c:getname_flags()."""
    path = strncpy_from_user(task, address, _PATH_MAX)
    if len(path) >= _PATH_MAX:
        raise KernelError(Errno.ENAMETOOLONG)
    return os.fsdecode(path)


def host_path(task: Task, directory: int, path: str) -> str:
    """Return `path` as the host would resolve it; `directory` is what relative paths start from."""
    if not path:
        raise KernelError(Errno.ENOENT)
    if not path.startswith("/") and signed(directory) != _AT_FDCWD:
        raise NotModelled("path relative to an open directory")
    full = os.path.join(task.cwd, path)  # noqa: PTH118 - a Path would drop a trailing slash
    if full.startswith(("/proc/", "/sys/")) and full != "/proc/self/exe":
        raise NotModelled(f"looking at {full}, which differs between two runs")
    return full


def kernel_error(error: OSError) -> KernelError:
    """Return the error that the simulated call gives for the host's own."""
    try:
        return KernelError(Errno(errno.errorcode.get(error.errno or 0, "")))
    except ValueError:
        raise NotModelled(f"{error.filename}: {error.strerror}") from error


@system_call("read")
def read(task: Task, descriptor: int, address: int, size: int) -> int:
    """Source: fs/read_write.c:ksys_read()."""
    return task.files.get(descriptor).read(task, address, min(size, _LARGEST_TRANSFER))


@system_call("write")
def write(task: Task, descriptor: int, address: int, size: int) -> int:
    """Source: fs/read_write.c:ksys_write()."""
    return task.files.get(descriptor).write(task, address, min(size, _LARGEST_TRANSFER))


@system_call("writev")
def writev(task: Task, descriptor: int, vectors: int, count: int) -> int:
    """Source: fs/read_write.c:do_writev()."""
    file = task.files.get(descriptor)
    return _vectored(task, vectors, count, file.write)


@system_call("readv")
def readv(task: Task, descriptor: int, vectors: int, count: int) -> int:
    """Source: fs/read_write.c:do_readv()."""
    file = task.files.get(descriptor)
    return _vectored(task, vectors, count, file.read)


def _vectored(task: Task, vectors: int, count: int, transfer: object) -> int:
    if count > 1024:  # noqa: PLR2004 - UIO_MAXIOV
        raise KernelError(Errno.EINVAL)
    done = 0
    for base, size in struct.iter_unpack("<II", copy_from_user(task, vectors, 8 * count)):
        if not size:
            continue
        moved = transfer(task, base, size)  # type: ignore[operator]
        done += moved
        if moved < size:
            break
    return done


@system_call("close")
def close(task: Task, descriptor: int) -> int:
    """Source: fs/open.c:close()."""
    task.files.close(descriptor)
    return 0


@system_call("open")
def sys_open(task: Task, path: int, flags: int, mode: int) -> int:
    """Source: fs/open.c:open()."""
    return openat(task, _AT_FDCWD & 0xFFFF_FFFF, path, flags, mode)


@system_call("openat")
def openat(task: Task, directory: int, path: int, flags: int, _mode: int) -> int:
    """Open a host file for reading. Source: fs/open.c:do_sys_openat2()."""
    full = host_path(task, directory, user_path(task, path))
    if flags & (_O_CREAT | _O_TRUNC) or (flags & _O_ACCMODE and full != "/dev/null"):
        raise NotModelled(f"opening {full} for writing")
    if full == "/dev/null":
        return task.files.add(NullDevice())
    try:
        found = os.stat(full)  # noqa: PTH116
        if stat.S_ISDIR(found.st_mode):
            raise NotModelled(f"reading the directory {full}")
        if flags & _O_DIRECTORY:
            raise KernelError(Errno.ENOTDIR)
        file = ExecutableFile(full)
    except OSError as error:
        raise kernel_error(error) from error
    except CannotObserve as error:
        raise NotModelled(f"reading {full}, which is no regular file") from error
    task.kernel.host_files.append(file)
    return task.files.add(HostFile(file))


@system_call("ioctl")
def ioctl(task: Task, descriptor: int, request: int, address: int) -> int:
    """Answer what stdio and the like ask of a terminal. Source: drivers/tty/tty_ioctl.c:tty_mode_ioctl()."""
    file = task.files.get(descriptor)
    if not file.is_terminal:
        raise KernelError(Errno.ENOTTY)
    if request == _TCGETS:
        copy_to_user(task, address, _RAW_TERMIOS)
    elif request == _TIOCGWINSZ:
        copy_to_user(task, address, bytes(8))
    else:
        raise NotModelled(f"ioctl {request:#x} of a terminal")
    return 0


@system_call("_llseek")
def llseek(task: Task, descriptor: int, high: int, low: int, result: int, whence: int) -> int:
    """Source: fs/read_write.c:llseek()."""
    position = _seek(task, descriptor, signed(high) << 32 | low, whence)
    copy_to_user(task, result, struct.pack("<q", position))
    return 0


@system_call("lseek")
def lseek(task: Task, descriptor: int, offset: int, whence: int) -> int:
    """Source: fs/read_write.c:ksys_lseek()."""
    return _seek(task, descriptor, signed(offset), whence)


def _seek(task: Task, descriptor: int, offset: int, whence: int) -> int:
    file = task.files.get(descriptor)
    if not isinstance(file, HostFile):
        if isinstance(file, NullDevice):
            return 0
        raise KernelError(Errno.ESPIPE)
    base = {0: 0, 1: file.position, 2: file.contents.size}.get(whence)
    if base is None or base + offset < 0:
        raise KernelError(Errno.EINVAL)
    file.position = base + offset
    return file.position


def _encoded_device(device: int) -> int:
    """Source: include/linux/kdev_t.h:new_encode_dev()."""
    major, minor = os.major(device), os.minor(device)
    return minor & 0xFF | major << 8 | (minor & ~0xFF) << 12


def _stat64(found: FileStat) -> bytes:
    """Return struct stat64 of arch/x86/include/uapi/asm/stat.h."""
    times = [part for moment in found.times for part in divmod(moment, 1_000_000_000)]
    return struct.pack(
        "<QIIIIIIQ4xqIQ6IQ",
        _encoded_device(found.device),
        found.inode & 0xFFFF_FFFF,
        found.mode,
        found.links,
        found.uid,
        found.gid,
        0,
        _encoded_device(found.special_device) & 0xFFFF_FFFF_FFFF,
        found.size,
        found.block_size,
        found.blocks,
        *times,
        found.inode,
    )


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
    """Source: arch/x86/kernel/sys_ia32.c:fstat64(), cp_stat64()."""
    copy_to_user(task, address, _stat64(task.files.get(descriptor).stat))
    return 0


@system_call("stat64")
def stat64(task: Task, path: int, address: int) -> int:
    """Source: arch/x86/kernel/sys_ia32.c:stat64()."""
    full = host_path(task, _AT_FDCWD & 0xFFFF_FFFF, user_path(task, path))
    copy_to_user(task, address, _stat64(_host_stat(full)))
    return 0


@system_call("lstat64")
def lstat64(task: Task, path: int, address: int) -> int:
    """Source: arch/x86/kernel/sys_ia32.c:lstat64()."""
    full = host_path(task, _AT_FDCWD & 0xFFFF_FFFF, user_path(task, path))
    copy_to_user(task, address, _stat64(_host_stat(full, follow=False)))
    return 0


def _host_stat(path: str, *, follow: bool = True) -> FileStat:
    try:
        return stat_of(os.stat(path, follow_symlinks=follow))  # noqa: PTH116
    except OSError as error:
        raise kernel_error(error) from error


@system_call("statx")
def statx(task: Task, directory: int, path: int, flags: int, _mask: int, address: int) -> int:
    """Tell about a file. Source: fs/stat.c:statx(), fs/namei.c:__getname_maybe_null()."""
    if flags & _AT_EMPTY_PATH and _is_empty(task, path):
        found = task.files.get(directory).stat
    else:
        full = host_path(task, directory, user_path(task, path))
        found = _host_stat(full, follow=not flags & _AT_SYMLINK_NOFOLLOW)
    copy_to_user(task, address, _statx(found))
    return 0


def _is_empty(task: Task, path: int) -> bool:
    return not path or copy_from_user(task, path, 1) == b"\0"


@system_call("readlink")
def readlink(task: Task, path: int, address: int, size: int) -> int:
    """Source: fs/stat.c:readlink()."""
    return readlinkat(task, _AT_FDCWD & 0xFFFF_FFFF, path, address, size)


@system_call("readlinkat")
def readlinkat(task: Task, directory: int, path: int, address: int, size: int) -> int:
    """Source: fs/stat.c:do_readlinkat()."""
    if signed(size) <= 0:
        raise KernelError(Errno.EINVAL)
    full = host_path(task, directory, user_path(task, path))
    try:
        target = task.executable if full == "/proc/self/exe" else os.readlink(full)  # noqa: PTH115
    except OSError as error:
        raise kernel_error(error) from error
    data = os.fsencode(target)[:size]
    copy_to_user(task, address, data)
    return len(data)


@system_call("access")
def access(task: Task, path: int, mode: int) -> int:
    """Source: fs/open.c:do_faccessat()."""
    full = host_path(task, _AT_FDCWD & 0xFFFF_FFFF, user_path(task, path))
    _host_stat(full)
    if not os.access(full, mode):
        raise KernelError(Errno.EACCES)
    return 0
