"""Page faults: the same type whether predicted or observed.

What only one wing can know is None on the other side: an observer sees no kind, and without tracepoints
no access; a prediction has no kernel instruction pointer.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from inspector.model.address import AddressRange, FileOffset, VirtAddr, page_down
from inspector.model.vma import Access, Vma


class FaultMode(enum.Enum):
    """Who touched the page: the program itself, or the kernel on its behalf."""

    USER = "user"
    KERNEL = "kernel"


class FaultKind(enum.Enum):
    """What the kernel did about a fault."""

    ANONYMOUS = "anonymous"
    """A fresh zeroed frame for memory that was never touched."""
    ZERO_PAGE = "zero page"
    """The shared zero page, for memory that was only read."""
    FILE_READ = "file read"
    """The file's own page out of the page cache, and its neighbours with it (fault-around)."""
    FILE_COPY = "file copy"
    """A private copy of a file's page, for a first touch that writes."""
    FILE_SHARED = "file shared"
    """The file's own page, for a first touch that writes to a shared mapping; no neighbour comes with it."""
    DISK_READ = "disk read"
    """The file's own page, which the page cache had to read first: a major fault."""
    DISK_COPY = "disk copy"
    """A private copy of such a page: a major fault, too."""
    COPY_ON_WRITE = "copy on write"
    """A private copy of a page that was mapped read-only: a file's, the zero page, or a relative's."""
    REUSE = "reuse"
    """A page mapped read-only that nobody else uses any more: it is only made writable."""
    STACK_GROWTH = "stack growth"
    """An anonymous page below the stack area, which was extended down to it."""
    SPECIAL = "special"
    """A page of the kernel's own, such as the vdso's code."""
    REFUSED = "refused"
    """No area, or one that forbids the access: a signal, or EFAULT from a system call."""

    @property
    def is_major(self) -> bool:
        """Whether it is counted among the major faults."""
        return self in (FaultKind.DISK_READ, FaultKind.DISK_COPY)


@dataclass(frozen=True, slots=True)
class Fault:
    """One page fault."""

    process: int
    """Numbered from 0 in order of creation."""
    mode: FaultMode
    address: VirtAddr
    """CR2: the address touched; for the kernel's own accesses only its page is comparable."""
    access: Access | None
    """Exactly one of the three. None: the observer's event does not tell."""
    protection: bool | None
    """Bit 0 of the error code: the page was present, and forbade the access. None: not told."""
    ip: VirtAddr | None
    """The user instruction. None for the kernel's own accesses."""
    kind: FaultKind | None = None
    """None: observed, for the event does not tell."""
    area: Vma | None = None
    """The area it fell into, as it stood then. None: there was none, or it was observed."""
    file_offset: FileOffset | None = None
    """Where in the file the page's contents lie, in bytes; only for a file's pages."""
    mapped: AddressRange | None = None
    """The pages that it made resident, from the first to the last; some between may have been before."""
    symbol: str | None = None
    """The function at `ip`: `main+0x12`."""

    @property
    def page(self) -> VirtAddr:
        """First address of the page touched."""
        return page_down(self.address)
