"""What the witness saw: the page faults of one undisturbed run."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from inspector.model.ending import Ending
from inspector.model.fault import Fault
from inspector.model.prediction import ExecVerdict


class FaultSource(enum.Enum):
    """What told of the faults."""

    TRACEPOINTS = "tracepoints"
    """exceptions:page_fault_user and page_fault_kernel: everything the processor told the kernel."""
    SOFTWARE = "software event"
    """page-faults: neither access nor protection."""
    SOFTWARE_USER = "software event, user mode only"
    """As above, without the faults the kernel takes on the program's behalf, those of execve among them."""


@dataclass(frozen=True, slots=True)
class FaultTrace:
    """The faults of a program and of what it forked, from execve to the end of the last process.

    Of execve itself it holds what comes after the new address space is installed: the clearing of partly
    filled pages (padzero) and the writing of the initial stack's tables, where those are not on a page
    that its strings have made resident already. The strings' own pages are made without a fault, through
    get_user_pages.
    """

    source: FaultSource | None
    """None: the faults could not be recorded; `notes` say why."""
    faults: tuple[Fault, ...] | None
    """In the order they were taken, the fatal one included. None: not recorded."""
    counts: tuple[int, ...] = ()
    """Faults of each process, by its number."""
    lost: int = 0
    """Faults that were counted but did not reach us; `notes` say where the first gap is."""
    complete: bool = True
    """Whether `faults` go on to the end of the last process, rather than to where it was killed."""
    counted: int | None = None
    """What the kernel's own counter of such faults says."""
    verdict: ExecVerdict | None = None
    """None: it was not started."""
    ending: Ending | None = None
    """How the first process ended, without si_code and address. None: it had to be killed."""
    children: tuple[Ending | None, ...] = ()
    """How each process that it forked ended, process 1 first; no si_code, no address. None: not seen."""
    output: bytes = b""
    """What the program wrote to its terminal, capped."""
    reclaim: str | None = None
    """What was seen at work meanwhile that locks pages, as in `Observation.reclaim_at_faults`."""
    notes: tuple[str, ...] = ()
    """What could not be seen, in words."""
