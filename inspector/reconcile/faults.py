"""The sequence of page faults, process by process.

How the faults of several processes interleave is left to the scheduler; those of one process have an order.
Held against each other are mode, page, access, protection and the user's instruction; the instruction of the
kernel's own accesses is nobody's business. What some event of the observer does not tell is UNOBSERVED for
the whole sequence, once, and not compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inspector.model.fault import FaultKind, FaultMode
from inspector.model.finding import Finding, Verdict
from inspector.reconcile.alignment import align

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from inspector.model.address import VirtAddr
    from inspector.model.fault import Fault
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction
    from inspector.model.snapshot import Snapshot
    from inspector.reconcile.alignment import Gap

CHECKPOINT = "run"
_ASPECT = "faults"
_NO_FAULT = "no fault"
_USER_ONLY = "software event, user mode only"
_NEIGHBOURS = 2
_MOST_DIFFERENCES = 40
"""Of one process, in full; the others are counted."""

RULES_OF_KINDS = {
    FaultKind.ANONYMOUS: "fault.anonymous",
    FaultKind.ZERO_PAGE: "fault.zero-page",
    FaultKind.FILE_READ: "fault.around",
    FaultKind.FILE_COPY: "fault.file-copy",
    FaultKind.COPY_ON_WRITE: "fault.copy-on-write",
    FaultKind.REUSE: "fault.reuse",
    FaultKind.STACK_GROWTH: "fault.stack-growth",
    FaultKind.SPECIAL: "fault.special",
    FaultKind.REFUSED: "fault.refused",
}
"""The rule by which a fault was predicted."""


@dataclass(frozen=True, slots=True)
class _Column:
    """Something of a fault that an observer's event may not tell."""

    name: str
    of: Callable[[Fault], Hashable]
    modes: tuple[FaultMode, ...] = (FaultMode.USER, FaultMode.KERNEL)
    """Those whose faults have it."""


_COLUMNS = (
    _Column("access", lambda fault: fault.access),
    _Column("protection", lambda fault: fault.protection),
    _Column("ip", lambda fault: fault.ip, (FaultMode.USER,)),
)


def compare_faults(prediction: Prediction, observation: Observation) -> Iterator[Finding]:
    """Yield one finding for each fault that differs, or one that says that all agree."""
    predicted, observed = prediction.faults, observation.faults
    if predicted is None or observed is None:
        yield from _one_sided(predicted, observed)
        return
    if observation.fault_source == _USER_ONLY:
        kernel = sum(fault.mode is FaultMode.KERNEL for fault in predicted)
        predicted = tuple(fault for fault in predicted if fault.mode is FaultMode.USER)
        observed = tuple(fault for fault in observed if fault.mode is FaultMode.USER)
        if kernel:
            yield Finding(CHECKPOINT, "kernel faults", "", str(kernel), "", Verdict.UNOBSERVED)
    columns = []
    for column in _COLUMNS:
        untold = _untold(column, predicted, observed)
        if untold is None:
            columns.append(column)
        else:
            yield untold
    found: list[Finding] = []
    agreeing = 0
    for process in sorted({fault.process for fault in (*predicted, *observed)}):
        of_process = _Process(
            process,
            tuple(fault for fault in predicted if fault.process == process),
            tuple(fault for fault in observed if fault.process == process),
            tuple(columns),
            prediction,
            observation,
        )
        agreeing += of_process.agreeing
        found += of_process.findings()
    found = list(_forgiven(found, observation.faults_lost))
    # Two empty sequences agree only if neither was cut off.
    whole = prediction.ending is not None and observation.faults_complete
    if all(finding.verdict is not Verdict.DIFFERS for finding in found) and (agreeing or whole):
        yield Finding(CHECKPOINT, _ASPECT, "", str(agreeing), str(agreeing), Verdict.AGREES)
    yield from found


