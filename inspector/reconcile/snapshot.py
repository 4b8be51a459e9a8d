"""Two snapshots of one checkpoint, aspect by aspect.

An aspect that agrees everywhere yields one AGREES finding, whose two values say how much was compared.
One that does not yields a finding for every place where it does not; all are collected. An aspect that one
wing alone knows is UNOBSERVED or NOT_PREDICTED: it never agrees.
"""

from __future__ import annotations

from dataclasses import fields
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeVar

from inspector.model.address import address_of
from inspector.model.auxv import AuxType
from inspector.model.finding import Finding, Verdict
from inspector.model.registers import REGISTER_NAMES
from inspector.reconcile.frames import compare_frames, frame_count
from inspector.reconcile.pages import compare_pages
from inspector.reconcile.stack import comparable_bytes, compare_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from inspector.model.address import Vpn
    from inspector.model.auxv import AuxEntry
    from inspector.model.frame import FrameRun
    from inspector.model.page import PageState
    from inspector.model.registers import Registers
    from inspector.model.snapshot import Snapshot
    from inspector.model.vma import Vma
    from inspector.reconcile.tolerance import Tolerances

T = TypeVar("T")


def compare_snapshots(predicted: Snapshot, observed: Snapshot, tolerances: Tolerances) -> Iterator[Finding]:
    """Yield the findings of one checkpoint."""
    at = predicted.checkpoint

    def compare(
        aspect: str,
        mine: T | None,
        seen: T | None,
        count: Callable[[T], int],
        differences: Callable[[str, T, T], Iterator[Finding]],
    ) -> Iterator[Finding]:
        if mine is not None and seen is not None:
            found = list(differences(at, mine, seen))
            yield from found
            if not found:
                yield Finding(at, aspect, "", str(count(mine)), str(count(mine)), Verdict.AGREES)
        elif mine is not None:
            yield Finding(at, aspect, "", str(count(mine)), "", Verdict.UNOBSERVED)
        elif seen is not None:
            yield Finding(at, aspect, "", "", str(count(seen)), Verdict.NOT_PREDICTED)

    def vmas(at: str, mine: Sequence[Vma], seen: Sequence[Vma]) -> Iterator[Finding]:
        return _vmas(at, mine, seen, tolerances)

    def pages(at: str, mine: Sequence[PageState], seen: Sequence[PageState]) -> Iterator[Finding]:
        return compare_pages(at, mine, seen, lambda vpn, *kinds: tolerances.page(vpn, area_of(vpn), *kinds))

    def frames(at: str, mine: Sequence[FrameRun], seen: Sequence[FrameRun]) -> Iterator[Finding]:
        return compare_frames(at, mine, seen, tolerances.cached, tolerances.same_file)

    def area_of(vpn: Vpn) -> Vma | None:
        return next((vma for vma in predicted.vmas or () if address_of(vpn) in vma.range), None)

    yield from compare("VMAs", predicted.vmas, observed.vmas, len, vmas)
    yield from _flags(at, predicted.vmas or (), observed.vmas or ())
    yield from compare("registers", predicted.registers, observed.registers, _all_registers, _registers)
    yield from compare("stack bytes", predicted.stack, observed.stack, comparable_bytes, compare_stack)
    yield from compare("auxv", _without_null(predicted.auxv), _without_null(observed.auxv), len, _auxv)
    yield from compare("pages", predicted.pages, observed.pages, len, pages)
    yield from compare("frames", predicted.frames, observed.frames, frame_count, frames)
    yield from _fault_counts(predicted, observed, tolerances)
    yield from _number(
        at, "page tables", predicted.page_table_bytes, observed.page_table_bytes, "fault.page-tables"
    )
    yield from _number(at, "brk", predicted.brk, observed.brk, "layout.brk", "{:#x}")


def _vmas(
    at: str, predicted: Sequence[Vma], observed: Sequence[Vma], tolerances: Tolerances
) -> Iterator[Finding]:
    """Match areas by their start; name each column that differs."""
    ours = {vma.start: vma for vma in predicted}
    theirs = {vma.start: vma for vma in observed}
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


def _flags(at: str, predicted: Sequence[Vma], observed: Sequence[Vma]) -> Iterator[Finding]:
    """Say of how many areas one wing alone knows the flags; where both do, they are columns like others."""
    theirs = {vma.start: vma for vma in observed}
    pairs = [(vma, theirs[vma.start]) for vma in predicted if vma.start in theirs]
    unseen = sum(mine.flags is not None and seen.flags is None for mine, seen in pairs)
    unpredicted = sum(mine.flags is None and seen.flags is not None for mine, seen in pairs)
    if unseen:
        yield Finding(at, "VMA flags", "", str(unseen), "", Verdict.UNOBSERVED)
    if unpredicted:
        yield Finding(at, "VMA flags", "", "", str(unpredicted), Verdict.NOT_PREDICTED)


def _all_registers(_: Registers) -> int:
    return len(REGISTER_NAMES)


def _registers(at: str, predicted: Registers, observed: Registers) -> Iterator[Finding]:
    for field in fields(predicted):
        left, right = getattr(predicted, field.name), getattr(observed, field.name)
        if left != right:
            yield Finding(at, "registers", field.name, f"{left:#x}", f"{right:#x}", Verdict.DIFFERS)


def _without_null(auxv: Sequence[AuxEntry] | None) -> Sequence[AuxEntry] | None:
    """Return the entries before AT_NULL, which a prediction need not write down."""
    return None if auxv is None else tuple(entry for entry in auxv if entry.type != AuxType.AT_NULL)


def _auxv(at: str, predicted: Sequence[AuxEntry], observed: Sequence[AuxEntry]) -> Iterator[Finding]:
    for left, right in zip_longest(predicted, observed):
        if left != right:
            where = next(entry.name for entry in (left, right) if entry is not None)
            shown = [f"{entry.name}={entry.value:#x}" if entry else "absent" for entry in (left, right)]
            yield Finding(at, "auxv", where, shown[0], shown[1], Verdict.DIFFERS)


def _fault_counts(predicted: Snapshot, observed: Snapshot, tolerances: Tolerances) -> Iterator[Finding]:
    at = predicted.checkpoint
    minor = (predicted.minor_faults, observed.minor_faults)
    major = (predicted.major_faults, observed.major_faults)
    rule = tolerances.fault_counts(predicted, observed)
    if rule is not None:
        for name, (left, right) in (("minor faults", minor), ("major faults", major)):
            if left != right:
                yield Finding(at, name, "", str(left), str(right), Verdict.EXPLAINED, rule)
        return
    # A count is the sum of many rules' faults: none of them alone made it.
    yield from _number(at, "minor faults", *minor)
    yield from _number(at, "major faults", *major)


def _number(
    at: str, aspect: str, mine: int | None, seen: int | None, rule: str | None = None, form: str = "{}"
) -> Iterator[Finding]:
    left, right = ("" if number is None else form.format(number) for number in (mine, seen))
    if mine is not None and seen is not None:
        same = mine == seen
        yield Finding(
            at, aspect, "", left, right, Verdict.AGREES if same else Verdict.DIFFERS, None if same else rule
        )
    elif mine is not None:
        yield Finding(at, aspect, "", left, right, Verdict.UNOBSERVED)
    elif seen is not None:
        yield Finding(at, aspect, "", left, right, Verdict.NOT_PREDICTED)
