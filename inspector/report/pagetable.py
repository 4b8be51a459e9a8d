"""Addresses taken apart, and what page tables cost, as questions or with their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.language import N_, tr, tr_not_modelled
from inspector.report.document import Column, Document, Mark, Paragraph, Row, Section, Table
from inspector.report.text import counted, size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inspector.simulators.pagetable import SplitAddress, TableCost

_KIB = 1 << 10
_LEVEL = N_("page table")
"""What the one level of the flat geometry is called; the others have the kernel's names."""


def split_document(
    splits: Sequence[tuple[str, SplitAddress, Sequence[str], Sequence[int]]], *, solve: bool
) -> Document:
    """Return each address's way through the tables.

    An item of `splits` is the geometry's name, the address taken apart, its levels' names and their bits.
    """
    sections = []
    for name, address, levels, bits in splits:
        rows = [
            Row((tr(level), str(width), f"{index}" if solve else "", f"{index:#x}" if solve else ""))
            for level, width, index in zip(levels, bits, address.indices, strict=True)
        ]
        offset = address.offset
        rows.append(Row((tr("offset"), "12", f"{offset}" if solve else "", f"{offset:#x}" if solve else "")))
        table = Table(
            (
                Column("level"),
                Column("bits", right=True),
                Column("index", right=True),
                Column("hex", right=True),
            ),
            tuple(rows),
        )
        sections.append(
            Section(tr("{address:#x} by {geometry}").format(address=address.address, geometry=name), (table,))
        )
    if not solve:
        question = Paragraph(
            "Which entry of each table does the processor read? The answers: again with --solve."
        )
        sections.append(Section("", (question,)))
    return Document(tr("An address's way through the page tables"), tuple(sections))


def cost_document(
    costs: Sequence[tuple[TableCost, Sequence[str]]], pages: int, processes: int, *, solve: bool
) -> Document:
    """Return what the tables for `pages` mapped pages take, in one process and in `processes` of them."""
    several = processes > 1
    columns = [Column("geometry"), Column("tables", flexible=True), Column("bytes", right=True)]
    if several:
        columns.append(Column(tr("in {count} processes").format(count=processes), right=True))
    rows = []
    for cost, levels in costs:
        tables = tr(", ").join(
            f"{count} {tr(level)}" for count, level in zip(cost.tables, levels, strict=True)
        )
        cells = [cost.geometry.name, tables, _size(cost.bytes)]
        if several:
            cells.append(_size(cost.bytes * processes))
        rows.append(Row((cells[0], *(cells[1:] if solve else [""] * (len(cells) - 1)))))
    blocks: list[Table | Paragraph] = [Table(tuple(columns), tuple(rows))]
    if not solve:
        blocks.append(Paragraph("How many tables, and how much memory? The answers: again with --solve."))
    title = tr("Page tables for {pages}").format(pages=counted(pages, "mapped page"))
    return Document(title, (Section("", tuple(blocks)),))


def stops_document(
    program: str,
    geometry: str,
    stops: Sequence[tuple[str, Mapping[str, int], int]],
    not_modelled: str | None,
    *,
    solve: bool,
) -> Document:
    """Return what the pages of a predicted program need at each stop, by geometry.

    A stop is its name, the bytes by geometry for the pages then resident, and the kernel's own count (VmPTE).
    `not_modelled` is what the prediction ended at, if it did not come to the program's end.
    """
    names = list(stops[0][1])
    columns = (Column("stop"), *(Column(name, right=True) for name in (*names, tr("kernel's"))))
    rows = tuple(
        Row(
            (
                stop,
                *(
                    (*(_size(bytes_[name]) for name in names), _size(kernel))
                    if solve
                    else [""] * len(columns[1:])
                ),
            )
        )
        for stop, bytes_, kernel in stops
    )
    explanation = Paragraph(
        tr(
            "Each column counts the tables that the resident pages need. The kernel's (VmPTE, {geometry}) "
            "leaves out the top table, and has those whose pages have come and gone: tables outlive pages."
        ).format(geometry=geometry)
    )
    title = tr("Page tables of {program}").format(program=program)
    blocks: tuple[Table | Paragraph, ...] = (Table(columns, rows), explanation)
    if not_modelled is not None:
        limit = tr("These are not all: what comes after is not modelled: {what}.").format(
            what=tr_not_modelled(not_modelled)
        )
        blocks = (*blocks, Paragraph(limit, Mark.BAD))
    return Document(title, (Section("", blocks),))


def _size(size_bytes: int) -> str:
    """Return a size exactly, in units that can be compared: `8 KiB+32 B` beside `8 KiB`."""
    rest = size_bytes % _KIB
    return f"{size(size_bytes - rest)}+{rest} B" if rest and size_bytes > _KIB else size(size_bytes)
