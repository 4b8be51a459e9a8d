"""System calls that read directories (fs/readdir.c).

Every field of an entry is stored by itself, in the order seen here, and each may fault.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.files import Directory
from inspector.predict.kernel.syscalls.registry import signed, system_call
from inspector.predict.kernel.uaccess import copy_to_user, store

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.predict.kernel.host_directory import DirectoryEntry
    from inspector.predict.kernel.task import Task


@system_call("getdents64")
def getdents64(task: Task, descriptor: int, address: int, size: int) -> int:
    """Store struct linux_dirent64s: inode 0, offset 8, length 16, type 18, name 19.

    Source: fs/readdir.c:getdents64(), filldir64().
    """

    def store(at: int, length: int, entry: DirectoryEntry) -> None:
        _put(task, at, "<Q", entry.inode)
        _put(task, at + 16, "<H", length)
        _put(task, at + 18, "<B", entry.type)
        _put_name(task, at + 19, entry.name)

    def length_of(entry: DirectoryEntry) -> int:
        return (19 + len(entry.name) + 1 + 7) & -8

    return _fill(task, descriptor, address, size, length_of, store, offset=(8, "<q"))


@system_call("getdents")
def getdents(task: Task, descriptor: int, address: int, size: int) -> int:
    """Store struct compat_linux_dirents: inode 0, offset 4, length 8, name 10, type in the last byte.

    Source: fs/readdir.c:getdents(), compat_filldir().
    """

    def store(at: int, length: int, entry: DirectoryEntry) -> None:
        _put(task, at, "<I", entry.inode)
        _put(task, at + 8, "<H", length)
        _put(task, at + length - 1, "<B", entry.type)
        _put_name(task, at + 10, entry.name)

    def length_of(entry: DirectoryEntry) -> int:
        if entry.inode >> 32:
            raise KernelError(Errno.EOVERFLOW)
        return (10 + len(entry.name) + 2 + 3) & -4

    return _fill(task, descriptor, address, size, length_of, store, offset=(4, "<I"))


def _fill(
    task: Task,
    descriptor: int,
    address: int,
    size: int,
    length_of: Callable[[DirectoryEntry], int],
    store: Callable[[int, int, DirectoryEntry], None],
    *,
    offset: tuple[int, str],
) -> int:
    """Store as many entries as fit and return their bytes.

    An entry's offset is that of the next one, so it is stored when that is reached; of the first entry, its
    own place is written for want of one before.
    """
    directory = task.files.get(descriptor)
    if not isinstance(directory, Directory):
        raise KernelError(Errno.ENOTDIR)
    directory.turns.change(task)
    field, form = offset
    end = address + max(signed(size), 0)
    at, previous = address, address
    error: KernelError | None = None
    for entry in directory.entries[directory.position :]:
        try:
            length = length_of(entry)
            if at + length > end:
                error = KernelError(Errno.EINVAL)
                break
            _put(task, previous + field, form, directory.offset)
            store(at, length, entry)
        except KernelError as fault:
            error = fault
            break
        directory.position += 1
        previous, at = at, at + length
    if at > address:
        _put(task, previous + field, form, directory.offset)
    elif error is not None:
        raise error
    return at - address


def _put(task: Task, address: int, form: str, value: int) -> None:
    store(task, address, struct.pack(form, value))


def _put_name(task: Task, address: int, name: bytes) -> None:
    """Store a name, its NUL first. Source: fs/readdir.c:unsafe_copy_dirent_name()."""
    copy_to_user(task, address + len(name), b"\0")
    copy_to_user(task, address, name)
