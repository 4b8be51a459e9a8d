"""The one module that opens files of /proc, and the one boundary where their errno becomes our error.

    ENOENT, ESRCH   ProcessVanished: the process ended while it was looked at
    EACCES, EPERM   CannotObserve: not allowed
    anything else   CannotObserve, with the kernel's words

Nothing here changes the process, except `memory`, which says so.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

from inspector.errors import CannotObserve, ProcessVanished
from inspector.model.address import Pfn
from inspector.model.observation import RawFrames
from inspector.observe.procfs.resident import ResidentPages, find_resident
from inspector.observe.procfs.stat import parse_stat
from inspector.observe.procfs.status import parse_status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from inspector.model.address import AddressRange

_READ_BYTES = 1 << 16
_PID_LIMIT = 1 << 22
"""PID_MAX_LIMIT of include/linux/threads.h."""
_KPAGE_BYTES = 8
_EXECVE_TRIES = 8
_PF_KTHREAD = 0x0020_0000
"""include/linux/sched.h"""


class ProcessFiles:
    """The files of one process; a context manager. Each method returns the whole file, as raw bytes.

    The directory /proc/PID is held open, so that a pid used again is never taken for the same process. The
    files are opened anew for each read, because an open one goes on showing the address space of before
    an execve.
    """

    def __init__(self, pid: int) -> None:
        """Open /proc/`pid`; ProcessVanished if there is no such process."""
        self.pid = pid
        if not 0 < pid <= _PID_LIMIT:
            raise _vanished(pid)
        try:
            self._directory = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, ProcessLookupError):
            if _is_running(pid):
                message = f"process {pid} runs, but /proc/{pid} is not to be seen"
                help_line = "Mount /proc without hidepid, or run as the owner of the process or as root."
                raise CannotObserve(message, help=help_line) from None
            raise _vanished(pid) from None
        except OSError as error:
            raise _cannot(pid, "its directory", error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the directory back."""
        os.close(self._directory)

    def maps(self) -> bytes:
        """Return maps; ProcessVanished if the address space is gone, CannotObserve if there never was one."""
        # The file is empty without an address space (fs/proc/task_mmu.c:m_start()), but also when execve
        # replaced the one we opened it on. A process that unmapped all it had gets no further than the tries.
        for _ in range(_EXECVE_TRIES):
            data = self._read("maps")
            if data:
                return data
            if parse_status(self.status()).page_table_bytes is None:
                raise self._without_address_space()
        return b""

    def smaps(self) -> bytes:
        """Return smaps; CannotObserve also where the kernel has none (CONFIG_PROC_PAGE_MONITOR)."""
        return self._read("smaps")

    def status(self) -> bytes:
        """Return status."""
        return self._read("status")

    def stat(self) -> bytes:
        """Return stat; a zombie still has it, with its final fault counts."""
        return self._read("stat")

    def auxv(self) -> bytes:
        """Return auxv."""
        return self._read("auxv")

    def resident_pages(self, areas: Sequence[AddressRange]) -> ResidentPages:
        """Return what pagemap says of the present pages of `areas`, ascending ranges of whole pages."""
        with self._open("pagemap") as pagemap:
            return find_resident(pagemap, areas, frame_flags)

    def children(self) -> tuple[int, ...]:
        """Return the pids of its children, of each thread's in order of birth, the ended ones among them.

        CannotObserve where the kernel does not list them (CONFIG_PROC_CHILDREN).
        Source: fs/proc/array.c:get_children_pid().
        """
        with self._open("task", os.O_DIRECTORY) as tasks:
            threads = sorted(map(int, os.listdir(tasks)))  # noqa: PTH208 - a descriptor
        listings = (self._read(f"task/{thread}/children") for thread in threads)
        return tuple(int(pid) for listing in listings for pid in listing.split())

    def memory(self, area: AddressRange) -> bytes:
        """Return the bytes of `area`; CannotObserve if some of it is not mapped.

        Not a pure look: the read makes absent pages resident (mm/memory.c:access_remote_vm()), so take the
        snapshot first. The faults are counted as ours, not as the process's (mm_account_fault()).
        """
        data = b""
        with self._open("mem") as mem:
            try:
                while piece := os.pread(mem, area.size_bytes - len(data), area.start + len(data)):
                    data += piece
            except OverflowError:
                pass  # the kernel's half, [vsyscall] for one: no file position reaches it
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
        if len(data) == area.size_bytes:
            return data
        if not data and not self._read("maps"):
            raise _vanished(self.pid)
        message = f"process {self.pid}: nothing to be read at {area.start + len(data):#x}"
        raise CannotObserve(message, help="Its /proc/PID/maps shows what is mapped.")

    def _without_address_space(self) -> CannotObserve:
        # A process loses its own on the way out, some time before its state says zombie.
        if not parse_stat(self.stat()).flags & _PF_KTHREAD:
            return _vanished(self.pid)
        message = f"process {self.pid} has no address space"
        return CannotObserve(message, help="Threads of the kernel have none; give the pid of a program.")

    def _read(self, name: str) -> bytes:
        pieces = []
        with self._open(name) as fd:
            while piece := os.read(fd, _READ_BYTES):
                pieces.append(piece)
        return b"".join(pieces)

    @contextmanager
    def _open(self, name: str, flags: int = 0) -> Iterator[int]:
        """Open one file for reading, with more `flags` if need be.

        An errno inside the block becomes one of our errors.
        """
        try:
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=self._directory)
            try:
                yield fd
            finally:
                os.close(fd)
        except OSError as error:
            # ENOENT from a process that is still there means a kernel built without the file.
            absent = error.errno == errno.ENOENT and os.access("stat", os.F_OK, dir_fd=self._directory)
            if error.errno == errno.ESRCH or (error.errno == errno.ENOENT and not absent):
                raise _vanished(self.pid) from None
            raise _cannot(self.pid, name, error) from error


