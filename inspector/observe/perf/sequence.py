"""From records of several rings to one sequence of faults: merged by time, processes numbered."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING

from inspector.model.address import VirtAddr
from inspector.model.fault import Fault, FaultMode
from inspector.model.vma import Access
from inspector.observe.perf.records import Comm, Exit, Fork, Lost, Sample, Throttled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inspector.observe.perf.records import Record

_PROTECTION, _WRITE, _INSTRUCTION = 1 << 0, 1 << 1, 1 << 4
"""X86_PF_PROT, X86_PF_WRITE and X86_PF_INSTR of arch/x86/include/asm/trap_pf.h."""


@dataclass(slots=True)
class FaultSequence:
    """The faults of a program and of all that it forked, in order.

    Processes are numbered in order of creation; threads share their process's number.
    """

    root: int
    """The number in the kernel of process 0."""
    faults: list[Fault] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    """Faults of each process, by its number."""
    pids: list[int] = field(default_factory=list)
    """The number in the kernel of each process, by its own."""
    tasks: list[int] = field(default_factory=list)
    """Tasks of each process that have not been seen to end, by its number."""
    first_gap: int | None = None
    """How many faults stand before the first that was lost. None: the rings told of no loss."""
    notes: list[str] = field(default_factory=list)
    _numbers: dict[int, int] = field(default_factory=dict)
    _executed: bool = False

    def __post_init__(self) -> None:
        self._begin(self.root)

    def add(self, record: Record) -> None:
        """Take in the next record."""
        match record:
            case Sample(pid=pid):
                number = self._number(pid)
                self.faults.append(_fault(record, number))
                self.counts[number] += 1
            case Fork(pid=pid, parent=parent) if pid == parent:
                self.tasks[self._number(pid)] += 1
            case Fork(pid=pid):
                self._begin(pid)
            case Exit(pid=pid):
                self.tasks[self._number(pid)] -= 1
            case Comm(by_exec=True):
                self._execute(record)
            case Lost() | Throttled() if self.first_gap is None:
                self.first_gap = len(self.faults)

    def _begin(self, pid: int) -> None:
        # The kernel may have given the number of an ended process to a new one.
        self._numbers[pid] = len(self.counts)
        self.pids.append(pid)
        self.counts.append(0)
        self.tasks.append(1)

    def _number(self, pid: int) -> int:
        if pid not in self._numbers:  # its Fork was lost
            self._begin(pid)
        return self._numbers[pid]

    def _execute(self, comm: Comm) -> None:
        number = self._number(comm.pid)
        if self._executed:
            self.notes.append(
                f"process {number} executed {comm.name} after {self.counts[number]} faults: "
                "those that follow are that program's"
            )
        self._executed = True  # the first is the execve that starts it all


def sequence(records: Iterable[Record], root: int) -> FaultSequence:
    """Return the faults in `records`, of which those of one CPU are in order; `root` is process 0."""
    found = FaultSequence(root)
    # Every record begins with its time. The sort is stable: what one CPU did at one instant stays in order.
    for record in sorted(records, key=itemgetter(0)):
        found.add(record)
    return found


def _fault(sample: Sample, process: int) -> Fault:
    code = sample.error_code
    return Fault(
        process=process,
        mode=FaultMode.USER if sample.user else FaultMode.KERNEL,
        address=VirtAddr(sample.address),
        access=None if code is None else _access(code),
        protection=None if code is None else bool(code & _PROTECTION),
        ip=VirtAddr(sample.ip) if sample.user else None,
    )


def _access(error_code: int) -> Access:
    if error_code & _INSTRUCTION:
        return Access.EXECUTE
    return Access.WRITE if error_code & _WRITE else Access.READ
