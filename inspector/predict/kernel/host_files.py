"""The host's files and directories that simulated processes have open, at one descriptor of our own each.

A simulated program may open a file as often as its own limit allows; ours (RLIMIT_NOFILE) is not to be felt.
So who opens the same file twice is given one, and it is closed with the last of the descriptors and mappings
that lead to it: it is held by them alone, as a struct file is by its count (fs/file_table.c:fput()).
"""

from __future__ import annotations

import os
import weakref
from typing import TypeVar

from inspector.elf.file import ExecutableFile


class HostDirectory:
    """A directory opened for reading. Raises OSError where it cannot be."""

    def __init__(self, path: str) -> None:
        """Open `path`; the directory stays open until `close`."""
        self.resolved_path = os.path.realpath(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.stat = os.fstat(self._fd)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._fd

    def close(self) -> None:
        """Close the directory."""
        os.close(self._fd)


_Opened = TypeVar("_Opened", ExecutableFile, HostDirectory)
_Key = tuple[str, int, int, int, int, int]
"""Path, and what tells a file and its contents from others."""


def _version(found: os.stat_result) -> tuple[int, int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class HostFiles:
    """Opens what is not yet open; `close` closes what is left."""

    def __init__(self) -> None:
        """Start with none."""
        self._open: weakref.WeakValueDictionary[_Key, ExecutableFile | HostDirectory] = (
            weakref.WeakValueDictionary()
        )
        self._closing: dict[int, weakref.finalize[[int], ExecutableFile | HostDirectory]] = {}
        """By descriptor: what closes it."""

    def open(self, path: str) -> ExecutableFile:
        """Return the regular file at `path`. Raises as ExecutableFile does."""
        return self._shared(ExecutableFile(path))

    def open_directory(self, path: str) -> HostDirectory:
        """Return the directory at `path`. Raises OSError."""
        return self._shared(HostDirectory(path))

    def close(self) -> None:
        """Close everything, whoever still holds it."""
        for closing in tuple(self._closing.values()):
            closing()

    def _shared(self, new: _Opened) -> _Opened:
        key = (new.resolved_path, *_version(new.stat))
        known = self._open.get(key)
        if isinstance(known, type(new)):
            new.close()
            return known
        self._open[key] = new
        self._closing[new.fileno()] = weakref.finalize(new, self._close, new.fileno())
        return new

    def _close(self, descriptor: int) -> None:
        del self._closing[descriptor]
        os.close(descriptor)
