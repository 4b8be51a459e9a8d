"""System calls that would change the host's files: they fail as Linux fails them, or are refused by name.

A path that leads nowhere is told so before anything is changed (fs/namei.c:filename_create(),
filename_lookup()); a program that only tries is followed that far.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.syscalls.path import AT_FDCWD, kernel_error, path_at
from inspector.predict.kernel.syscalls.registry import system_call

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.predict.kernel.task import Task


@dataclass(frozen=True, slots=True)
class _Change:
    """One system call: which of its arguments are the directory (None: none) and the path."""

    directory: int | None
    path: int
    existing: bool
    """Whether there must be something, or nothing, at the path."""
    follows: bool = False
    """Whether a symbolic link stands for what it leads to."""


_CHANGES = {
    "mkdir": _Change(None, 0, existing=False),
    "mkdirat": _Change(0, 1, existing=False),
    "mknod": _Change(None, 0, existing=False),
    "mknodat": _Change(0, 1, existing=False),
    "creat": _Change(None, 0, existing=False),
    "rmdir": _Change(None, 0, existing=True),
    "unlink": _Change(None, 0, existing=True),
    "unlinkat": _Change(0, 1, existing=True),
    "link": _Change(None, 0, existing=True),
    "rename": _Change(None, 0, existing=True),
    "renameat": _Change(0, 1, existing=True),
    "renameat2": _Change(0, 1, existing=True),
    "chmod": _Change(None, 0, existing=True, follows=True),
    "fchmodat": _Change(0, 1, existing=True, follows=True),
    "chown32": _Change(None, 0, existing=True, follows=True),
    "lchown32": _Change(None, 0, existing=True),
    "truncate": _Change(None, 0, existing=True, follows=True),
    "truncate64": _Change(None, 0, existing=True, follows=True),
    "utime": _Change(None, 0, existing=True, follows=True),
    "utimes": _Change(None, 0, existing=True, follows=True),
}


@system_call("utimensat", "utimensat_time64")
def utimensat(task: Task, directory: int, path: int, times: int, _flags: int) -> int:
    """Source: fs/utimes.c:utimensat()."""
    if times or not path:
        raise NotModelled("setting the times of a file")
    return _touch(task, directory, path)


def _handler(name: str, change: _Change) -> Callable[..., int]:
    def handler(task: Task, first: int, second: int) -> int:
        arguments = (first, second)
        directory = AT_FDCWD if change.directory is None else arguments[change.directory]
        path = path_at(task, directory, arguments[change.path], follow=change.existing and change.follows)
        try:
            if change.existing:
                os.stat(path, follow_symlinks=change.follows)  # noqa: PTH116
            else:
                _look_for_room(path)
        except OSError as error:
            raise kernel_error(error) from error
        raise NotModelled(f"{name} of {path}, which would change the host")

    handler.__doc__ = f"Fail as {name} does, or refuse it by name."
    return handler


def _look_for_room(path: str) -> None:
    """Raise what keeps something new from being made at `path`."""
    parent = os.path.dirname(path.rstrip("/"))  # noqa: PTH120
    os.stat(parent + "/." if parent else "/")  # noqa: PTH116
    if os.path.lexists(path.rstrip("/") or "/"):
        raise KernelError(Errno.EEXIST)


_touch = _handler("utimensat", _Change(0, 1, existing=True, follows=True))
for _name, _change in _CHANGES.items():
    system_call(_name)(_handler(_name, _change))
