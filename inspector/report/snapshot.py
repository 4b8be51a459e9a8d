"""A process at one checkpoint as sections: predicted, observed, or both side by side.

Where the two differ a line is followed by another, marked INSTEAD, that holds what was observed in just
the columns that differ.
"""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING

from inspector.language import N_, tr
from inspector.model.auxv import AuxType
from inspector.model.registers import REGISTER_NAMES
from inspector.model.snapshot import Snapshot
from inspector.report.areas import ABSENT, area_blocks
from inspector.report.detail import ORDINARY, Detail
from inspector.report.document import Block, Column, Fact, Facts, Mark, Row, Section, Table
from inspector.report.frames import frame_blocks
from inspector.report.pages import page_blocks
from inspector.report.text import counted, size
from inspector.rules import find_rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.model.auxv import AuxEntry
    from inspector.model.registers import Registers
    from inspector.model.snapshot import StackImage
    from inspector.report.judge import Judge

_NOTHING = Snapshot("")
_NOW = N_("now")
"""The checkpoint of a process that was running before it was looked at; its past is not known."""
_REGISTERS_A_ROW = 4


def snapshot_sections(
    predicted: Snapshot | None, observed: Snapshot | None, judge: Judge, detail: Detail = ORDINARY
) -> Iterator[Section]:
    """Yield the sections of one checkpoint, of which at least one side is there."""
    either = observed or predicted
    if either is None:
        return
    at = moment(either.checkpoint)
    mine, seen = predicted or _NOTHING, observed or _NOTHING
    auxv_wrong = judge.aspect("auxv") is Mark.BAD
    for aspect, title, block in (
        (
            "VMAs",
            tr("Virtual memory areas {moment}").format(moment=at),
            area_blocks(mine.vmas, seen.vmas, judge, detail),
        ),
        (
            "registers",
            tr("Registers {moment}").format(moment=at),
            _registers(mine.registers, seen.registers, judge),
        ),
        ("stack bytes", tr("Stack {moment}").format(moment=at), _stack(mine.stack, seen.stack)),
        (
            "auxv",
            tr("Auxiliary vector {moment}").format(moment=at),
            _auxv(mine.auxv, seen.auxv, judge) if detail.verbose or auxv_wrong else (),
        ),
        ("pages", tr("Resident pages {moment}").format(moment=at), page_blocks(mine, seen, judge, detail)),
        (
            "frames",
            tr("Who owns the frames {moment}").format(moment=at),
            frame_blocks(mine.frames, seen.frames, judge, verbose=detail.verbose),
        ),
    ):
        if block:
            yield Section(title, block, judge.aspect(aspect))


def moment(checkpoint: str) -> str:
    """Return `at exec`, `at main`; `now` for a live process."""
    return tr(_NOW) if checkpoint == _NOW else tr("at {checkpoint}").format(checkpoint=checkpoint)


def counters_section(snapshot: Snapshot, judge: Judge) -> Section:
    """Return the numbers of one side's snapshot."""
    tables, now = snapshot.page_table_bytes, snapshot.checkpoint == _NOW
    values = (
        ("minor faults", snapshot.minor_faults, tr("{} since birth") if now else tr("{} since execve")),
        ("major faults", snapshot.major_faults, "{}"),
        ("page tables", tables, f"{size(tables or 0)} (VmPTE)"),
        ("brk", snapshot.brk, "{:#x}"),
    )
    facts = tuple(
        Fact(label, tr("not known") if value is None else text.format(value), judge.aspect(label))
        for label, value, text in values
    )
    return Section(
        tr("Counters {moment}").format(moment=moment(snapshot.checkpoint)),
        (Facts(facts),),
        judge.aspect("snapshot"),
    )


def _beside(mine: tuple[str, ...], seen: tuple[str, ...], mark: Mark | None) -> Iterator[Row]:
    """Yield what was predicted and, where it differs, what was observed instead."""
    yield Row(mine, mark)
    if mine != seen:
        yield Row(
            tuple("" if left == right else right for left, right in zip(mine, seen, strict=True)),
            Mark.INSTEAD,
        )