def frame_flags(frames: Iterable[Pfn]) -> dict[Pfn, int] | None:
    """Return the KPF_ flags of `frames`; None if /proc/kpageflags may not be read (CAP_SYS_ADMIN)."""
    try:
        with _opened("/proc/kpageflags") as flags:
            return {
                frame: int.from_bytes(_of_each(range(frame, frame + 1), flags), "little") for frame in frames
            }
    except OSError:
        return None


def read_frames(frames: Iterable[Pfn]) -> tuple[RawFrames, ...] | None:
    """Return what the kernel tells of `frames`, ascending; None if that may not be read (CAP_SYS_ADMIN).

    Source: fs/proc/page.c:kpageflags_read(), kpagecount_read().
    """
    try:
        with _opened("/proc/kpageflags") as flags, _opened("/proc/kpagecount") as counts:
            return tuple(
                RawFrames(Pfn(run.start), *(_of_each(run, table) for table in (flags, counts)))
                for run in _consecutive(frames)
            )
    except OSError:
        return None


@contextmanager
def _opened(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _of_each(frames: range, table: int) -> bytes:
    """Return the eight bytes that a table by frame number has for each of `frames`."""
    return os.pread(table, len(frames) * _KPAGE_BYTES, frames.start * _KPAGE_BYTES)


def _consecutive(frames: Iterable[Pfn]) -> Iterator[range]:
    """Yield the runs of consecutive numbers among `frames`, ascending."""
    ordered = sorted(set(frames))
    for _, members in groupby(enumerate(ordered), key=lambda item: item[1] - item[0]):
        run = [frame for _, frame in members]
        yield range(run[0], run[-1] + 1)


def _vanished(pid: int) -> ProcessVanished:
    return ProcessVanished(f"there is no process {pid} (any more)", help="It has ended; start it again.")


def _cannot(pid: int, name: str, error: OSError) -> CannotObserve:
    message = f"process {pid}: cannot read {name}: {error.strerror}"
    match error.errno:
        case errno.EACCES | errno.EPERM:
            help_line = "Run as root, or as the owner of a program that is readable and not set-user-ID."
        case errno.ENOENT:
            help_line = "This kernel has no such file; it needs CONFIG_PROC_PAGE_MONITOR."
        case _:
            help_line = ""
    return CannotObserve(message, help=help_line)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
