"""The page grid as lines of text: a letter a page, in windows of sixteen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.language import N_, tr
from inspector.model.address import PAGE_SHIFT
from inspector.report.areas import KIND_WORDS
from inspector.report.style import FAINT, MARGIN
from inspector.report.text import counted, display_width, padded, shortened
from inspector.view.pages import FoldedRows, grid_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.report.document import Grid, GridArea
    from inspector.report.style import Style
    from inspector.view.pages import GridRow

_WINDOW = 16
"""Pages between two blanks: as many as fault-around maps at most, aligned as it aligns them."""
_PAGES_A_ROW = (64, 32)
"""The first that fits is taken, else the last."""
_GAP = "  "
_KIND_WIDTH = max(map(len, KIND_WORDS.values()))
"""At least as wide as its heading, in any language."""
_LEAST_NAME = 12
_HEAD = (N_("address"), N_("kind"), N_("resident"), N_("pages, 16 by 16"), N_("area"))


def grid_lines(grid: Grid, style: Style) -> Iterator[str]:
    """Yield the rows of every area: address, kind, how many pages are there, the pages, the area's name."""
    digits = max((len(f"{area.runs[-1].start:08x}") for area in grid.areas if area.runs), default=8)
    head = tuple(map(tr, _HEAD))
    there = max([display_width(head[2]), *(len(area.resident) for area in grid.areas)])
    before = MARGIN + digits + _KIND_WIDTH + there + 3 * len(_GAP)
    after = len(_GAP) + _LEAST_NAME
    pages = next(
        (wide for wide in _PAGES_A_ROW if before + _width(wide) + after <= style.width), _PAGES_A_ROW[-1]
    )
    room = max(style.width - before - _width(pages) - len(_GAP), 0)
    widths = (digits, _KIND_WIDTH, there, _width(pages), 0)
    text = _GAP.join(padded(word, width) for word, width in zip(head, widths, strict=True)).rstrip()
    yield style.margin(None) + style.paint(text, FAINT)
    for area in grid.areas:
        for number, row in enumerate(grid_rows(area.runs, pages)):
            picture, width = _folded(row, style) if isinstance(row, FoldedRows) else _row(row, pages, style)
            line = f"{f'{row.first << PAGE_SHIFT:08x}':{digits}}{_GAP}"
            if number == 0:
                line += f"{_kind(area, style)}{_GAP}{area.resident:>{there}}{_GAP}"
                line += picture + " " * (_width(pages) - width) + _GAP
                line += shortened(style.clean(area.label), room, style.ellipsis)
            else:
                line += " " * (_KIND_WIDTH + there + 2 * len(_GAP)) + picture
            yield style.margin(None) + line.rstrip()


def _kind(area: GridArea, style: Style) -> str:
    if area.kind is None:
        return " " * _KIND_WIDTH
    word = KIND_WORDS[area.kind]
    return style.paint(word, style.kind_colour(area.kind)) + " " * (_KIND_WIDTH - len(word))


def _width(pages: int) -> int:
    """Return how many columns so many pages take, a blank between windows."""
    return pages + (pages - 1) // _WINDOW


def _row(row: GridRow, pages: int, style: Style) -> tuple[str, int]:
    """Return a row's letters, each page in the column of its number, and how many columns they take."""
    skipped = row.first % pages
    text = " " * (skipped + skipped // _WINDOW)
    width = len(text)
    position = 0
    while position < len(row.cells):
        column = skipped + position
        taken = row.cells[position : position + _WINDOW - column % _WINDOW]
        text += style.cells(taken)
        position += len(taken)
        width += len(taken)
        if position < len(row.cells):
            text += " "
            width += 1
    return text, width


def _folded(row: FoldedRows, style: Style) -> tuple[str, int]:
    letter = style.cells((row.cell,))
    words = f" {style.ellipsis} {counted(row.count, 'page')} {tr(row.cell.value)}"
    return letter + words, 1 + display_width(words)
