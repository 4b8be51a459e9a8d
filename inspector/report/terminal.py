"""A document as lines of text for a terminal; tables are laid out by tabulate."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from tabulate import tabulate

from inspector.language import tr
from inspector.report.document import Document, Facts, Grid, Mark, Paragraph, Table
from inspector.report.style import FAINT, MARGIN, PLAIN, Style
from inspector.report.terminal_grid import grid_lines
from inspector.report.text import display_width, padded, shortened, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.report.document import Block, Column, Section

_GAP = 2
"""Columns tabulate leaves between two columns of a table."""
_LEAST_FLEXIBLE = 14
"""A flexible text is not made shorter than this."""
_FILLER = "\0"
"""Stands behind a letter of two columns while tabulate lays out; no printable text holds one."""


def render(document: Document, style: Style) -> Iterator[str]:
    """Yield the lines of `document`, none of them ending in a newline."""
    yield from style.headed(document.mark, document.title)
    for section in document.sections:
        if section.title:
            yield ""
        yield from _section(section, style)
    yield from _legend(document, style)


def _legend(document: Document, style: Style) -> Iterator[str]:
    """Yield what the signs mean that occur: first the marks, then each other sort on lines of its own."""
    present = document.signs()
    shown = [(sign, meaning) for sign, meaning in document.legend if sign in present]
    first = True
    for _, group in groupby(shown, lambda item: type(item[0])):
        lines, line, used = [], "", 0
        for sign, said in group:
            meaning = tr(said)
            text, width = style.legend_sign(sign)
            item = f"{text} {style.clean(meaning)}"
            width += 1 + display_width(meaning)
            if used and used + 3 + width > style.width:
                lines.append(line)
                line, used = "", 0
            line, used = (f"{line}   {item}", used + 3 + width) if used else (item, width)
        if first:
            yield ""
            first = False
        yield from (*lines, line)


def _section(section: Section, style: Style) -> Iterator[str]:
    if section.title:
        yield from style.headed(section.mark, tr(section.title))
    for block in section.blocks:
        yield from _block(block, style)


def _block(block: Block, style: Style) -> Iterator[str]:
    match block:
        case Table():
            yield from _table(block, style)
        case Grid():
            yield from grid_lines(block, style)
        case Facts():
            yield from _facts(block, style)
        case Paragraph(text=text, mark=mark):
            yield from _hanging(mark, style.clean(tr(text)), style)


def _hanging(mark: Mark | None, text: str, style: Style) -> Iterator[str]:
    """Yield a paragraph behind a margin, in which its mark stands."""
    for number, line in enumerate(wrapped(text, style.width - MARGIN)):
        yield f"{style.margin(mark if number == 0 else None)}{line}".rstrip()


def _facts(facts: Facts, style: Style) -> Iterator[str]:
    labels = [tr(fact.label) for fact in facts.facts]
    label_width = max(map(display_width, labels), default=0)
    room = max(style.width - MARGIN - label_width - _GAP, _LEAST_FLEXIBLE)
    for fact, label in zip(facts.facts, labels, strict=True):
        first, *rest = wrapped(style.clean(fact.value), room)
        yield f"{style.margin(fact.mark)}{padded(label, label_width)}{' ' * _GAP}{first}".rstrip()
        yield from (" " * (MARGIN + label_width + _GAP) + line for line in rest)


def _table(table: Table, style: Style) -> Iterator[str]:
    cells = [[style.clean(cell) for cell in row.cells] for row in table.rows]
    columns, cells = _fitted(table.columns, cells, style.width - MARGIN, style)
    # The titles go in as a row: as headers, tabulate would pad them beyond the room there is.
    text = tabulate(
        [
            [_counted_by_column(cell) for cell in row]
            for row in ([tr(column.title) for column in columns], *cells)
        ],
        tablefmt="plain",
        disable_numparse=True,
        colalign=["right" if column.right else "left" for column in columns],
    )
    head, *lines = text.replace(_FILLER, "").splitlines()
    if head.strip():
        yield style.margin(None) + style.paint(head.rstrip(), FAINT)
    for row, line in zip(table.rows, lines, strict=True):
        colour = PLAIN if row.kind is None else style.kind_colour(row.kind)
        yield f"{style.margin(row.mark)}{style.paint(line.rstrip(), colour)}".rstrip()


def _counted_by_column(cell: str) -> str:
    """Return a cell that has a letter for every column it takes, as tabulate counts them."""
    return "".join(letter + _FILLER * (display_width(letter) - 1) for letter in cell)


def _fitted(
    columns: Sequence[Column], cells: list[list[str]], room: int, style: Style
) -> tuple[list[Column], list[list[str]]]:
    """Return the columns and cells that fit `room`: flexible texts shortened, optional columns left out."""
    kept = list(columns)
    while True:
        widths = [
            max(map(display_width, (tr(column.title), *(row[index] for row in cells))))
            for index, column in enumerate(kept)
        ]
        excess = sum(widths) + _GAP * (len(kept) - 1) - room
        spare = sum(
            max(width - _LEAST_FLEXIBLE, 0)
            for width, column in zip(widths, kept, strict=True)
            if column.flexible
        )
        dropped = next((index for index in reversed(range(len(kept))) if kept[index].optional), None)
        if excess <= spare or dropped is None:
            break
        del kept[dropped]
        cells = [row[:dropped] + row[dropped + 1 :] for row in cells]
    for index, column in enumerate(kept):
        if column.flexible and excess > 0:
            width = max(widths[index] - excess, _LEAST_FLEXIBLE)
            excess -= widths[index] - width
            for row in cells:
                row[index] = shortened(row[index], width, style.ellipsis)
    return kept, cells


__all__ = ["Style", "render"]
