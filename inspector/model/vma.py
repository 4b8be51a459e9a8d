"""Virtual memory areas, as /proc/PID/maps prints them and as the simulated mm keeps them.

One type serves both wings. What only one of them can know is None on the other side.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from inspector.model.address import AddressRange, FileOffset, VirtAddr


class Access(enum.Flag):
    """What a mapping permits, or what an instruction wants: PROT_READ, PROT_WRITE, PROT_EXEC."""

    NONE = 0
    READ = 1
    WRITE = 2
    EXECUTE = 4

    def __str__(self) -> str:
        """Render as the first three letters of a maps line: `r-x`."""
        letters = ((Access.READ, "r"), (Access.WRITE, "w"), (Access.EXECUTE, "x"))
        return "".join(letter if flag in self else "-" for flag, letter in letters)


class Sharing(enum.Enum):
    """MAP_PRIVATE or MAP_SHARED; the value is the fourth letter of a maps line."""

    PRIVATE = "p"
    SHARED = "s"


class VmFlag(enum.Flag):
    """The flags of include/linux/mm.h that decide merging and growth; smaps prints them as `VmFlags`."""

    NONE = 0
    GROWSDOWN = 1
    """`gd`: a stack; it may be extended downward by a fault."""
    ACCOUNT = 2
    """`ac`: its pages count against the commit limit; set by mmap for private writable mappings."""
    NORESERVE = 4
    """`nr`: mapped with MAP_NORESERVE; its pages never count."""
    LOCKED = 8
    """`lo`: its pages are kept in memory (mlock)."""
    SEQUENTIAL = 16
    """`sr`: what a file has to be read for is read ahead by far (MADV_SEQUENTIAL)."""
    RANDOM = 32
    """`rr`: nothing is read ahead (MADV_RANDOM)."""


SHMEM_DEVICE = (0, 1)
"""Where memfds and shared anonymous memory lie: the kernel's own tmpfs, mounted before anything else that has
no disk (fs/namespace.c:mnt_init(), mm/shmem.c:shmem_init())."""


@dataclass(frozen=True, slots=True)
class FileBacking:
    """Pages come from a file, starting `offset` bytes into it."""

    path: str
    device: tuple[int, int]
    """(major, minor) of the file system's device, as maps prints it."""
    inode: int
    offset: FileOffset

    @property
    def is_shared_memory(self) -> bool:
        """Whether the file lives in memory alone, without a name in any directory."""
        return self.device == SHMEM_DEVICE


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Pages come zero-filled. `label` is how maps names the area: `[heap]`, `[stack]` or nothing."""

    label: str = ""


@dataclass(frozen=True, slots=True)
class Special:
    """Pages belong to the kernel: `[vdso]`, `[vvar]`, `[vvar_vclock]`, `[vsyscall]`."""

    name: str


Backing = FileBacking | Anonymous | Special


@dataclass(frozen=True, slots=True)
class Vma:
    """One virtual memory area."""

    range: AddressRange
    """Invariant: page-aligned at both ends, never empty."""
    access: Access
    sharing: Sharing
    backing: Backing
    flags: VmFlag | None = None
    """None: not seen (an observer that could not read smaps)."""

    def __post_init__(self) -> None:
        """Check the invariant of `range`."""
        if self.range.start & 0xFFF or self.range.end & 0xFFF or not self.range.size_bytes:
            raise ValueError(f"not a page-aligned, non-empty area: {self.range}")

    @property
    def start(self) -> VirtAddr:
        """First address."""
        return self.range.start

    @property
    def end(self) -> VirtAddr:
        """First address past the area."""
        return self.range.end

    @property
    def perms(self) -> str:
        """The permission column of maps: `r-xp`."""
        return f"{self.access}{self.sharing.value}"

    @property
    def name(self) -> str:
        """The last column of maps: a path, a bracketed name, or nothing."""
        match self.backing:
            case FileBacking(path=path):
                return path
            case Anonymous(label=label):
                return label
            case Special(name=name):
                return name

    @property
    def offset(self) -> int:
        """The offset column of maps, in bytes; 0 where no file is behind the area."""
        return self.backing.offset if isinstance(self.backing, FileBacking) else 0

    @property
    def device(self) -> tuple[int, int]:
        """The device column of maps as (major, minor)."""
        return self.backing.device if isinstance(self.backing, FileBacking) else (0, 0)

    @property
    def inode(self) -> int:
        """The inode column of maps."""
        return self.backing.inode if isinstance(self.backing, FileBacking) else 0

    def __str__(self) -> str:
        """Render as a line of /proc/PID/maps, without its column padding."""
        major, minor = self.device
        backing = f"{self.offset:08x} {major:02x}:{minor:02x} {self.inode} {self.name}".rstrip(" ")
        return f"{self.start:08x}-{self.end:08x} {self.perms} {backing}"
