"""Files as another process names them: how this one reaches them, and whether it would reach the same."""

from __future__ import annotations

import contextlib
import os
import re
from collections import deque

_MOST_LINKS = 40
"""include/linux/namei.h:MAXSYMLINKS."""
_PROC_ROOT_INO = 1
"""include/linux/proc_fs.h."""
_SELF = {"self": re.compile(r"\d+"), "thread-self": re.compile(r"\d+/task/\d+")}
"""The two links of procfs that lead each process to its own directory (fs/proc/self.c, thread_self.c)."""


def path_from(cwd: str, path: str) -> str:
    """Return how this process reaches what a process in `cwd` calls `path`.

    Where we stand there ourselves the path is kept as it is: joined to its directory it might be too long, or
    lead through directories that we may not search.
    """
    with contextlib.suppress(OSError):
        if os.getcwd() == cwd:  # noqa: PTH109 - text is compared
            return path
    return os.path.join(cwd, path)  # noqa: PTH118 - a Path would drop a trailing slash, which means "a directory"


def interpreter_path(name: bytes) -> str:
    """Return the path that a `#!` line or PT_INTERP names.

    An empty one, which a program cannot hand to execve, is the current directory to the kernel.
    """
    return os.fsdecode(name) or "."


def below_self(path: str) -> tuple[str, ...] | None:
    """Return what of `path` is looked up below /proc/self or thread-self, by component: `("fd", "0")`.

    There each process finds something of its own; /dev/fd, /dev/stdin and many a link lead there. None:
    `path` does not, and is the same file to all.
    """
    here = "/" if path.startswith("/") else ""
    ahead = deque(path.split("/"))
    links = 0
    while ahead and links <= _MOST_LINKS:
        name = ahead.popleft()
        if name in ("", "."):
            continue
        there = os.path.join(here, name)  # noqa: PTH118 - text, and quick
        try:
            target = os.readlink(there)  # noqa: PTH115
        except (OSError, ValueError):  # no link, or nothing that exists
            here = there
            continue
        if _is_self(here, name, target):
            return tuple(ahead)
        links += 1
        here = "/" if target.startswith("/") else here
        ahead.extendleft(reversed(target.split("/")))
    return None


def _is_self(directory: str, name: str, target: str) -> bool:
    """Whether a link is one of the two, wherever procfs is mounted."""
    return (
        name in _SELF
        and _SELF[name].fullmatch(target) is not None
        and os.stat(directory or ".").st_ino == _PROC_ROOT_INO  # noqa: PTH116
    )