def describe(fault: Fault) -> str:
    """Return what is compared of a fault, and what became of it: `user write 0x80ed000 by 0x80495f0`."""
    words = [fault.mode.value]
    if fault.access is not None and fault.access.name is not None:
        words.append(fault.access.name.lower())
    words.append(f"{fault.page:#x}")
    if fault.protection:
        words.append("(present)")
    if fault.ip is not None and fault.mode is FaultMode.USER:
        words.append(f"by {fault.ip:#x}" + (f" {fault.symbol}" if fault.symbol else ""))
    text = " ".join(words)
    return text if fault.kind is None else f"{text}: {fault.kind.value}"


def _one_sided(predicted: Sequence[Fault] | None, observed: Sequence[Fault] | None) -> Iterator[Finding]:
    if predicted is not None:
        yield Finding(CHECKPOINT, _ASPECT, "", str(len(predicted)), "", Verdict.UNOBSERVED)
    elif observed is not None:
        yield Finding(CHECKPOINT, _ASPECT, "", "", str(len(observed)), Verdict.NOT_PREDICTED)


def _untold(column: _Column, predicted: Sequence[Fault], observed: Sequence[Fault]) -> Finding | None:
    """Return the finding that a column cannot be compared, since some fault of one side does not tell it."""
    (mine, of_mine), (seen, of_seen) = (_told(column, side) for side in (predicted, observed))
    aspect = f"fault {column.name}"
    if seen < of_seen:
        part = f"{seen} of {of_seen}" if seen else ""
        return Finding(CHECKPOINT, aspect, "", str(mine), part, Verdict.UNOBSERVED)
    if mine < of_mine:
        part = f"{mine} of {of_mine}" if mine else ""
        return Finding(CHECKPOINT, aspect, "", part, str(seen), Verdict.NOT_PREDICTED)
    return None


def _told(column: _Column, faults: Sequence[Fault]) -> tuple[int, int]:
    """Return how many faults tell a column, of how many that have it."""
    values = [column.of(fault) for fault in faults if fault.mode in column.modes]
    return sum(value is not None for value in values), len(values)


def _forgiven(found: Sequence[Finding], lost: int) -> Iterator[Finding]:
    """Yield `found`; faults that are missing may all be among the `lost` events, and then no one saw them."""
    missing = sum(finding.observed == _NO_FAULT for finding in found)
    for finding in found:
        if finding.observed == _NO_FAULT and missing <= lost:
            yield replace(finding, verdict=Verdict.UNOBSERVED)
        else:
            yield finding


@dataclass(frozen=True, slots=True)
class _Row:
    """Faults that stand opposite each other and differ, by their positions."""

    left: int
    right: int
    predicted: Fault | None
    """None: there is none before the one at `left`."""
    observed: Fault | None


