"""The comparison itself: one function an aspect, each yielding findings.

An aspect that agrees everywhere yields one AGREES finding, whose two values say how much was compared.
One that does not yields a finding for every place where it does not; all are collected.
"""

from __future__ import annotations

from dataclasses import fields
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING

from inspector.model.auxv import AuxType
from inspector.model.finding import Finding, Verdict
from inspector.model.prediction import Outcome
from inspector.model.registers import REGISTER_NAMES
from inspector.reconcile.stack import compare_stack
from inspector.reconcile.tolerance import Tolerances

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.model.observation import Observation
    from inspector.model.page import PageState
    from inspector.model.prediction import Prediction
    from inspector.model.snapshot import Snapshot
    from inspector.model.vma import Vma


def compare(prediction: Prediction, observation: Observation) -> Iterator[Finding]:
    """Yield the findings of every aspect, checkpoint by checkpoint."""
    yield from _verdict(prediction, observation)
    if prediction.verdict is None or prediction.verdict.outcome is not Outcome.RUNS:
        return
    tolerances = Tolerances.of(prediction, observation)
    predicted = {snapshot.checkpoint: snapshot for snapshot in prediction.snapshots}
    observed = {snapshot.checkpoint: snapshot for snapshot in observation.snapshots}
    for checkpoint, seen in observed.items():
        if checkpoint in predicted:
            yield from compare_snapshots(predicted[checkpoint], seen, tolerances)
        else:
            yield Finding(checkpoint, "snapshot", "", "", _summary(seen), Verdict.NOT_PREDICTED)
    for checkpoint in predicted:
        if checkpoint not in observed:
            yield Finding(checkpoint, "snapshot", "", "predicted", "", Verdict.UNOBSERVED)


def _verdict(prediction: Prediction, observation: Observation) -> Iterator[Finding]:
    seen, rule = observation.verdict, prediction.verdict.rule if prediction.verdict else None
    if prediction.verdict is None:
        what = f"not modelled: {prediction.not_modelled.what}" if prediction.not_modelled else ""
        yield Finding("execve", "verdict", "", what, str(seen or ""), Verdict.NOT_PREDICTED)
    elif seen is None:
        yield Finding("execve", "verdict", "", str(prediction.verdict), "", Verdict.UNOBSERVED)
    else:
        same = str(prediction.verdict) == str(seen)
        verdict = Verdict.AGREES if same else Verdict.DIFFERS
        yield Finding("execve", "verdict", "", str(prediction.verdict), str(seen), verdict, rule)


def _summary(snapshot: Snapshot) -> str:
    parts = []
    if snapshot.vmas is not None:
        parts.append(f"{len(snapshot.vmas)} VMAs")
    if snapshot.pages is not None:
        parts.append(f"{len(snapshot.pages)} pages")
    if snapshot.minor_faults is not None:
        parts.append(f"{snapshot.minor_faults} minor faults")
    return ", ".join(parts)


def compare_snapshots(predicted: Snapshot, observed: Snapshot, tolerances: Tolerances) -> Iterator[Finding]:
    """Yield the findings of one checkpoint."""
    at = predicted.checkpoint
    if predicted.vmas is not None:
        yield from _judged(
            at, "VMAs", observed.vmas, len(predicted.vmas), _vmas(at, predicted, observed, tolerances)
        )
    if predicted.registers is not None:
        count = len(REGISTER_NAMES)
        yield from _judged(at, "registers", observed.registers, count, _registers(at, predicted, observed))
    if predicted.stack is not None:
        size = len(predicted.stack.contents)
        yield from _judged(
            at, "stack bytes", observed.stack, size, compare_stack(at, predicted.stack, observed.stack)
        )
    if predicted.auxv is not None:
        yield from _judged(at, "auxv", observed.auxv, len(predicted.auxv), _auxv(at, predicted, observed))
    if predicted.pages is not None:
        yield from _judged(at, "pages", observed.pages, len(predicted.pages), _pages(at, predicted, observed))
    yield from _fault_counts(predicted, observed)
    yield from _number(
        at, "page tables", predicted.page_table_bytes, observed.page_table_bytes, "fault.page-tables"
    )
    yield from _number(at, "brk", predicted.brk, observed.brk, "layout.brk", as_address=True)


def _judged(
    at: str, aspect: str, observed: object, count: int, differences: Iterator[Finding]
) -> Iterator[Finding]:
    """Yield `differences`, or one finding saying that there are none or that no one looked."""
    if observed is None:
        yield Finding(at, aspect, "", str(count), "", Verdict.UNOBSERVED)
        return
    found = list(differences)
    yield from found
    if not found:
        yield Finding(at, aspect, "", str(count), str(count), Verdict.AGREES)


