"""The map: virtual memory areas as a table, predicted beside observed, the gaps too if asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.language import N_, tr
from inspector.report.document import Block, Column, Mark, Paragraph, Row, Table
from inspector.report.text import short_size
from inspector.view.areas import Area, AreaKind, areas_of, kind_of, with_gaps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.model.vma import Vma
    from inspector.report.detail import Detail
    from inspector.report.judge import Judge
    from inspector.view.areas import Gap

ABSENT = N_("absent")
KIND_WORDS = {
    AreaKind.CODE: "code",
    AreaKind.DATA: "data",
    AreaKind.READ_ONLY: "rodata",
    AreaKind.HEAP: "heap",
    AreaKind.STACK: "stack",
    AreaKind.VDSO: "vdso",
    AreaKind.ANONYMOUS: "anon",
    AreaKind.NO_ACCESS: "none",
}
"""What each kind is called in a narrow column."""
KIND_LEGEND = (
    (AreaKind.CODE, N_("may be executed")),
    (AreaKind.READ_ONLY, N_("read-only data")),
    (AreaKind.DATA, N_("a file's, may be written")),
    (AreaKind.ANONYMOUS, N_("anonymous, no file behind it")),
    (AreaKind.HEAP, N_("what brk gives")),
    (AreaKind.VDSO, N_("the kernel's own")),
    (AreaKind.STACK, N_("grows down")),
    (AreaKind.NO_ACCESS, N_("no access")),
)
_GAP = N_("gap")

_FIRST = (
    Column("address range"),
    Column("perms"),
    Column("offset", right=True),
    Column("kind", optional=True),
    Column("size", right=True, optional=True),
)
_FILE = (Column("device"), Column("inode", right=True))
_NAME = Column("name", flexible=True)
_DEVICE_AT, _NAME_AT = 5, 7


def area_blocks(
    predicted: Sequence[Vma] | None, observed: Sequence[Vma] | None, judge: Judge, detail: Detail
) -> tuple[Block, ...]:
    """Return the areas of one or both sides as a table; nothing if neither is known.

    Device and inode are shown where the two sides differ in them, or everything is wanted.
    """
    if predicted is None and observed is None:
        return ()
    areas = areas_of(predicted, observed)
    both = predicted is not None and observed is not None
    rows: list[Row] = []
    for each in with_gaps(areas) if detail.gaps else areas:
        if isinstance(each, Area):
            rows += _area_rows(each, judge.place("VMAs", f"{each.start:#x}"), both=both)
        else:
            rows.append(_gap_row(each))
    if not rows:
        return (Paragraph("none"),)
    if detail.verbose or any(_other_file(area) for area in areas):
        return (Table((*_FIRST, *_FILE, _NAME), tuple(rows)),)
    narrow = tuple(Row((*row.cells[:_DEVICE_AT], row.cells[_NAME_AT]), row.mark, row.kind) for row in rows)
    return (Table((*_FIRST, _NAME), narrow),)


def _other_file(area: Area) -> bool:
    mine, seen = area.predicted, area.observed
    return mine is not None and seen is not None and (mine.device, mine.inode) != (seen.device, seen.inode)


def _area_rows(area: Area, mark: Mark | None, *, both: bool) -> Iterator[Row]:
    """Yield an area and, where the two sides differ, what was observed instead."""
    if not both:
        yield Row(_cells(area.either), mark, area.kind)
        return
    mine, seen = (None if vma is None else _cells(vma) for vma in (area.predicted, area.observed))
    absent = ("",) * _NAME_AT + (tr(ABSENT),)
    first, second = mine or absent, seen or absent
    yield Row(first, mark, None if area.predicted is None else area.kind)
    if first != second:
        differing = ("" if left == right else right for left, right in zip(first, second, strict=True))
        yield Row(tuple(differing), Mark.INSTEAD, area.kind if area.predicted is None else None)


def _cells(vma: Vma) -> tuple[str, ...]:
    """Return the columns as /proc/PID/maps prints them, what the area is for, and the size."""
    return (
        f"{vma.start:08x}-{vma.end:08x}",
        vma.perms,
        f"{vma.offset:08x}",
        KIND_WORDS[kind_of(vma)],
        short_size(vma.range.size_bytes),
        "{:02x}:{:02x}".format(*vma.device),
        str(vma.inode),
        vma.name,
    )


def _gap_row(gap: Gap) -> Row:
    span = f"{gap.range.start:08x}-{gap.range.end:08x}"
    return Row((span, "", "", tr(_GAP), short_size(gap.range.size_bytes), "", "", ""))
