"""System calls that move bytes between files and user memory (fs/read_write.c)."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.files import Directory, HostFile, NullDevice, Terminal, pages_of
from inspector.predict.kernel.iov_iter import LARGEST_TRANSFER, IovIter
from inspector.predict.kernel.shmem import MemFd
from inspector.predict.kernel.syscalls.registry import signed, system_call
from inspector.predict.kernel.uaccess import copy_from_user, copy_to_user, get_user, put_user

if TYPE_CHECKING:
    from inspector.predict.kernel.files import OpenFile
    from inspector.predict.kernel.task import Task

_UIO_MAXIOV = 1024


def readable(task: Task, descriptor: int) -> OpenFile:
    """Return an open file that may be read from, or raise KernelError(EBADF)."""
    file = task.files.get(descriptor)
    if file.flags & os.O_ACCMODE == os.O_WRONLY:
        raise KernelError(Errno.EBADF)
    return file


def writable(task: Task, descriptor: int) -> OpenFile:
    """Return an open file that may be written to, or raise KernelError(EBADF)."""
    file = task.files.get(descriptor)
    if file.flags & os.O_ACCMODE == os.O_RDONLY:
        raise KernelError(Errno.EBADF)
    return file


@system_call("read")
def read(task: Task, descriptor: int, address: int, size: int) -> int:
    """Source: fs/read_write.c:ksys_read()."""
    return readable(task, descriptor).read(_buffer(task, address, size))


@system_call("write")
def write(task: Task, descriptor: int, address: int, size: int) -> int:
    """Source: fs/read_write.c:ksys_write()."""
    return writable(task, descriptor).write(_buffer(task, address, size))


@system_call("readv")
def readv(task: Task, descriptor: int, vectors: int, count: int) -> int:
    """Source: fs/read_write.c:do_readv()."""
    file = readable(task, descriptor)
    return file.read(_vectors(task, vectors, count))


@system_call("writev")
def writev(task: Task, descriptor: int, vectors: int, count: int) -> int:
    """Source: fs/read_write.c:do_writev()."""
    file = writable(task, descriptor)
    return file.write(_vectors(task, vectors, count))


def _buffer(task: Task, address: int, size: int) -> IovIter:
    return IovIter(task, [(address, min(size, LARGEST_TRANSFER))])


def _vectors(task: Task, address: int, count: int) -> IovIter:
    """Read an array of struct iovec, each its length first. Source: lib/iov_iter.c:__import_iovec()."""
    if count > _UIO_MAXIOV:
        raise KernelError(Errno.EINVAL)
    segments = []
    for vector in range(address, address + 8 * count, 8):
        (length,) = struct.unpack("<i", copy_from_user(task, vector + 4, 4))
        (base,) = struct.unpack("<I", copy_from_user(task, vector, 4))
        if length < 0:
            raise KernelError(Errno.EINVAL)
        segments.append((base, length))
    found = IovIter(task, segments)
    found.truncate(LARGEST_TRANSFER)
    return found


@system_call("pread64")
def pread64(task: Task, descriptor: int, address: int, size: int, low: int, high: int) -> int:
    """Read at a place, leaving the position alone. Source: fs/read_write.c:ksys_pread64()."""
    position = _position(low, high)
    _seekable(task, descriptor)
    file = readable(task, descriptor)
    buffer = _buffer(task, address, size)
    return file.read_at(buffer, position) if isinstance(file, HostFile | MemFd) else file.read(buffer)


@system_call("pwrite64")
def pwrite64(task: Task, descriptor: int, address: int, size: int, low: int, high: int) -> int:
    """Write at a place. Source: fs/read_write.c:ksys_pwrite64()."""
    position = _position(low, high)
    _seekable(task, descriptor)
    file, buffer = writable(task, descriptor), _buffer(task, address, size)
    return file.write_at(buffer, position) if isinstance(file, MemFd) else file.write(buffer)


def _seekable(task: Task, descriptor: int) -> OpenFile:
    """Return an open file that has positions, or raise KernelError(ESPIPE) (FMODE_PREAD, FMODE_LSEEK)."""
    file = task.files.get(descriptor)
    if not isinstance(file, HostFile | MemFd | NullDevice | Directory):
        raise KernelError(Errno.ESPIPE)
    return file


def _position(low: int, high: int) -> int:
    position = signed(high) << 32 | low
    if position < 0:
        raise KernelError(Errno.EINVAL)
    return position


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
    """Source: fs/read_write.c:generic_file_llseek_size(), drivers/char/mem.c:null_lseek()."""
    task.files.get(descriptor)
    if whence > _SEEK_MAX:
        raise KernelError(Errno.EINVAL)
    file = _seekable(task, descriptor)
    if isinstance(file, NullDevice):
        return 0
    if isinstance(file, Directory):
        if offset or whence != os.SEEK_SET:
            raise NotModelled("seeking in a directory")
        file.turns.change(task)
        file.rewind()
        return 0
    if not isinstance(file, HostFile | MemFd):
        raise TypeError(f"a file with positions of its own: {file}")
    base = {os.SEEK_SET: 0, os.SEEK_CUR: file.position, os.SEEK_END: file.size}.get(whence)
    if base is None:
        raise NotModelled("seeking data and holes of a file")
    if base + offset < 0:
        raise KernelError(Errno.EINVAL)
    if whence == os.SEEK_CUR and not offset:
        file.turns.look(task)
    else:
        file.turns.change(task)
    file.position = base + offset
    return file.position


_SEEK_MAX = 4


@system_call("sendfile")
def sendfile(task: Task, target: int, source: int, offset: int, size: int) -> int:
    """Copy from one file to another, with an offset of 32 bits. Source: fs/read_write.c."""
    if not offset:
        return _sendfile(task, target, source, None, size)[0]
    done, position = _sendfile(task, target, source, signed(get_user(task, offset)), size)
    put_user(task, offset, position)
    return done


@system_call("sendfile64")
def sendfile64(task: Task, target: int, source: int, offset: int, size: int) -> int:
    """Copy from one file to another; user memory holds nothing but the offset.

    Source: fs/read_write.c:sendfile64(), do_sendfile().
    """
    if not offset:
        return _sendfile(task, target, source, None, size)[0]
    (position,) = struct.unpack("<q", copy_from_user(task, offset, 8))
    done, position = _sendfile(task, target, source, position, size)
    copy_to_user(task, offset, struct.pack("<q", position))
    return done


def _sendfile(task: Task, target: int, source: int, at: int | None, size: int) -> tuple[int, int]:
    """Return how many bytes were copied, and the position behind them."""
    from_file = readable(task, source)
    if isinstance(from_file, Directory):
        # It cannot be spliced from: fs/splice.c:do_splice_read().
        raise KernelError(Errno.EINVAL)
    if not isinstance(from_file, HostFile):
        raise NotModelled("sendfile from something other than a regular file")
    if at is None:
        from_file.turns.change(task)
    position = from_file.position if at is None else at
    to_file = writable(task, target)
    if position < 0:
        raise KernelError(Errno.EINVAL)
    data = from_file.bytes_at(position, min(size, LARGEST_TRANSFER))
    task.kernel.page_cache.read_ahead(from_file.mapped, pages_of(position, len(data)))
    if isinstance(to_file, Terminal):
        to_file.output += data
    elif not isinstance(to_file, NullDevice):
        raise NotModelled("sendfile to something other than the terminal")
    if at is None:
        from_file.position += len(data)
    return len(data), position + len(data)
