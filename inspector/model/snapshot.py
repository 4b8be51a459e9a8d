"""A process at one stop: the same type whether predicted or observed."""

from __future__ import annotations

from dataclasses import dataclass

from inspector.model.address import VirtAddr
from inspector.model.auxv import AuxEntry
from inspector.model.frame import FrameRun
from inspector.model.page import PageState
from inspector.model.registers import Registers
from inspector.model.vma import Vma


@dataclass(frozen=True, slots=True)
class Unpredictable:
    """Bytes of the initial stack that no one can know beforehand, and the rule that says why."""

    start: VirtAddr
    length: int
    rule: str


@dataclass(frozen=True, slots=True)
class StackImage:
    """The initial stack, from the stack pointer to the top of the stack area."""

    sp: VirtAddr
    contents: bytes
    unpredictable: tuple[Unpredictable, ...] = ()


@dataclass(frozen=True, slots=True)
class FaultCounts:
    """Page faults of a process so far, as /proc/PID/stat counts them: from its birth, not from execve."""

    minor: int = 0
    major: int = 0

    def __sub__(self, earlier: FaultCounts) -> FaultCounts:
        return FaultCounts(self.minor - earlier.minor, self.major - earlier.major)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one wing knows of the process at one checkpoint. None means: not known on this side."""

    checkpoint: str
    """`exec`, `main`, `exit`, a symbol, an address, `syscall:NAME`, or `syscall#N`, the Nth system call.

    Where one is passed again it is another checkpoint: `syscall:write`, `syscall:write#2`, `syscall:write#3`.
    """
    registers: Registers | None = None
    vmas: tuple[Vma, ...] | None = None
    """In ascending address order."""
    pages: tuple[PageState, ...] | None = None
    """Resident pages in ascending order; those of a VM_PFNMAP area are never among them."""
    frames: tuple[FrameRun, ...] | None = None
    """Who owns the frames of these pages, and of those of the processes it has forked that are alive.

    In ascending order, process by process. None: page frames were not to be seen, or one of the processes was
    still running.
    """
    minor_faults: int | None = None
    """Since execve."""
    major_faults: int | None = None
    page_table_bytes: int | None = None
    """VmPTE: page tables of every level below the top one."""
    auxv: tuple[AuxEntry, ...] | None = None
    stack: StackImage | None = None
    """Only at `exec`."""
    random_registers: tuple[str, ...] | None = None
    """The predicted registers that depend on random bytes (rule `register.random`). None: not found out."""
    brk: VirtAddr | None = None
    """Where the heap starts (mm->start_brk)."""
