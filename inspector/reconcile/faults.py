"""The sequence of page faults, process by process.

How the faults of several processes interleave is left to the scheduler; those of one process have an order.
Held against each other are mode, page, access, protection and the user's instruction; the instruction of the
kernel's own accesses is nobody's business. What some event of the observer does not tell is UNOBSERVED for
the whole sequence, once, and not compared.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inspector.model.fault import FaultKind, FaultMode
from inspector.model.finding import Finding, Verdict
from inspector.reconcile.alignment import align
from inspector.reconcile.passed_over import PASSED_OVER, explains_extra_fault
from inspector.reconcile.tolerance import Tolerances

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from inspector.model.address import VirtAddr
    from inspector.model.fault import Fault
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction
    from inspector.model.snapshot import Snapshot
    from inspector.model.vma import Vma
    from inspector.reconcile.alignment import Gap

CHECKPOINT = "run"
_ASPECT = "faults"
NO_FAULT = "no fault"
"""What a finding says of the side that has none."""
KERNEL_FAULTS = "kernel faults"
"""The aspect of a finding that no one could see those."""
_USER_ONLY = "software event, user mode only"
_NEIGHBOURS = 2
_MOST_DIFFERENCES = 40
"""Of one process, in full; the others are counted."""

RULES_OF_KINDS = {
    FaultKind.ANONYMOUS: "fault.anonymous",
    FaultKind.ZERO_PAGE: "fault.zero-page",
    FaultKind.FILE_READ: "fault.around",
    FaultKind.FILE_COPY: "fault.file-copy",
    FaultKind.FILE_SHARED: "fault.shared",
    FaultKind.DISK_READ: "fault.major",
    FaultKind.DISK_COPY: "fault.major",
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


@dataclass(frozen=True, slots=True)
class _Numbered:
    """A fault and its number in the sequence of its process, from 1."""

    number: int
    fault: Fault


def compare_faults(prediction: Prediction, observation: Observation) -> Iterator[Finding]:
    """Yield one finding for each fault that differs, or one that says that all agree."""
    if prediction.faults is None or observation.faults is None:
        yield from _one_sided(prediction.faults, observation.faults)
        return
    predicted, observed = _numbered(prediction.faults), _numbered(observation.faults)
    if observation.fault_source == _USER_ONLY:
        kernel = sum(item.fault.mode is FaultMode.KERNEL for item in predicted)
        if kernel:
            yield Finding(CHECKPOINT, KERNEL_FAULTS, "", str(kernel), "", Verdict.UNOBSERVED)
        predicted, observed = (
            [item for item in side if item.fault.mode is FaultMode.USER] for side in (predicted, observed)
        )
    columns = []
    for column in _COLUMNS:
        untold = _untold(column, predicted, observed)
        if untold is None:
            columns.append(column)
        else:
            yield untold
    found: list[Finding] = []
    agreeing = 0
    for process in sorted({item.fault.process for item in (*predicted, *observed)}):
        of_process = _Process(
            process,
            [item for item in predicted if item.fault.process == process],
            [item for item in observed if item.fault.process == process],
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


def _numbered(faults: Sequence[Fault]) -> list[_Numbered]:
    """Number the faults of each process."""
    last: Counter[int] = Counter()
    numbered = []
    for fault in faults:
        last[fault.process] += 1
        numbered.append(_Numbered(last[fault.process], fault))
    return numbered


def _untold(column: _Column, predicted: Sequence[_Numbered], observed: Sequence[_Numbered]) -> Finding | None:
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


def _told(column: _Column, side: Sequence[_Numbered]) -> tuple[int, int]:
    """Return how many faults tell a column, of how many that have it."""
    values = [column.of(item.fault) for item in side if item.fault.mode in column.modes]
    return sum(value is not None for value in values), len(values)


def _forgiven(found: Sequence[Finding], lost: int) -> Iterator[Finding]:
    """Yield `found`; faults that are missing may all be among the `lost` events, and then no one saw them."""
    missing = sum(finding.observed == NO_FAULT for finding in found)
    for finding in found:
        if finding.observed == NO_FAULT and missing <= lost:
            yield replace(finding, verdict=Verdict.UNOBSERVED)
        else:
            yield finding


@dataclass(frozen=True, slots=True)
class _Row:
    """What stands side by side; None where a side has nothing."""

    predicted: _Numbered | None
    observed: _Numbered | None
    equal: bool


class _Process:
    """The faults of one process on both sides, aligned."""

    def __init__(
        self,
        number: int,
        predicted: Sequence[_Numbered],
        observed: Sequence[_Numbered],
        columns: tuple[_Column, ...],
        prediction: Prediction,
        observation: Observation,
    ) -> None:
        self._number, self._predicted, self._observed = number, predicted, observed
        self._observation = observation
        self._tolerances = Tolerances.of(prediction, observation)
        self._alignment = align(
            [_key(item.fault, columns) for item in predicted],
            [_key(item.fault, columns) for item in observed],
            left_whole=prediction.ending is not None,
            right_whole=observation.faults_complete,
        )
        self.agreeing = self._alignment.agreeing

    def findings(self) -> Iterator[Finding]:
        """Yield the differences in order, the first of them in full, and what one side does not reach."""
        if self._alignment.gaps:
            rows = list(self._rows())
            wrong = [place for place, row in enumerate(rows) if not row.equal]
            for place in wrong[:_MOST_DIFFERENCES]:
                yield self._difference(rows, place)
            if len(wrong) > _MOST_DIFFERENCES:
                yield self._uncounted([rows[place] for place in wrong[_MOST_DIFFERENCES:]])
        for item in self._predicted[self._alignment.left_end :][:1]:
            more = f"{len(self._predicted) - self._alignment.left_end} more"
            yield Finding(CHECKPOINT, _ASPECT, self._from(item), more, "", Verdict.UNOBSERVED)
        for item in self._observed[self._alignment.right_end :][:1]:
            more = f"{len(self._observed) - self._alignment.right_end} more"
            yield Finding(CHECKPOINT, _ASPECT, self._from(item), "", more, Verdict.NOT_PREDICTED)

    def _where(self, item: _Numbered | None) -> str:
        place = "" if item is None else f"#{item.number}"
        return f"process {self._number} {place}" if self._number else place

    def _from(self, item: _Numbered | None) -> str:
        return self._where(item).replace("#", "from #")

    def _rows(self) -> Iterator[_Row]:
        """Yield all rows; what is opposite in a gap are first of all faults on the same page."""
        gaps = {(gap.left.start, gap.right.start): gap for gap in self._alignment.gaps}
        left = right = 0
        while (left, right) != (self._alignment.left_end, self._alignment.right_end):
            gap = gaps.get((left, right))
            if gap is None:
                yield _Row(self._predicted[left], self._observed[right], equal=True)
                left, right = left + 1, right + 1
            else:
                yield from self._opposite(gap)
                left, right = gap.left.stop, gap.right.stop

    def _opposite(self, gap: Gap) -> Iterator[_Row]:
        mine = self._predicted[gap.left.start : gap.left.stop]
        seen = self._observed[gap.right.start : gap.right.stop]
        for x, y in align(*([(i.fault.mode, i.fault.page) for i in side] for side in (mine, seen))).rows():
            yield _Row(None if x is None else mine[x], None if y is None else seen[y], equal=False)

    def _uncounted(self, rows: Sequence[_Row]) -> Finding:
        """Return the finding of differences past those that are shown."""
        mine = sum(row.predicted is not None for row in rows)
        seen = sum(row.observed is not None for row in rows)
        where = self._from(rows[0].predicted or rows[0].observed)
        return Finding(CHECKPOINT, _ASPECT, where, f"{mine} more", f"{seen} more", Verdict.DIFFERS)

    def _difference(self, rows: Sequence[_Row], place: int) -> Finding:
        mine, seen = rows[place].predicted, rows[place].observed
        kind = None if mine is None else mine.fault.kind
        rule = self._page_cache(mine, seen) or self._passed_over(rows, place)
        around = (*rows[max(place - _NEIGHBOURS, 0) : place], *rows[place + 1 : place + 1 + _NEIGHBOURS])
        return Finding(
            CHECKPOINT,
            _ASPECT,
            self._where(mine or seen),
            NO_FAULT if mine is None else f"{describe(mine.fault)}, in {mine.fault.area or 'no area'}",
            NO_FAULT if seen is None else f"{describe(seen.fault)}{self._area_seen(seen.fault)}",
            Verdict.EXPLAINED if rule else Verdict.DIFFERS,
            rule or (None if kind is None else RULES_OF_KINDS[kind]),
            tuple(line for row in around for line in _lines(row)),
        )

    def _page_cache(self, mine: _Numbered | None, seen: _Numbered | None) -> str | None:
        """Return the rule that explains a fault that one side alone has, if one does."""
        if mine is not None and seen is not None:
            return None
        if mine is not None:
            return self._tolerances.fault(mine.fault.area)
        known = self._last_known()
        if seen is None or known is None:
            return None
        return self._tolerances.fault(_area_at(known, seen.fault.address))

    def _passed_over(self, rows: Sequence[_Row], place: int) -> str | None:
        """Return the rule that explains a fault that was observed alone, if its page was passed over."""
        mine, seen = rows[place].predicted, rows[place].observed
        if mine is not None or seen is None:
            return None
        before = rows[:place]
        predicted = [row.predicted.fault for row in before if row.predicted is not None]
        earlier = [row.observed.fault for row in before if row.observed is not None and not row.equal]
        explained = explains_extra_fault(self._observation, seen.fault, predicted, earlier)
        return PASSED_OVER if explained else None

    def _last_known(self) -> Snapshot | None:
        """Return the last snapshot that tells the areas of this process."""
        if self._number:
            return None
        return next(
            (snapshot for snapshot in reversed(self._observation.snapshots) if snapshot.vmas is not None),
            None,
        )

    def _area_seen(self, fault: Fault) -> str:
        """Return the area of an observed fault; the events do not tell it, the last snapshot may."""
        if fault.area is not None:
            return f", in {fault.area}"
        known = self._last_known()
        if known is None:
            return ""
        return f", in {_area_at(known, fault.address) or 'no area'} (at {known.checkpoint})"


def _lines(row: _Row) -> Iterator[str]:
    """Yield a row as a unified diff does: `-` predicted only, `+` observed only."""
    if row.predicted is not None:
        yield f"{' ' if row.equal else '-'} #{row.predicted.number} {describe(row.predicted.fault)}"
    if row.observed is not None and not row.equal:
        yield f"+ #{row.observed.number} {describe(row.observed.fault)}"


def _key(fault: Fault, columns: tuple[_Column, ...]) -> Hashable:
    told = (column.of(fault) if fault.mode in column.modes else None for column in columns)
    return fault.mode, fault.page, *told


def _area_at(snapshot: Snapshot, address: VirtAddr) -> Vma | None:
    return next((vma for vma in snapshot.vmas or () if address in vma.range), None)