class _Process:
    """The faults of one process on both sides, aligned."""

    def __init__(
        self,
        number: int,
        predicted: Sequence[Fault],
        observed: Sequence[Fault],
        columns: tuple[_Column, ...],
        prediction: Prediction,
        observation: Observation,
    ) -> None:
        self._number, self._predicted, self._observed = number, predicted, observed
        self._snapshots = observation.snapshots
        self._left = [_key(fault, columns) for fault in predicted]
        self._right = [_key(fault, columns) for fault in observed]
        self._alignment = align(
            self._left,
            self._right,
            left_whole=prediction.ending is not None,
            right_whole=observation.faults_complete,
        )
        self.agreeing = self._alignment.agreeing

    def findings(self) -> Iterator[Finding]:
        """Yield the differences in order, the first of them in full, and what one side does not reach."""
        rows = [row for gap in self._alignment.gaps for row in self._rows(gap)]
        for row in rows[:_MOST_DIFFERENCES]:
            yield self._difference(row)
        if len(rows) > _MOST_DIFFERENCES:
            rest = rows[_MOST_DIFFERENCES:]
            mine = sum(row.predicted is not None for row in rest)
            seen = sum(row.observed is not None for row in rest)
            where = self._where(f"from #{rest[0].left + 1}")
            yield Finding(CHECKPOINT, _ASPECT, where, f"{mine} more", f"{seen} more", Verdict.DIFFERS)
        unseen = len(self._predicted) - self._alignment.left_end
        unpredicted = len(self._observed) - self._alignment.right_end
        if unseen:
            where = self._where(f"from #{self._alignment.left_end + 1}")
            yield Finding(CHECKPOINT, _ASPECT, where, f"{unseen} more", "", Verdict.UNOBSERVED)
        if unpredicted:
            where = self._where(f"from #{self._alignment.right_end + 1}")
            yield Finding(CHECKPOINT, _ASPECT, where, "", f"{unpredicted} more", Verdict.NOT_PREDICTED)

    def _where(self, place: str) -> str:
        return f"process {self._number} {place}" if self._number else place

    def _rows(self, gap: Gap) -> Iterator[_Row]:
        """Yield what stands opposite in a gap: faults on the same page first, the others in their order."""
        mine, seen = (
            self._predicted[gap.left.start : gap.left.stop],
            self._observed[gap.right.start : gap.right.stop],
        )
        alignment = align([(f.mode, f.page) for f in mine], [(f.mode, f.page) for f in seen])
        left, right = gap.left.start, gap.right.start
        for x, y in alignment.rows():
            yield _Row(left, right, None if x is None else mine[x], None if y is None else seen[y])
            left, right = left + (x is not None), right + (y is not None)

    def _difference(self, row: _Row) -> Finding:
        mine, seen = row.predicted, row.observed
        number = row.left if mine is not None else row.right
        return Finding(
            CHECKPOINT,
            _ASPECT,
            self._where(f"#{number + 1}"),
            _NO_FAULT if mine is None else f"{describe(mine)}, in {mine.area or 'no area'}",
            _NO_FAULT if seen is None else f"{describe(seen)}{self._area_seen(seen)}",
            Verdict.DIFFERS,
            None if mine is None or mine.kind is None else RULES_OF_KINDS[mine.kind],
            tuple(self._context(row)),
        )

    def _area_seen(self, fault: Fault) -> str:
        """Return the area of an observed fault; the events do not tell it, the last snapshot may."""
        if fault.area is not None:
            return f", in {fault.area}"
        known = next((snapshot for snapshot in reversed(self._snapshots) if snapshot.vmas is not None), None)
        if known is None or self._number:
            return ""
        return f", in {_area_at(known, fault.address)} (at {known.checkpoint})"

    def _context(self, row: _Row) -> Iterator[str]:
        """Yield the neighbours as a unified diff does: `-` predicted only, `+` observed only."""
        left, right = row.left + (row.predicted is not None), row.right + (row.observed is not None)
        yield from self._neighbours(
            max(row.left - _NEIGHBOURS, 0), row.left, max(row.right - _NEIGHBOURS, 0), row.right
        )
        yield from self._neighbours(left, left + _NEIGHBOURS, right, right + _NEIGHBOURS)

    def _neighbours(self, left: int, left_end: int, right: int, right_end: int) -> Iterator[str]:
        mine = [(f"#{left + at + 1}", fault) for at, fault in enumerate(self._predicted[left:left_end])]
        seen = [(f"#{right + at + 1}", fault) for at, fault in enumerate(self._observed[right:right_end])]
        if self._left[left:left_end] == self._right[right:right_end]:
            yield from (f"  {number} {describe(fault)}" for number, fault in mine)
        else:
            yield from (f"- {number} {describe(fault)}" for number, fault in mine)
            yield from (f"+ {number} {describe(fault)}" for number, fault in seen)


def _key(fault: Fault, columns: tuple[_Column, ...]) -> Hashable:
    told = (column.of(fault) if fault.mode in column.modes else None for column in columns)
    return fault.mode, fault.page, *told


def _area_at(snapshot: Snapshot, address: VirtAddr) -> str:
    return next((str(vma) for vma in snapshot.vmas or () if address in vma.range), "no area")
