"""A prediction held against the witness: every mismatch, in words.

Written apart from `inspector.reconcile`, so that a mistake there cannot hide one here.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from inspector.model.auxv import AuxEntry
from inspector.model.registers import REGISTER_NAMES
from inspector.model.vma import VmFlag
from inspector.rules import RULES
from tests.live.stop_at_exec import Area

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.prediction import Prediction
    from inspector.model.snapshot import Snapshot, StackImage
    from tests.live.stop_at_exec import Witnessed


def mismatches(prediction: Prediction, seen: Witnessed) -> list[str]:
    """Return where `prediction` and the kernel differ; empty if nowhere."""
    if prediction.verdict is None:
        limit = prediction.not_modelled
        return [f"verdict: not modelled ({limit and limit.what}), the kernel's is {seen.verdict}"]
    if str(prediction.verdict) != seen.verdict:
        return [
            f"verdict: predicted {prediction.verdict} ({prediction.verdict.rule}), observed {seen.verdict}"
        ]
    if prediction.verdict.rule not in RULES:
        return [f"verdict: predicted {prediction.verdict} without a rule"]
    if seen.verdict != "runs":
        return []
    predicted = next(each for each in prediction.snapshots if each.checkpoint == "exec")
    space = [*_areas(predicted, seen), *_state(predicted, seen)]
    if predicted.registers is None:
        # Of a 64-bit program the address space alone is predicted, and then nothing else of it may be.
        also = [name for name in ("auxv", "stack") if getattr(predicted, name) is not None]
        return [*space, *(f"{name}: predicted without registers" for name in also)]
    return [*space, *_registers(predicted, seen), *_strings(predicted, seen)]


def _areas(predicted: Snapshot, seen: Witnessed) -> Iterator[str]:
    mine = {
        Area(vma.start, vma.end, vma.perms, vma.offset, vma.device, vma.inode, vma.name, _flags(vma.flags))
        for vma in predicted.vmas or ()
    }
    theirs = set(seen.areas)
    for area in sorted(mine ^ theirs, key=lambda area: (area.start, area in theirs)):
        yield f"vma: {'observed ' if area in theirs else 'predicted'} only: {area}"


def _flags(flags: VmFlag | None) -> str:
    if flags is None:
        return "not predicted"
    return " ".join(
        word for word, flag in (("ac", VmFlag.ACCOUNT), ("gd", VmFlag.GROWSDOWN)) if flag in flags
    )


def _registers(predicted: Snapshot, seen: Witnessed) -> Iterator[str]:
    for name in REGISTER_NAMES:
        value = getattr(predicted.registers, name)
        if value != seen.registers[name]:
            yield f"register {name}: predicted {value:#x}, observed {seen.registers[name]:#x}"


def _state(predicted: Snapshot, seen: Witnessed) -> Iterator[str]:
    pages = {
        (int(page.address), page.kind.value if page.kind else "unknown") for page in predicted.pages or ()
    }
    for page, kind in sorted(pages ^ set(seen.pages)):
        yield f"page {page:#x} ({kind}): {'predicted' if (page, kind) in pages else 'observed'} only"
    for aspect, value, observed in (
        ("minor faults", predicted.minor_faults, seen.minor_faults),
        ("major faults", predicted.major_faults, seen.major_faults),
        ("page table bytes", predicted.page_table_bytes, seen.page_table_bytes),
        ("start of the heap", predicted.brk, seen.start_brk),
    ):
        if value != observed:
            yield f"{aspect}: predicted {value}, observed {observed}"


def _strings(predicted: Snapshot, seen: Witnessed) -> Iterator[str]:
    auxv = tuple((entry.type, entry.value) for entry in predicted.auxv or ())
    while auxv and auxv[-1][0] == 0:
        auxv = auxv[:-1]
    for mine, theirs in zip_longest(auxv, seen.auxv):
        if mine != theirs:
            yield f"auxv: predicted {_entry(mine)}, observed {_entry(theirs)}"
    if predicted.stack is None:
        yield "stack: not predicted"
    else:
        yield from _stack(predicted.stack, seen)


def _entry(entry: tuple[int, int] | None) -> str:
    return f"{AuxEntry(*entry).name} {entry[1]:#x}" if entry else "no entry"


def _stack(predicted: StackImage, seen: Witnessed) -> Iterator[str]:
    """Compare byte by byte, but for AT_RANDOM's sixteen."""
    unknown = {
        address for part in predicted.unpredictable for address in range(part.start, part.start + part.length)
    }
    if len(unknown) > 16:
        yield f"stack: {len(unknown)} bytes are called unpredictable"
    if len(predicted.contents) != len(seen.stack):
        yield f"stack: predicted {len(predicted.contents)} bytes, observed {len(seen.stack)}"
        return
    pairs = enumerate(zip(predicted.contents, seen.stack, strict=True), predicted.sp)
    wrong = [at for at, (mine, theirs) in pairs if mine != theirs and at not in unknown]
    if wrong:
        first = wrong[0] - predicted.sp
        mine, theirs = (
            predicted.contents[first : first + 16].hex(" "),
            seen.stack[first : first + 16].hex(" "),
        )
        yield f"stack: {len(wrong)} bytes differ from {wrong[0]:#x} on: predicted {mine}, observed {theirs}"