def _vmas(at: str, predicted: Snapshot, observed: Snapshot, tolerances: Tolerances) -> Iterator[Finding]:
    """Match areas by their start; name each column that differs."""
    ours = {vma.start: vma for vma in predicted.vmas or ()}
    theirs = {vma.start: vma for vma in observed.vmas or ()}
    for start in sorted(ours.keys() | theirs.keys()):
        mine, seen = ours.get(start), theirs.get(start)
        if mine is None or seen is None:
            yield Finding(
                at, "VMAs", f"{start:#x}", str(mine or "absent"), str(seen or "absent"), Verdict.DIFFERS
            )
            continue
        for column, left, right in _columns(mine, seen):
            rule = tolerances.vma_column(column, mine, seen)
            verdict = Verdict.EXPLAINED if rule else Verdict.DIFFERS
            yield Finding(at, "VMAs", f"{start:#x} {column}", left, right, verdict, rule)


def _columns(mine: Vma, seen: Vma) -> Iterator[tuple[str, str, str]]:
    pairs = [
        ("end", f"{mine.end:#x}", f"{seen.end:#x}"),
        ("perms", mine.perms, seen.perms),
        ("offset", f"{mine.offset:#x}", f"{seen.offset:#x}"),
        ("device", "{:02x}:{:02x}".format(*mine.device), "{:02x}:{:02x}".format(*seen.device)),
        ("inode", str(mine.inode), str(seen.inode)),
        ("name", mine.name, seen.name),
        ("backing", type(mine.backing).__name__, type(seen.backing).__name__),
    ]
    if mine.flags is not None and seen.flags is not None:
        pairs.append(("flags", str(mine.flags), str(seen.flags)))
    return ((column, left, right) for column, left, right in pairs if left != right)


def _registers(at: str, predicted: Snapshot, observed: Snapshot) -> Iterator[Finding]:
    mine, seen = predicted.registers, observed.registers
    if mine is None or seen is None:
        return
    for field in fields(mine):
        left, right = getattr(mine, field.name), getattr(seen, field.name)
        if left != right:
            yield Finding(at, "registers", field.name, f"{left:#x}", f"{right:#x}", Verdict.DIFFERS)


def _auxv(at: str, predicted: Snapshot, observed: Snapshot) -> Iterator[Finding]:
    mine = predicted.auxv or ()
    seen = tuple(entry for entry in observed.auxv or () if entry.type != AuxType.AT_NULL)
    for left, right in zip_longest(mine, seen):
        if left != right:
            where = next(entry.name for entry in (left, right) if entry is not None)
            shown = [f"{entry.name}={entry.value:#x}" if entry else "absent" for entry in (left, right)]
            yield Finding(at, "auxv", where, shown[0], shown[1], Verdict.DIFFERS)


def _pages(at: str, predicted: Snapshot, observed: Snapshot) -> Iterator[Finding]:
    """Compare presence and kind; runs of pages that differ alike are one finding."""
    mine = {page.vpn: _kind(page) for page in predicted.pages or ()}
    seen = {page.vpn: _kind(page) for page in observed.pages or ()}
    wrong = [
        (vpn, mine.get(vpn, "absent"), seen.get(vpn, "absent"))
        for vpn in sorted(mine.keys() | seen.keys())
        if mine.get(vpn) != seen.get(vpn)
    ]
    # Consecutive pages with the same difference share `vpn - position`.
    for _, run in groupby(enumerate(wrong), key=lambda item: (item[1][0] - item[0], *item[1][1:])):
        pages = [entry for _, entry in run]
        vpn, left, right = pages[0]
        where = f"{vpn << 12:#x}" + (f" and {len(pages) - 1} more" if len(pages) > 1 else "")
        verdict = Verdict.UNOBSERVED if right == "unknown" else Verdict.DIFFERS
        yield Finding(at, "pages", where, left, right, verdict)


def _kind(page: PageState) -> str:
    return page.kind.value if page.kind is not None else "unknown"


def _fault_counts(predicted: Snapshot, observed: Snapshot) -> Iterator[Finding]:
    at = predicted.checkpoint
    mine = (predicted.minor_faults, predicted.major_faults)
    seen = (observed.minor_faults, observed.major_faults)
    if None not in mine and None not in seen and mine != seen and _total(mine) == _total(seen):
        for name, left, right in zip(("minor faults", "major faults"), mine, seen, strict=True):
            yield Finding(at, name, "", str(left), str(right), Verdict.EXPLAINED, "observe.first-read-major")
        return
    yield from _number(at, "minor faults", *_pair(mine, seen, 0), "fault.argument-pages")
    yield from _number(at, "major faults", *_pair(mine, seen, 1), "observe.first-read-major")


def _total(counts: Sequence[int | None]) -> int:
    return sum(count or 0 for count in counts)


def _pair(
    mine: Sequence[int | None], seen: Sequence[int | None], index: int
) -> tuple[int | None, int | None]:
    return mine[index], seen[index]


def _number(
    at: str, aspect: str, mine: int | None, seen: int | None, rule: str, *, as_address: bool = False
) -> Iterator[Finding]:
    if mine is None:
        return
    left, right = (("" if n is None else f"{n:#x}" if as_address else str(n)) for n in (mine, seen))
    if seen is None:
        yield Finding(at, aspect, "", left, right, Verdict.UNOBSERVED)
    else:
        verdict = Verdict.AGREES if mine == seen else Verdict.DIFFERS
        yield Finding(at, aspect, "", left, right, verdict, None if mine == seen else rule)
