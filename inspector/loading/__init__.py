"""How a program comes into memory as it runs: what is resident at each stop, and where it came from.

    of a file    mapped out of the page cache, or copied from there: what the kernel has brought in
    own          memory that no file is behind
    the rest     the shared page of zeros, and the kernel's own pages
    read         what the program has brought in itself, by read and pread64

The stops are the program's system calls that read, write or change what is mapped: the same for both wings,
and the moments that a program's own progress is told by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SIZE
from inspector.model.page import PageKind
from inspector.model.vma import FileBacking

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inspector.model.snapshot import Snapshot

_READS = ("syscall:read", "syscall:pread64")
STOPS = (
    *_READS,
    "syscall:write",
    "syscall:mmap",
    "syscall:mmap2",
    "syscall:munmap",
    "syscall:mremap",
    "syscall:brk",
    "syscall:madvise",
    "syscall:mlockall",
)
"""Where to look, besides exec, main and exit."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A program's memory at one stop. Pages are counted as pagemap shows them; None: it could not be seen."""

    checkpoint: str
    file_pages: int | None
    """Of files: mapped from the page cache, the process's copies not counted."""
    copied_pages: int | None
    """The process's own, which began as a file's."""
    own_pages: int | None
    """The process's own, with no file behind them."""
    resident_pages: int | None
    """All of them, zero page and the kernel's own among them."""
    minor_faults: int | None
    """Since execve, as the kernel counts them."""
    major_faults: int | None
    page_table_bytes: int | None
    read_bytes: int | None
    """What the program has asked read and pread64 for until then."""

    def agrees(self, other: Moment) -> bool:
        """Whether the two are alike in all that both know."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)
        return all(mine == seen or None in (mine, seen) for mine, seen in pairs)

    @property
    def brought_bytes(self) -> int | None:
        """What is there of files: brought in by the kernel."""
        if self.file_pages is None or self.copied_pages is None:
            return None
        return (self.file_pages + self.copied_pages) * PAGE_SIZE


def moments(snapshots: Iterable[Snapshot]) -> Iterator[Moment]:
    """Yield the moment of each snapshot, in their order."""
    read: int | None = 0
    for snapshot in snapshots:
        counts = _count(snapshot)
        yield Moment(
            snapshot.checkpoint,
            *counts,
            snapshot.minor_faults,
            snapshot.major_faults,
            snapshot.page_table_bytes,
            read,
        )
        if snapshot.checkpoint.partition("#")[0] in _READS:
            # The third argument of both; the call itself comes after its stop.
            read = None if read is None or snapshot.registers is None else read + snapshot.registers.edx


def _count(snapshot: Snapshot) -> tuple[int | None, int | None, int | None, int | None]:
    """Return pages of files, copies of such, own ones, and all."""
    if snapshot.pages is None or snapshot.vmas is None:
        return None, None, None, None
    files = [vma.range for vma in snapshot.vmas if isinstance(vma.backing, FileBacking)]
    cached = copied = own = 0
    area = 0
    for page in snapshot.pages:
        while area < len(files) and files[area].end <= page.address:
            area += 1
        of_file = area < len(files) and page.address in files[area]
        cached += page.kind is PageKind.FILE
        copied += of_file and page.kind is PageKind.ANONYMOUS
        own += not of_file and page.kind is PageKind.ANONYMOUS
    return cached, copied, own, len(snapshot.pages)


def most(values: Sequence[int | None]) -> int | None:
    """Return the greatest of what was seen; None if nothing was."""
    return max((value for value in values if value is not None), default=None)


@dataclass(frozen=True, slots=True)
class Loading:
    """One run: its moments in order, and the page faults that trapped (None: not recorded)."""

    moments: tuple[Moment, ...]
    traps: int | None

    @property
    def peak_pages(self) -> int | None:
        """The most pages that are resident at a stop."""
        return most([moment.resident_pages for moment in self.moments])


@dataclass(frozen=True, slots=True)
class Ways:
    """One program: its run as predicted and as observed; None: it was not observed."""

    program: str
    arguments: tuple[str, ...]
    predicted: Loading
    observed: Loading | None
    not_modelled: str | None = None
    """What the prediction was not followed beyond."""
    unobserved: str | None = None
    """Why it was not observed."""

    @property
    def differs(self) -> bool:
        """Whether what was observed is not what was predicted, as far as both go."""
        if self.observed is None:
            return False
        mine, seen = self.predicted, self.observed
        if not all(one.agrees(other) for one, other in zip(mine.moments, seen.moments, strict=False)):
            return True
        if self.is_partial:
            return False
        return len(mine.moments) != len(seen.moments) or (
            mine.traps != seen.traps and None not in (mine.traps, seen.traps)
        )

    @property
    def is_partial(self) -> bool:
        """Whether one of the two runs was not followed to its end."""
        return self.not_modelled is not None or self.unobserved is not None
