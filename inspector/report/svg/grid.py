"""The page grid: a box a page, sixteen together as fault-around takes them, an area below the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.language import tr
from inspector.model.address import address_of
from inspector.report.svg.drawing import MARGIN, cell_class
from inspector.report.svg.map import MAP_WIDTH
from inspector.report.text import counted, printable, shortened
from inspector.view.pages import Cell, FoldedRows, GridRow, PageRun, grid_rows, page_runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.model.page import PageState
    from inspector.report.svg.drawing import Drawing
    from inspector.view.areas import Area
    from inspector.view.pages import AreaPages

CELL = 7
_PAGES_A_ROW = 64
_WINDOW = 16
_WINDOW_GAP = 3
_ROW = 8
_LABEL = 13
_MOST_ROWS = 20
"""Of one area; what is beyond is counted."""
_LONGEST_NAME = 34


def draw_grids(
    drawing: Drawing,
    areas: Sequence[Area],
    predicted: Sequence[PageState] | None,
    observed: Sequence[PageState] | None,
    top: float,
) -> float:
    """Draw the pages of every area that has a resident one; return where the drawing ends."""
    left = MARGIN + MAP_WIDTH
    if predicted is None and observed is None:
        drawing.text(left, top + 8, tr("Its pages are not known."), "small")
        return top + _LABEL
    for pages in page_runs(areas, predicted, observed):
        if pages.resident:
            top = _draw_grid(drawing, pages, left, top) + 4
    return top


def _draw_grid(drawing: Drawing, pages: AreaPages, left: float, top: float) -> float:
    own = "" if pages.area is None else pages.area.either.name.rpartition("/")[2]
    name = own or (tr("in no area") if pages.area is None else tr("anonymous"))
    where = f"{pages.runs[0].start:08x} {shortened(printable(name), _LONGEST_NAME)}"
    words = tr("{area}, {resident} of {pages}").format(
        area=where, resident=pages.resident, pages=counted(pages.count, "page")
    )
    drawing.text(left, top + 9, words, "mono")
    top += _LABEL
    for number, row in enumerate(grid_rows(pages.runs, _PAGES_A_ROW)):
        if number == _MOST_ROWS:
            rest = sum(run.count for run in pages.runs) - (row.first - pages.runs[0].first)
            drawing.text(left, top + 9, tr("and {pages} more").format(pages=counted(rest, "page")), "small")
            return top + _LABEL
        if isinstance(row, FoldedRows):
            drawing.box(left, top + 3, CELL, CELL, cell_class(row.cell))
            words = tr("{pages} {state}").format(pages=counted(row.count, "page"), state=tr(row.cell.value))
            drawing.text(left + CELL + 5, top + 10, words, "small")
            top += _LABEL
        else:
            _draw_row(drawing, row, left, top)
            top += _ROW
        drawing.cells.update(row.cells if isinstance(row, GridRow) else (row.cell,))
    return top


def _draw_row(drawing: Drawing, row: GridRow, left: float, top: float) -> None:
    """Draw a row: neighbours of one kind in one window are one box, and lines part the pages."""
    for run in _runs(row):
        column = run.first % _PAGES_A_ROW
        x = left + column * CELL + column // _WINDOW * _WINDOW_GAP
        end = address_of(run.after)
        title = "" if run.cell is Cell.ABSENT else f"{run.start:#x}-{end:#x} {tr(run.cell.value)}"
        drawing.box(x, top, run.count * CELL, CELL, cell_class(run.cell), title)
        if run.count > 1:
            drawing.path(f"M{x} {top:g}" + f"m{CELL} 0v{CELL}m0-{CELL}" * (run.count - 1))


def _runs(row: GridRow) -> Iterator[PageRun]:
    """Yield the stretches of one kind, cut where a window ends."""
    begin = 0
    for position in range(1, len(row.cells) + 1):
        at_end = position == len(row.cells)
        if at_end or row.cells[position] is not row.cells[begin] or (row.first + position) % _WINDOW == 0:
            yield PageRun(row.cells[begin], type(row.first)(row.first + begin), position - begin)
            begin = position