def _registers(predicted: Registers | None, observed: Registers | None, judge: Judge) -> tuple[Block, ...]:
    either = observed if predicted is None else predicted
    if either is None:
        return ()
    texts = [f"{name} {value:#x}" for name, value in zip(REGISTER_NAMES, astuple(either), strict=True)]
    rows = (tuple(texts[at : at + _REGISTERS_A_ROW]) for at in range(0, len(texts), _REGISTERS_A_ROW))
    grid = Table((Column(""),) * _REGISTERS_A_ROW, tuple(map(Row, rows)))
    if predicted is None or observed is None or predicted == observed:
        return (grid,)
    values = zip(REGISTER_NAMES, astuple(predicted), astuple(observed), strict=True)
    differing = tuple(
        Row((name, f"{left:#x}", f"{right:#x}"), judge.place("registers", name))
        for name, left, right in values
        if left != right
    )
    return (grid, Table((Column("register"), Column("predicted"), Column("observed")), differing))


def _stack(predicted: StackImage | None, observed: StackImage | None) -> tuple[Block, ...]:
    stack = observed if predicted is None else predicted
    if stack is None:
        return ()
    facts = [
        Fact("extent", _extent(stack)),
        Fact("holds", _stack_contents(stack)),
    ]
    free = sum(gap.length for gap in stack.unpredictable)
    if predicted is not None and observed is not None:
        if _extent(predicted) == _extent(observed):
            facts.append(
                Fact("compared", tr("{count} bytes, one by one").format(count=len(stack.contents) - free))
            )
        else:
            facts.append(Fact("observed", _extent(observed), Mark.INSTEAD))
    facts += [
        Fact(
            "left out",
            tr("{count} bytes at {address:#x}, by {rule}: {statement}").format(
                count=gap.length,
                address=gap.start,
                rule=gap.rule,
                statement=tr(find_rule(gap.rule).statement),
            ),
        )
        for gap in stack.unpredictable
    ]
    return (Facts(tuple(facts)),)


def _extent(stack: StackImage) -> str:
    end = stack.sp + len(stack.contents)
    return tr("{start:#x}-{end:#x}, {count} bytes from esp to the top").format(
        start=stack.sp, end=end, count=len(stack.contents)
    )


def _stack_contents(stack: StackImage) -> str:
    """Say what the words from esp upwards are: argc, argv, NULL, envp, NULL, auxv."""
    words = memoryview(stack.contents[: len(stack.contents) & -4]).cast("I").tolist()
    argc = words[0] if words else 0
    try:
        envc = words.index(0, argc + 2) - argc - 2
        auxv = words[argc + envc + 3 :: 2]
        entries = auxv.index(AuxType.AT_NULL)
    except ValueError:
        return f"argc {argc}"
    return tr("argc {argc}, {strings}, {entries} auxv entries").format(
        argc=argc, strings=counted(envc, "environment string"), entries=entries
    )


def _auxv(
    predicted: Sequence[AuxEntry] | None, observed: Sequence[AuxEntry] | None, judge: Judge
) -> tuple[Block, ...]:
    if predicted is None and observed is None:
        return ()
    mine = [(entry.name, f"{entry.value:#x}") for entry in predicted or () if entry.type != AuxType.AT_NULL]
    seen = [(entry.name, f"{entry.value:#x}") for entry in observed or () if entry.type != AuxType.AT_NULL]
    rows: list[Row] = []
    for position in range(max(len(mine), len(seen))):
        left, right = (side[position] if position < len(side) else None for side in (mine, seen))
        cells = left or right or ("", "")
        mark = judge.place("auxv", cells[0])
        if predicted is None or observed is None:
            rows.append(Row(cells, mark))
        else:
            rows += _beside(left or ("", tr(ABSENT)), right or ("", tr(ABSENT)), mark)
    return (Table((Column("entry"), Column("value")), tuple(rows)),)
