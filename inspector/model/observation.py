"""The result of the second wing; saved to a file, it is a recording."""

from __future__ import annotations

from dataclasses import dataclass, field

from inspector.model.address import Pfn, VirtAddr
from inspector.model.ending import Ending
from inspector.model.fault import Fault
from inspector.model.fault_trace import FaultSource
from inspector.model.notebook import ShownInNotebooks
from inspector.model.prediction import ExecVerdict, FileIdentity
from inspector.model.profile import RandomBases
from inspector.model.program import Program
from inspector.model.snapshot import FaultCounts, Snapshot


@dataclass(frozen=True, slots=True)
class Perturbation:
    """What an action of the observer changed in the process, measured before and after it."""

    checkpoint: str
    action: str
    """What was done: `gdb attach`, `read memory`."""
    pages_added: tuple[VirtAddr, ...] = ()
    pages_changed: tuple[VirtAddr, ...] = ()
    """Pages whose kind changed, for instance a text page copied for a breakpoint."""
    minor_faults: int = 0
    major_faults: int = 0


@dataclass(frozen=True, slots=True)
class RawRelative:
    """What was read of a process that the program has forked."""

    maps: bytes
    pagemap: tuple[tuple[VirtAddr, bytes], ...]
    """As in RawEvidence."""


@dataclass(frozen=True, slots=True)
class RawFrames:
    """What the kernel tells of frames."""

    first: Pfn
    flags: bytes
    """/proc/kpageflags from there on, eight bytes a frame."""
    counts: bytes
    """/proc/kpagecount of the same."""


@dataclass(frozen=True, slots=True)
class RawEvidence:
    """The bytes one checkpoint was read from, kept so that a recording can be judged again."""

    checkpoint: str
    maps: bytes
    smaps: bytes | None
    auxv: bytes | None
    status: bytes
    stat: bytes
    pagemap: tuple[tuple[VirtAddr, bytes], ...] | None
    """(first address, eight bytes a page) for every run of present pages, ascending. None: not readable."""
    zero_pages: tuple[VirtAddr, ...] | None = None
    """Pages that map the shared zero page, ascending. None: it could not be told."""
    baseline: FaultCounts = field(default_factory=FaultCounts)
    """The counts just before execve, to be subtracted from those of `stat`."""
    word_bytes: int = 4
    """Word size of the program, by which `auxv` is read."""
    relatives: tuple[RawRelative, ...] = ()
    """The processes it had forked that were alive, as PagePlace numbers them; only with `frames`."""
    frames: tuple[RawFrames, ...] | None = None
    """Of every resident page of it and of its relatives, ascending. None: they were not to be seen."""


@dataclass(frozen=True, slots=True)
class Host:
    """The machine the observation was made on."""

    kernel: str
    machine: str
    gdb: str | None
    uid: int
    sees_pfn: bool
    """Whether the observer may see page frame numbers (CAP_SYS_ADMIN)."""


@dataclass(frozen=True, slots=True)
class Observation(ShownInNotebooks):
    """What Linux did with `program`."""

    program: Program
    host: Host
    verdict: ExecVerdict | None
    """None: the process was already running when it was first seen."""
    files: tuple[FileIdentity, ...] = ()
    """The program, and what else is mapped at exec."""
    input: FileIdentity | None = None
    """The file it was given to read from. None: it was given none, or it is not known."""
    snapshots: tuple[Snapshot, ...] = ()
    perturbations: tuple[Perturbation, ...] = ()
    ending: Ending | None = None
    """None: it was not followed to its end."""
    children: tuple[Ending | None, ...] = ()
    """How each process that it forked ended, process 1 first; no si_code, no address. None: not seen."""
    output: bytes = b""
    """What the program wrote to its terminal, capped."""
    bases: RandomBases | None = None
    raw: tuple[RawEvidence, ...] = field(default=())
    notes: tuple[str, ...] = ()
    """What could not be seen, in words; events that were lost among it."""
    unreached: tuple[str, ...] = ()
    """The checkpoints of stops that were asked for, and that it never came to."""
    cut_short: str | None = None
    """Why it ends before the checkpoint it was to end at: a deadline, a debugger that failed."""
    faults: tuple[Fault, ...] | None = None
    """In the order they were taken. None: the sequence was not recorded."""
    fault_source: str | None = None
    """What told of the faults: `tracepoints`, `software event`, or `software event, user mode only`.

    None: they were not recorded.
    """
    faults_lost: int = 0
    """Faults that the kernel counted, and that are not among `faults`."""
    faults_complete: bool = True
    """Whether `faults` go on to the end of the last process."""
    reclaim_at_faults: str | None = None
    """What was seen at work that locks pages while `faults` were recorded (rule `fault.passed-over`).

    `damon:damos_before_apply`, the tracepoint, or `CPU time of kdamond.0`. None: nothing was seen.
    """
    reclaim_at_stops: str | None = None
    """The same of the run in which `snapshots` were taken."""
    large_folios: tuple[tuple[str, str], ...] = ()
    """(path, page numbers) of the files it mapped, where it could be seen how the page cache held them."""

    @property
    def saw_every_fault(self) -> bool:
        """Whether `faults` are all that there were, of both modes, to the end: only then a count."""
        return (
            self.faults is not None
            and self.faults_complete
            and not self.faults_lost
            and self.fault_source != FaultSource.SOFTWARE_USER.value
        )
