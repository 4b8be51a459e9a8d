"""Open files: what a descriptor stands for, and how reading from and writing to it touches memory.

The simulated program reads the host's own files and never changes them: what it writes to its terminal is
kept, and everything else that would be written is refused by name.
"""

from __future__ import annotations

import functools
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from inspector.elf.file import ExecutableFile
from inspector.errors import NotModelled
from inspector.model.address import PAGE_SIZE
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.host_directory import DirectoryEntry, directory_entries
from inspector.predict.kernel.order import Turns
from inspector.predict.kernel.vma import MappedFile

if TYPE_CHECKING:
    from inspector.model.program import Program
    from inspector.predict.kernel.host_files import HostDirectory
    from inspector.predict.kernel.iov_iter import IovIter
    from inspector.predict.kernel.kernel import Kernel

_O_LARGEFILE = 0o100000
"""Set where a 64-bit program, as the tool is, opened the file (include/linux/fcntl.h:force_o_largefile())."""
_LARGEST_OFFSET = (1 << 63) - 1
_SURELY_ALLOWED = 256
"""Where the limit of open files is not known: hardly any is lower than this."""
_RLIMIT_NOFILE = 7
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
    """What a descriptor stands for (struct file), shared by every descriptor it was copied to."""

    flags: int
    """What F_GETFL tells: how it was opened."""

    @property
    def stat(self) -> FileStat:
        """What fstat tells."""
        ...

    def read(self, to: IovIter) -> int:
        """Read into user memory; return how many bytes."""
        ...

    def write(self, source: IovIter) -> int:
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

    flags: int = _O_LARGEFILE
    is_terminal = False

    @property
    def stat(self) -> FileStat:
        """What fstat tells."""
        return stat_of(os.stat("/dev/null"))  # noqa: PTH116

    def read(self, _to: IovIter) -> int:
        """Find the end at once."""
        return 0

    def write(self, source: IovIter) -> int:
        """Take everything, unread."""
        return source.count


@dataclass(slots=True, eq=False)
class Terminal:
    """The slave of a raw pseudo-terminal whose other side takes whatever is written."""

    output: bytearray = field(default_factory=bytearray)
    flags: int = os.O_RDWR
    is_terminal = True

    @property
    def stat(self) -> FileStat:
        """What fstat tells; device and number of the terminal are no one's to know."""
        uid, gid = os.getuid(), os.getgid()
        return FileStat(0, 3, stat.S_IFCHR | 0o620, 1, uid, gid, os.makedev(136, 0), 0, 1024, 0)

    def read(self, _to: IovIter) -> int:
        """Wait for someone to type."""
        raise NotModelled("read from the terminal, on which nobody types")

    def write(self, source: IovIter) -> int:
        """Take the bytes piece by piece; a piece is taken whole or not at all.

        Source: drivers/tty/tty_io.c:iterate_tty_write().
        """
        done = 0
        while size := min(_TTY_CHUNK, source.count):
            piece = source.copy_from(size)
            if len(piece) < size:
                if not done:
                    raise KernelError(Errno.EFAULT)
                break
            self.output += piece
            done += size
        return done


