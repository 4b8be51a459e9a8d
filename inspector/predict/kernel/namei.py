"""Opening a file for execution: the checks made before its contents are looked at."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from inspector.elf.file import ExecutableFile
from inspector.elf.path import below_self, path_from
from inspector.errors import CannotObserve, NotModelled
from inspector.predict.kernel.errno import Errno, KernelError, errno_of
from inspector.predict.kernel.permission import may_execute

if TYPE_CHECKING:
    from collections.abc import Collection

    from inspector.model.profile import ExecRules
    from inspector.model.program import Credentials

_ST_NOEXEC = 8
_LINKS = ("exe", "cwd", "root", "..")
"""What leads out of a process's directory in /proc, not counting what its directories hold."""


def open_exec(
    path: str,
    cwd: str,
    credentials: Credentials,
    rules: ExecRules,
    shared_descriptors: Collection[int] = (),
) -> ExecutableFile:
    """Open `path` as execve does, relative paths from `cwd`.

    Raises KernelError with the errno execve gives; CannotObserve where the caller may execute the file but
    not read it; NotModelled where `path` leads to what is the caller's own. For `shared_descriptors` see
    `predict`. Source: fs/exec.c:do_open_execat().
    """
    full = path_from(cwd, path)
    _require_common(full, shared_descriptors)
    if not path:
        raise KernelError(Errno.ENOENT, "exec.path")
    try:
        found = os.stat(full)  # noqa: PTH116 - a Path would drop the trailing slash
        mount = os.statvfs(full)
    except OSError as error:
        raise KernelError(_errno_of(error), "exec.path") from error
    except ValueError as error:  # an embedded zero byte, which no system call can carry
        raise KernelError(Errno.ENOENT, "exec.path") from error
    if not stat.S_ISREG(found.st_mode):
        raise KernelError(Errno.EACCES, "exec.not-regular")
    if mount.f_flag & _ST_NOEXEC:
        raise KernelError(Errno.EACCES, "exec.noexec-mount")
    if not may_execute(full, found, credentials):
        raise KernelError(Errno.EACCES, "exec.no-permission")
    try:
        file = ExecutableFile(full)
    except PermissionError as error:
        raise CannotObserve(
            f"{path}: may be executed but not read", help="make it readable, or run as a user who may read it"
        ) from error
    except OSError as error:
        raise KernelError(_errno_of(error), "exec.path") from error
    if rules.refuses_open_for_writing and file.is_open_for_writing:
        file.close()
        raise KernelError(Errno.ETXTBSY, "exec.open-for-writing")
    return file


def _require_common(path: str, shared_descriptors: Collection[int]) -> None:
    """Raise KernelError or NotModelled unless `path` is the same file to the caller as it is to us.

    A program is started with its three standard descriptors and those that are shared, and no more. Source:
    fs/proc/fd.c:proc_lookupfd_common().
    """
    own = below_self(path)
    if own is None:
        return
    shared, standard = ([str(number) for number in each] for each in (shared_descriptors, range(3)))
    match own:
        case ("fd", descriptor) if descriptor in shared:
            return
        case () | (_,) if not own or own[0] not in _LINKS:
            return  # another file to each, but one of the same kind, mode and name
        case ("fd", descriptor, *_) if descriptor not in (*shared, *standard, "", ".", ".."):
            raise KernelError(Errno.ENOENT, "exec.path")
    raise NotModelled("a path that leads through /proc/self", help="name the file by a path of its own")


def _errno_of(error: OSError) -> Errno:
    answer = errno_of(error)
    if answer is None:
        raise CannotObserve(
            f"{error.filename}: {error.strerror}", help="see whether it can be read: cp it elsewhere"
        ) from error
    return answer
