"""Paths as system calls are given them, and what the host makes of them (fs/namei.c)."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from inspector.elf.path import below_self
from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError, errno_of
from inspector.predict.kernel.files import Directory, HostFile, NullDevice
from inspector.predict.kernel.uaccess import strncpy_from_user

if TYPE_CHECKING:
    from inspector.predict.kernel.files import FileStat
    from inspector.predict.kernel.task import Task

_PATH_MAX = 4096
AT_FDCWD = -100 & 0xFFFF_FFFF
SELF_EXE = "/proc/self/exe"
"""The one link there that is not the host's to follow: it leads to the simulated program."""
_VARYING = ("/proc", "/sys")
_STABLE = (
    "/proc/sys/crypto",
    "/proc/sys/kernel/cap_last_cap",
    "/proc/sys/kernel/ngroups_max",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu/online",
    "/sys/devices/system/cpu/possible",
    "/sys/devices/system/node/online",
    "/sys/kernel/mm/transparent_hugepage",
)
"""What lies there all the same and is the machine's own, the same for every process."""
_DESCRIPTOR = re.compile(r"0|[1-9][0-9]{0,8}")


def user_path(task: Task, address: int) -> str:
    """Return the path at `address`. Source: fs/namei.c:getname_flags()."""
    path = strncpy_from_user(task, address, _PATH_MAX)
    if len(path) >= _PATH_MAX:
        raise KernelError(Errno.ENAMETOOLONG)
    return os.fsdecode(path)


def host_path(task: Task, directory: int, path: str, *, follow: bool = True) -> str:
    """Return `path` as the host would resolve it; `directory` is what relative paths start from.

    What each process finds of its own below /proc/self is the task's; `follow`: a link at the end is
    followed. Raises NotModelled for what differs between two runs.
    """
    if not path:
        raise KernelError(Errno.ENOENT)
    start = task.cwd
    if not path.startswith("/") and directory != AT_FDCWD:
        start = _open_directory(task, directory).path
    full = os.path.join(start, path)  # noqa: PTH118 - a Path would drop a trailing slash
    parent, last = os.path.split(full)
    if follow or last in ("", ".", ".."):
        parent, last = full, ""
    own = below_self(parent)
    if own is not None:
        return _own_path(task, (*own, last) if last else own, full, follow=follow)
    clear = os.path.join(os.path.realpath(parent), last) if last else os.path.realpath(parent)  # noqa: PTH118
    if any(
        _is_below(each, _VARYING) and not _is_below(each, _STABLE) for each in (clear, os.path.normpath(full))
    ):
        raise NotModelled(f"looking at {full}, which differs between two runs")
    return full


def _own_path(task: Task, own: tuple[str, ...], full: str, *, follow: bool) -> str:
    """Return what the task finds at `own` below its directory in /proc, by a path that is the host's.

    Raises KernelError where it has no such descriptor, NotModelled for what is no file of the host or not
    followed. Source: fs/proc/base.c:proc_pid_get_link(), fs/proc/fd.c:proc_fd_link(), proc_lookupfd_common().
    """
    match own:
        case ("exe", *rest):
            return os.path.join(SELF_EXE, *rest)  # noqa: PTH118
        case ("cwd", *rest) if follow or rest:
            return os.path.join(task.cwd, *rest)  # noqa: PTH118
        case ("root", *rest) if follow or rest:
            return os.path.join("/", *rest)  # noqa: PTH118
        case ("fd", descriptor, *rest) if descriptor not in ("", ".", "..") and (follow or rest):
            return os.path.join(_path_of(task, descriptor, full), *rest)  # noqa: PTH118
    raise NotModelled(f"looking at {full}, which differs between two runs")


def _path_of(task: Task, descriptor: str, full: str) -> str:
    """Return by what path the host's file behind a descriptor is opened anew.

    Source: fs/proc/fd.c:proc_fd_link(), fs/proc/util.c:name_to_int().
    """
    try:
        file = task.files.get(int(descriptor) if _DESCRIPTOR.fullmatch(descriptor) else -1)
    except KernelError as error:
        raise KernelError(Errno.ENOENT) from error
    match file:
        case NullDevice():
            return "/dev/null"
        case HostFile() if _is_still_at(file.mapped.path, file.stat):
            return file.mapped.path
        case Directory() if _is_still_at(file.path, file.stat):
            return file.path
    raise NotModelled(f"looking at {full}, which leads to descriptor {descriptor}: no file of the host")


def _is_still_at(path: str, known: FileStat) -> bool:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (known.device, known.inode)


def _is_below(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(root + "/") for root in roots)


def path_at(task: Task, directory: int, address: int, *, follow: bool = False) -> str:
    """Return the path at `address` as the host would resolve it, relative ones from `directory`.

    `follow` is for calls that look at what a link leads to. Source: fs/proc/base.c:proc_exe_link().
    """
    path = host_path(task, directory, user_path(task, address), follow=follow)
    return task.executable if follow and path == SELF_EXE else path


def _open_directory(task: Task, descriptor: int) -> Directory:
    """Source: fs/namei.c:path_init()."""
    found = task.files.get(descriptor)
    if not isinstance(found, Directory):
        raise KernelError(Errno.ENOTDIR)
    return found


def kernel_error(error: OSError) -> KernelError:
    """Return the error that the simulated call gives for the host's own.

    Raises NotModelled for one that is about the simulator itself, such as its limit of open files.
    """
    answer = errno_of(error)
    if answer is None:
        raise NotModelled(f"{error.filename}: {error.strerror}") from error
    return KernelError(answer)
