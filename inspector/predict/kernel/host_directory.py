"""What is in a directory of the host, in the order in which a 32-bit program would be told."""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUFFER_BYTES = 1 << 16
_HEADER = struct.Struct("<QqHB")
_HASHED = 1 << 32
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.getdents64.restype = ctypes.c_ssize_t


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """One name (struct linux_dirent64)."""

    inode: int
    offset: int
    """Where the next entry is, in the file system's own terms."""
    type: int
    name: bytes


def directory_entries(descriptor: int) -> Iterator[DirectoryEntry]:
    """Yield every entry of the directory open as `descriptor`, from its first on. Raises OSError."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    buffer = ctypes.create_string_buffer(_BUFFER_BYTES)
    while size := _LIBC.getdents64(descriptor, buffer, _BUFFER_BYTES):
        if size < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        records = buffer.raw[:size]
        while records:
            inode, offset, length, kind = _HEADER.unpack_from(records)
            name = records[_HEADER.size : length].partition(b"\0")[0]
            yield DirectoryEntry(inode, _offset_for_32_bits(offset), kind, name)
            records = records[length:]


def _offset_for_32_bits(offset: int) -> int:
    """Return what a 32-bit program is told of an offset: of two halves of a hash only the upper one.

    Source: fs/ext4/dir.c:hash2pos().
    """
    return offset >> 32 if offset >= _HASHED else offset
