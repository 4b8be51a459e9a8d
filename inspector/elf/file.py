"""A file a program is loaded from: its identity, and any of its bytes on demand."""

from __future__ import annotations

import errno
import fcntl
import functools
import hashlib
import mmap
import os
import signal
import stat
from typing import BinaryIO, Self

from inspector.elf import placement
from inspector.elf.header import ELF_MAGIC
from inspector.errors import CannotObserve
from inspector.model.prediction import FileIdentity

_F_SETSIG = 10
_CHUNK_BYTES = 1 << 20
LARGEST_HASHED_BYTES = 256 << 20
"""What is larger is read as a whole only if it runs,"""
LARGEST_PROGRAM_BYTES = 4 << 30
"""and beyond this not even then: p_offset has 32 bits, and a sparse file may claim terabytes."""


def is_elf(path: str) -> bool:
    """Whether `path` leads to a regular file that can be read and begins as an ELF file does."""
    try:
        with ExecutableFile(path) as file:
            return file.read(0, len(ELF_MAGIC)) == ELF_MAGIC
    except (OSError, ValueError, CannotObserve):
        return False


class ExecutableFile:
    """A regular file opened for reading; never a FIFO or a device, which could block or never end.

    Raises OSError where the file cannot be opened, and CannotObserve where it is not a regular file. What
    goes wrong with it later is a CannotObserve.
    """

    def __init__(self, path: str) -> None:
        """Open `path`; the file stays open until `close`."""
        self.path = path
        self._fd = -1
        # Before it is opened: that alone lets a FIFO's writer go on, rewinds a tape and arms a watchdog.
        _require_regular(path, os.stat(path))  # noqa: PTH116 - a Path would tidy the text
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        self.stat = os.fstat(self._fd)
        try:
            _require_regular(path, self.stat)  # it may have been replaced
        except CannotObserve:
            self.close()
            raise

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
        """Return up to `size` bytes at `offset`; fewer at the end of the file. Raises CannotObserve."""
        try:
            return os.pread(self._fd, size, offset)
        except OSError as error:
            raise CannotObserve(
                f"{self.path}: {error.strerror}, at byte {offset}",
                help="see whether it can be read: cp it elsewhere",
            ) from error

    def require_unchanged(self) -> None:
        """Raise CannotObserve if someone has written to the file since it was opened."""
        now = os.fstat(self._fd)
        if (now.st_size, now.st_mtime_ns) != (self.stat.st_size, self.stat.st_mtime_ns):
            raise CannotObserve(
                f"{self.path}: changed while it was read", help="try again when no one writes to it"
            )

    @property
    def size(self) -> int:
        """The file's length in bytes when it was opened."""
        return self.stat.st_size

    @functools.cached_property
    def lies_in_memory(self) -> bool | None:
        """Whether the file lies on a tmpfs, which has no disk; None where it cannot be told.

        What lies below an overlayfs may be mounted where we cannot see it.
        """
        for major, minor in (self.device, (os.major(self.stat.st_dev), os.minor(self.stat.st_dev))):
            kind = _file_system_on(f"{major}:{minor}")
            if kind is not None:
                return None if kind == "overlay" else kind == "tmpfs"
        return None

    @functools.cached_property
    def is_mapped_aligned(self) -> bool | None:
        """Whether its file system aligns mappings to huge pages; None where that cannot be tried."""
        return placement.is_aligned(self._fd)

    @property
    def is_on_nosuid_mount(self) -> bool:
        """Whether set-user-ID bits and file capabilities are void; fs/namespace.c:mnt_may_suid()."""
        return bool(os.fstatvfs(self._fd).f_flag & os.ST_NOSUID)

    def attribute(self, name: str) -> bytes | None:
        """Return an extended attribute of the file; None where it has none, or none that we may see."""
        try:
            return os.getxattr(self._fd, name)
        except OSError:
            return None

    @property
    def is_open_for_writing(self) -> bool:
        """Whether someone has the file open for writing; no, where we may not ask.

        A read lease is granted only if no one has, and to the file's owner or with CAP_LEASE. It is given
        back at once; who opens the file meanwhile waits that long, and the signal that tells does nothing.
        Source: fs/locks.c:check_conflicting_open().
        """
        try:
            fcntl.fcntl(self._fd, _F_SETSIG, signal.SIGURG)
            fcntl.fcntl(self._fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(self._fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as error:
            return error.errno == errno.EAGAIN
        return False

    @functools.cached_property
    def resolved_path(self) -> str:
        """The path maps prints: absolute, with every symbolic link followed."""
        try:
            return os.readlink(f"/proc/self/fd/{self._fd}")  # noqa: PTH115 - a Path would tidy the text
        except OSError:
            return os.path.realpath(self.path)

    @functools.cached_property
    def _mapped(self) -> tuple[tuple[int, int], int]:
        """What maps prints for a mapping of the file: (major, minor) of the device, and the inode.

        stat(2) may tell another device, as btrfs does for its subvolumes, and maps of an overlayfs may tell
        the file below. So it is mapped, for a look at our own maps.
        Source: fs/proc/task_mmu.c:show_map_vma(), fs/btrfs/inode.c:btrfs_getattr().
        """
        own = (os.major(self.stat.st_dev), os.minor(self.stat.st_dev)), self.stat.st_ino
        try:
            with mmap.mmap(
                self._fd, 1, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE
            ) as page:
                return _line_of_maps(address_of_mapping(page)) or own
        except (OSError, ValueError) as error:  # an empty file, a file system that maps nothing, no /proc
            if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
                raise CannotObserve(
                    f"{self.path}: {error.strerror}", help="raise the limit: ulimit -n"
                ) from error
            return own

    @property
    def device(self) -> tuple[int, int]:
        """(major, minor) of the device that maps prints for the file."""
        return self._mapped[0]

    @property
    def inode(self) -> int:
        """The inode number that maps prints for the file."""
        return self._mapped[1]

    @functools.cached_property
    def sha256(self) -> str:
        """The hash of the contents, in hexadecimal; reads the whole file, once.

        Not beyond its length: /proc/PID/pagemap states none, and has no end within a day. Raises
        CannotObserve, also where the file changes meanwhile.
        """
        digest = hashlib.sha256()
        offset = 0
        while chunk := self.read(offset, min(_CHUNK_BYTES, self.size - offset)):
            digest.update(chunk)
            offset += len(chunk)
        self.require_unchanged()
        return digest.hexdigest()

    @property
    def identity(self) -> FileIdentity:
        """What names this file in a prediction or recording, with a hash up to LARGEST_PROGRAM_BYTES.

        Raises CannotObserve where it cannot be read, or has changed since it was opened.
        """
        return self._identity(LARGEST_PROGRAM_BYTES)

    @property
    def identity_if_small(self) -> FileIdentity:
        """The same with a hash up to LARGEST_HASHED_BYTES: for a file that is not going to run."""
        return self._identity(LARGEST_HASHED_BYTES)

    def _identity(self, largest: int) -> FileIdentity:
        sha256 = self.sha256 if self.size <= largest else None
        self.require_unchanged()
        return FileIdentity(self.resolved_path, self.device, self.inode, self.size, sha256)


def _require_regular(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise CannotObserve(f"{path}: not a regular file", help="give the path of a file")


def _file_system_on(device: str) -> str | None:
    """Return the kind of the file system on `device` (`major:minor`); None where we do not see it mounted."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:  # noqa: PTH123
            for line in mounts:
                mount, _, source = line.partition(" - ")
                if mount.split(" ", 3)[2] == device:
                    return source.partition(" ")[0]
    except OSError:
        pass
    return None


def address_of_mapping(mapping: mmap.mmap) -> int:
    """Return where a mapping of this process that may be written begins."""
    import ctypes

    first = ctypes.c_char.from_buffer(mapping)
    try:
        return ctypes.addressof(first)
    finally:
        del first  # the mapping cannot be closed while it is used


def _line_of_maps(address: int) -> tuple[tuple[int, int], int] | None:
    """Return device and inode of the area of ours that starts at `address`."""
    with open("/proc/self/maps", "rb") as maps:  # noqa: PTH123
        for line in maps:
            start, _, _, _, device, inode, *_ = line.replace(b"-", b" ", 1).split(maxsplit=6)
            if int(start, 16) == address:
                major, _, minor = device.partition(b":")
                return (int(major, 16), int(minor, 16)), int(inode)
    return None
