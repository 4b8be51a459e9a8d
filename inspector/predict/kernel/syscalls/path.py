"""Paths as system calls are given them, and what the host makes of them (fs/namei.c)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError, errno_of
from inspector.predict.kernel.files import Directory
from inspector.predict.kernel.uaccess import strncpy_from_user

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

_PATH_MAX = 4096
AT_FDCWD = -100 & 0xFFFF_FFFF
SELF_EXE = "/proc/self/exe"
"""The one link there that is not the host's to follow: it leads to the simulated program."""
_VARYING = ("/proc", "/sys")
_STABLE = (
    SELF_EXE,
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


def user_path(task: Task, address: int) -> str:
    """Return the path at `address`. Source: fs/namei.c:getname_flags()."""
    path = strncpy_from_user(task, address, _PATH_MAX)
    if len(path) >= _PATH_MAX:
        raise KernelError(Errno.ENAMETOOLONG)
    return os.fsdecode(path)


def host_path(task: Task, directory: int, path: str) -> str:
    """Return `path` as the host would resolve it; `directory` is what relative paths start from.

    Raises NotModelled for what differs between two runs.
    """
    if not path:
        raise KernelError(Errno.ENOENT)
    start = task.cwd
    if not path.startswith("/") and directory != AT_FDCWD:
        start = _open_directory(task, directory).path
    full = os.path.join(start, path)  # noqa: PTH118 - a Path would drop a trailing slash
    clear = os.path.normpath(full)
    if _is_below(clear, _VARYING) and not _is_below(clear, _STABLE):
        raise NotModelled(f"looking at {full}, which differs between two runs")
    if clear == SELF_EXE != full:
        raise NotModelled(f"looking at {SELF_EXE} as {full}")
    return full


def _is_below(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(root + "/") for root in roots)


def path_at(task: Task, directory: int, address: int, *, follow: bool = False) -> str:
    """Return the path at `address` as the host would resolve it, relative ones from `directory`.

    `follow` is for calls that look at what a link leads to. Source: fs/proc/base.c:proc_exe_link().
    """
    path = host_path(task, directory, user_path(task, address))
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
