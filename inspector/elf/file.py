"""A file a program is loaded from: its identity, and any of its bytes on demand."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
from typing import BinaryIO, Self

from inspector.elf.header import ELF_MAGIC
from inspector.errors import CannotObserve
from inspector.model.prediction import FileIdentity

_CHUNK_BYTES = 1 << 20


def is_elf(path: str) -> bool:
    """Whether `path` leads to a regular file that can be read and begins as an ELF file does."""
    try:
        with ExecutableFile(path) as file:
            return file.read(0, len(ELF_MAGIC)) == ELF_MAGIC
    except (OSError, ValueError, CannotObserve):
        return False


class ExecutableFile:
    """A regular file opened for reading; never a FIFO or a device, which could block or never end.

    Raises OSError where the file cannot be opened, and CannotObserve where it is not a regular file.
    """

    def __init__(self, path: str) -> None:
        """Open `path`; the file stays open until `close`."""
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        self.stat = os.fstat(self._fd)
        if not stat.S_ISREG(self.stat.st_mode):
            os.close(self._fd)
            self._fd = -1
            raise CannotObserve(f"{path}: not a regular file")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stream(self) -> BinaryIO:
        """Return the file as a seekable stream, which the caller closes."""
        return os.fdopen(os.dup(self._fd), "rb")

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._fd

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes at `offset`; fewer at the end of the file."""
        return os.pread(self._fd, size, offset)

    @property
    def size(self) -> int:
        """The file's length in bytes when it was opened."""
        return self.stat.st_size

    @functools.cached_property
    def resolved_path(self) -> str:
        """The path maps prints: absolute, with every symbolic link followed."""
        try:
            return os.readlink(f"/proc/self/fd/{self._fd}")  # noqa: PTH115 - a Path would tidy the text
        except OSError:
            return os.path.realpath(self.path)

    @property
    def device(self) -> tuple[int, int]:
        """(major, minor) of the device the file lies on."""
        return os.major(self.stat.st_dev), os.minor(self.stat.st_dev)

    @functools.cached_property
    def identity(self) -> FileIdentity:
        """What names this file in a prediction or recording; reads it once to hash its contents.

        Holes of a sparse file are read as zeros by the kernel without touching a disk.
        """
        digest = hashlib.sha256()
        offset = 0
        while chunk := self.read(offset, _CHUNK_BYTES):
            digest.update(chunk)
            offset += len(chunk)
        return FileIdentity(self.resolved_path, self.device, self.stat.st_ino, self.size, digest.hexdigest())
