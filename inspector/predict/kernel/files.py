"""Open files: what a descriptor stands for, and how reading from and writing to it touches memory.

The simulated program reads the host's own files and never changes them: what it writes to its terminal is
kept, and everything else that would be written is refused by name.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from inspector.elf.file import ExecutableFile
from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.uaccess import copy_from_user, copy_to_user
from inspector.predict.kernel.vma import MappedFile

if TYPE_CHECKING:
    from inspector.model.program import Program
    from inspector.predict.kernel.kernel import Kernel
    from inspector.predict.kernel.task import Task

_TTY_CHUNK = 2048
"""Bytes that one pass through a terminal's write takes (drivers/tty/tty_io.c:iterate_tty_write())."""


@dataclass(frozen=True, slots=True)
class FileStat:
    """What stat tells of a file."""

    device: int
    inode: int
    mode: int
    links: int
    uid: int
    gid: int
    special_device: int
    size: int
    block_size: int
    blocks: int
    times: tuple[int, int, int] = (0, 0, 0)
    """Nanoseconds since 1970: last access, last modification, last change."""


class OpenFile(Protocol):
    """What a descriptor stands for."""

    @property
    def stat(self) -> FileStat:
        """What fstat tells."""
        ...

    def read(self, task: Task, address: int, size: int) -> int:
        """Read into user memory; return how many bytes."""
        ...

    def write(self, task: Task, address: int, size: int) -> int:
        """Write from user memory; return how many bytes."""
        ...

    @property
    def is_terminal(self) -> bool:
        """Whether it answers the questions of a terminal."""
        ...


def stat_of(found: os.stat_result) -> FileStat:
    """Return a host file's stat."""
    return FileStat(
        found.st_dev,
        found.st_ino,
        found.st_mode,
        found.st_nlink,
        found.st_uid,
        found.st_gid,
        found.st_rdev,
        found.st_size,
        found.st_blksize,
        found.st_blocks,
        (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns),
    )


@dataclass(slots=True, eq=False)
class NullDevice:
    """/dev/null: reads end at once, writes look at nothing (drivers/char/mem.c)."""

    is_terminal = False

    @property
    def stat(self) -> FileStat:
        """What fstat tells."""
        return stat_of(os.stat("/dev/null"))  # noqa: PTH116

    def read(self, _task: Task, _address: int, _size: int) -> int:
        """Find the end at once."""
        return 0

    def write(self, _task: Task, _address: int, size: int) -> int:
        """Take everything, unread."""
        return size


@dataclass(slots=True, eq=False)
class Terminal:
    """The slave of a raw pseudo-terminal whose other side takes whatever is written."""

    output: bytearray = field(default_factory=bytearray)
    is_terminal = True

    @property
    def stat(self) -> FileStat:
        """What fstat tells; device and number of the terminal are no one's to know."""
        uid, gid = os.getuid(), os.getgid()
        return FileStat(0, 3, stat.S_IFCHR | 0o620, 1, uid, gid, os.makedev(136, 0), 0, 1024, 0)

    def read(self, _task: Task, _address: int, _size: int) -> int:
        """Wait for someone to type."""
        raise NotModelled("read from the terminal, on which nobody types")

    def write(self, task: Task, address: int, size: int) -> int:
        """Source: drivers/tty/tty_io.c:file_tty_write()."""
        done = 0
        while done < size:
            piece = min(_TTY_CHUNK, size - done)
            try:
                self.output += copy_from_user(task, address + done, piece)
            except KernelError:
                if not done:
                    raise
                break
            done += piece
        return done


@dataclass(slots=True, eq=False)
class HostFile:
    """A regular file of the host, open for reading."""

    contents: ExecutableFile
    position: int = 0
    is_terminal = False
    mapped: MappedFile = field(init=False)

    def __post_init__(self) -> None:
        """Make it something that can be mapped."""
        file = self.contents
        noexec = bool(os.fstatvfs(file.fileno()).f_flag & os.ST_NOEXEC)
        self.mapped = MappedFile(file.resolved_path, file.device, file.inode, file.size, file, noexec)

    @property
    def stat(self) -> FileStat:
        """What fstat tells."""
        return stat_of(self.contents.stat)

    def read(self, task: Task, address: int, size: int) -> int:
        """Source: mm/filemap.c:filemap_read()."""
        done = self.read_at(task, address, size, self.position)
        self.position += done
        return done

    def read_at(self, task: Task, address: int, size: int, position: int) -> int:
        """Read from a position of the caller's (pread64)."""
        data = self.contents.read(position, size)
        copy_to_user(task, address, data)
        return len(data)

    def write(self, _task: Task, _address: int, _size: int) -> int:
        """Refuse: it is open for reading."""
        raise KernelError(Errno.EBADF)


class FileTable:
    """A process's descriptors (struct files_struct)."""

    def __init__(self, files: dict[int, OpenFile]) -> None:
        """Start with what the launch opened."""
        self._files = files

    def get(self, descriptor: int) -> OpenFile:
        """Return what a descriptor stands for, or raise KernelError(EBADF)."""
        found = self._files.get(descriptor)
        if found is None:
            raise KernelError(Errno.EBADF)
        return found

    def add(self, file: OpenFile, *, lowest: int = 0) -> int:
        """Give `file` the lowest free descriptor that is at least `lowest`."""
        descriptor = lowest
        while descriptor in self._files:
            descriptor += 1
        self._files[descriptor] = file
        return descriptor

    def put(self, descriptor: int, file: OpenFile) -> None:
        """Make `descriptor` stand for `file`."""
        self._files[descriptor] = file

    def close(self, descriptor: int) -> None:
        """Free a descriptor, or raise KernelError(EBADF)."""
        self.get(descriptor)
        del self._files[descriptor]

    def copy(self) -> FileTable:
        """Return a table of the same open files, as fork does."""
        return FileTable(dict(self._files))


def standard_files(program: Program, kernel: Kernel) -> FileTable:
    """Return the descriptors every program is started with: its input, and twice the terminal."""
    stdin: OpenFile
    if program.stdin == "/dev/null":
        stdin = NullDevice()
    else:
        file = ExecutableFile(os.path.join(program.cwd, program.stdin))  # noqa: PTH118
        kernel.host_files.append(file)
        stdin = HostFile(file)
    return FileTable({0: stdin, 1: kernel.terminal, 2: kernel.terminal})