def pages_of(position: int, size: int) -> range:
    """Return which pages of a file `size` bytes from `position` on lie in."""
    return range(position // PAGE_SIZE, -(-(position + size) // PAGE_SIZE))


@dataclass(slots=True, eq=False)
class HostFile:
    """A regular file of the host, open for reading."""

    contents: ExecutableFile
    flags: int = _O_LARGEFILE
    position: int = 0
    turns: Turns = field(default_factory=lambda: Turns("which of several processes reads a file first"))
    """With the position, which all who inherited the file share."""
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

    @property
    def size(self) -> int:
        """Bytes."""
        return self.contents.size

    def read(self, to: IovIter) -> int:
        """Source: mm/filemap.c:filemap_read()."""
        self.turns.change(to.task)
        done = self.read_at(to, self.position)
        self.position += done
        return done

    def read_at(self, to: IovIter, position: int) -> int:
        """Read from a position of the caller's (pread64), page by page of the file."""
        data = self.bytes_at(position, to.count)
        to.task.kernel.page_cache.read_ahead(self.mapped, pages_of(position, len(data)))
        done = 0
        while done < len(data):
            in_page = PAGE_SIZE - (position + done) % PAGE_SIZE
            piece = data[done : done + in_page]
            copied = to.copy_page_to(piece)
            done += copied
            if copied < len(piece):
                break
        if data and not done:
            raise KernelError(Errno.EFAULT)
        return done

    def bytes_at(self, position: int, size: int) -> bytes:
        """Return what is there of `size` bytes, or raise KernelError(EINVAL) where no file can be that long.

        Source: fs/read_write.c:rw_verify_area().
        """
        if position + size > _LARGEST_OFFSET:
            raise KernelError(Errno.EINVAL)
        return self.contents.read(position, size)

    def write(self, _source: IovIter) -> int:
        """Refuse: it is open for reading."""
        raise KernelError(Errno.EBADF)


@dataclass(eq=False)
class Directory:
    """A directory of the host, whose entries come in the host's own order."""

    contents: HostDirectory
    flags: int
    position: int = 0
    """How many entries have been given out."""
    turns: Turns = field(default_factory=lambda: Turns("which of several processes reads a directory first"))
    is_terminal = False

    @property
    def path(self) -> str:
        """Its path, with every symbolic link followed."""
        return self.contents.resolved_path

    @property
    def stat(self) -> FileStat:
        """What fstat tells."""
        return stat_of(os.fstat(self.contents.fileno()))

    @functools.cached_property
    def entries(self) -> list[DirectoryEntry]:
        """Everything in it, `.` and `..` among it."""
        return list(directory_entries(self.contents.fileno()))

    @property
    def offset(self) -> int:
        """Where the next entry is, in the file system's own terms."""
        return self.entries[self.position - 1].offset if self.position else 0

    def rewind(self) -> None:
        """Start again, with what is there now."""
        self.position = 0
        self.__dict__.pop("entries", None)

    def read(self, _to: IovIter) -> int:
        """Refuse. Source: fs/libfs.c:generic_read_dir()."""
        raise KernelError(Errno.EISDIR)

    def write(self, _source: IovIter) -> int:
        """Refuse: it is open for reading."""
        raise KernelError(Errno.EBADF)


class FileTable:
    """A process's descriptors (struct files_struct)."""

    def __init__(self, files: dict[int, OpenFile], limit: int | None = None) -> None:
        """Start with what the launch opened. `limit`: how many there may be (RLIMIT_NOFILE), if known."""
        self._files = files
        self._limit = limit
        self.close_on_exec: set[int] = set()
        self.highest = max(files, default=0)
        """The highest descriptor there has been: the kernel's table never shrinks."""

    def __contains__(self, file: OpenFile) -> bool:
        """Whether any descriptor stands for `file`."""
        return any(file is mine for mine in self._files.values())

    def find(self, descriptor: int) -> OpenFile | None:
        """Return what a descriptor stands for, if anything."""
        return self._files.get(descriptor)

    def get(self, descriptor: int) -> OpenFile:
        """Return what a descriptor stands for, or raise KernelError(EBADF)."""
        found = self._files.get(descriptor)
        if found is None:
            raise KernelError(Errno.EBADF)
        return found

    def check_limit(self, descriptor: int, error: Errno) -> None:
        """Raise KernelError(`error`) for a descriptor that cannot be; NotModelled where no one can tell."""
        if self._limit is None and descriptor >= _SURELY_ALLOWED:
            raise NotModelled(f"descriptor {descriptor}, which the limit of open files may forbid")
        if self._limit is not None and descriptor >= self._limit:
            raise KernelError(error)

    def lowest_free(self, lowest: int = 0) -> int:
        """Return the lowest free descriptor that is at least `lowest`, or raise KernelError(EMFILE).

        Source: fs/file.c:alloc_fd().
        """
        descriptor = lowest
        while descriptor in self._files:
            descriptor += 1
        self.check_limit(descriptor, Errno.EMFILE)
        return descriptor

    def add(self, file: OpenFile, *, lowest: int = 0, close_on_exec: bool = False) -> int:
        """Give `file` the lowest free descriptor that is at least `lowest`, or raise KernelError(EMFILE)."""
        descriptor = self.lowest_free(lowest)
        self.put(descriptor, file, close_on_exec=close_on_exec)
        return descriptor

    def put(self, descriptor: int, file: OpenFile, *, close_on_exec: bool = False) -> None:
        """Make `descriptor` stand for `file`."""
        self._files[descriptor] = file
        self.highest = max(self.highest, descriptor)
        self.close_on_exec.discard(descriptor)
        if close_on_exec:
            self.close_on_exec.add(descriptor)

    def close(self, descriptor: int) -> None:
        """Free a descriptor, or raise KernelError(EBADF)."""
        self.get(descriptor)
        del self._files[descriptor]
        self.close_on_exec.discard(descriptor)

    def set_close_on_exec(self, descriptor: int, *, close: bool) -> None:
        """Decide whether execve closes a descriptor."""
        (self.close_on_exec.add if close else self.close_on_exec.discard)(descriptor)

    def close_all(self) -> None:
        """Free every descriptor, as a process does that ends (fs/file.c:exit_files())."""
        self._files.clear()

    def copy(self) -> FileTable:
        """Return a table of the same open files, as fork does."""
        new = FileTable(dict(self._files), self._limit)
        new.close_on_exec = set(self.close_on_exec)
        return new


def standard_files(program: Program, kernel: Kernel) -> FileTable:
    """Return the descriptors every program is started with: its input, and twice the terminal."""
    stdin: OpenFile
    if program.stdin == "/dev/null":
        stdin = NullDevice()
    else:
        path = os.path.join(program.cwd, program.stdin)  # noqa: PTH118
        file = ExecutableFile(path)
        kernel.loaded_files.append(file)
        stdin = HostFile(file)
    limits = program.limits.of(_RLIMIT_NOFILE)
    limit = None if limits is None else limits[0]
    return FileTable({0: stdin, 1: kernel.terminal, 2: kernel.terminal}, limit)
