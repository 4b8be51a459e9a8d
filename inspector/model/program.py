"""A program as it is asked to run: everything execve and the process start from."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

UNLIMITED = 0xFFFF_FFFF_FFFF_FFFF
"""RLIM_INFINITY."""

BASE_ENVIRONMENT = ("PATH=/usr/bin:/bin", "LC_ALL=C", "GLIBC_TUNABLES=glibc.pthread.rseq=0")
"""The environment every program gets, before the user's own additions.

rseq is off because the parent's fault after fork would otherwise depend on when it is scheduled.
"""


RLIMIT_DATA, RLIMIT_AS = 2, 9
"""Numbers of include/uapi/asm-generic/resource.h."""


class Personality(enum.IntFlag):
    """The bits of include/uapi/linux/personality.h that shape an address space."""

    NONE = 0
    ADDR_NO_RANDOMIZE = 0x0040000
    READ_IMPLIES_EXEC = 0x0400000
    ADDR_COMPAT_LAYOUT = 0x0200000
    ADDR_LIMIT_3GB = 0x8000000


class Layout(enum.Enum):
    """Where the user half ends: the host kernel's own figure, or the book's 3 GB."""

    DEFAULT = "default"
    THREE_GB = "3gb"


@dataclass(frozen=True, slots=True)
class Limits:
    """Resource limits: those that bear on the address space are set, soft ones, in bytes."""

    stack: int = 8 << 20
    core: int = 0
    inherited: tuple[tuple[int, int], ...] = ()
    """What the program can be told of them all, soft and hard, by their numbers; empty: not known."""

    def of(self, which: int) -> tuple[int, int] | None:
        """Return the soft and the hard limit of that number; None if they are not known."""
        return self.inherited[which] if which < len(self.inherited) else None


CAP_DAC_OVERRIDE = 1 << 1
CAP_IPC_LOCK = 1 << 14
CAP_SYS_RAWIO = 1 << 17


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who runs the program; the auxiliary vector and permission checks use them."""

    uid: int
    euid: int
    gid: int
    egid: int
    groups: tuple[int, ...] = ()
    """Supplementary groups."""
    capabilities: int = 0
    """The effective set, as the mask CapEff of /proc/PID/status."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program, its arguments and its surroundings.

    `path` is what execve is given, and `requested` what the user named; they differ when the program
    is staged. Strings are what the kernel sees decoded with `os.fsdecode`, so that any byte survives.
    """

    path: str
    argv: tuple[str, ...]
    envp: tuple[str, ...]
    requested: str
    credentials: Credentials
    cwd: str
    """An absolute path."""
    stdin: str = "/dev/null"
    limits: Limits = field(default_factory=Limits)
    layout: Layout = Layout.DEFAULT
    randomize: bool = False
    """Address space layout randomisation on (`--aslr`)."""
    not_staged: str | None = None
    """Why it runs where it stands, though it should have been staged. None: there was no need of a reason."""

    @property
    def personality(self) -> Personality:
        """The personality the program is started with."""
        bits = Personality.NONE if self.randomize else Personality.ADDR_NO_RANDOMIZE
        return bits | Personality.ADDR_LIMIT_3GB if self.layout is Layout.THREE_GB else bits
