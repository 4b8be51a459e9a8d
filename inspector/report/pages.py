"""Resident pages: as a grid, a cell a page, and as a table of runs, predicted beside observed."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from inspector.language import N_, tr
from inspector.model.address import PAGE_SIZE, address_of
from inspector.model.vma import FileBacking
from inspector.report.areas import ABSENT
from inspector.report.document import Block, Column, Grid, GridArea, Mark, Paragraph, Row, Table
from inspector.view.areas import areas_of
from inspector.view.pages import Cell, grid_rows, page_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.model.page import PageState
    from inspector.model.snapshot import Snapshot
    from inspector.report.detail import Detail
    from inspector.report.judge import Judge
    from inspector.view.pages import AreaPages

CELL_LEGEND = (
    (Cell.ABSENT, N_("absent")),
    (Cell.FILE, N_("file")),
    (Cell.ANONYMOUS, N_("anonymous")),
    (Cell.ZERO, N_("zero page")),
    (Cell.SPECIAL, N_("the kernel's")),
    (Cell.UNKNOWN, N_("unknown kind")),
    (Cell.PREDICTED_ONLY, N_("predicted only")),
    (Cell.OBSERVED_ONLY, N_("observed only")),
    (Cell.OTHER_KIND, N_("of another kind")),
)
_UNKNOWN_KIND = N_("unknown")
_MOST_TABLE_ROWS = 24
_MOST_GRID_ROWS = 24
_GRID_WIDTH = 32
"""By which it is judged whether a grid is short; a wide terminal puts more pages in a row."""


def page_blocks(predicted: Snapshot, observed: Snapshot, judge: Judge, detail: Detail) -> tuple[Block, ...]:
    """Return the resident pages of one or both sides; nothing if neither is known.

    The grid stands alone where it is short and nothing differs. Else the runs tell, one a line, with the
    grid if that is asked for.
    """
    mine, seen = predicted.pages, observed.pages
    if mine is None and seen is None:
        return ()
    if not mine and not seen and not detail.pages:
        return (Paragraph("none"),)
    shown = page_runs(areas_of(predicted.vmas, observed.vmas), mine, seen)
    if not detail.pages:
        shown = tuple(each for each in shown if each.resident)
    grid = Grid(tuple(map(_grid_area, shown)))
    fits = sum(len(list(grid_rows(each.runs, _GRID_WIDTH))) for each in shown) <= _MOST_GRID_ROWS
    plain = judge.aspect("pages") in (Mark.GOOD, None)
    if detail.pages or (fits and plain and not detail.verbose):
        return (grid,) if plain and not detail.verbose else (grid, *_table(mine, seen, judge, detail))
    return _table(mine, seen, judge, detail)


def _grid_area(pages: AreaPages) -> GridArea:
    resident = f"{pages.resident}/{pages.count}"
    if pages.area is None:
        return GridArea(tr("in no area"), None, resident, pages.runs)
    vma = pages.area.either
    name = vma.name.rpartition("/")[2] if isinstance(vma.backing, FileBacking) else vma.name
    return GridArea(name, pages.area.kind, resident, pages.runs)


def _table(
    predicted: Sequence[PageState] | None,
    observed: Sequence[PageState] | None,
    judge: Judge,
    detail: Detail,
) -> tuple[Block, ...]:
    mine = {page.vpn: _kind(page) for page in predicted or ()}
    seen = {page.vpn: _kind(page) for page in observed or ()}
    both = predicted is not None and observed is not None
    pages = [(vpn, mine.get(vpn, ABSENT), seen.get(vpn, ABSENT)) for vpn in sorted(mine.keys() | seen.keys())]
    if not pages:
        return (Paragraph("none"),)
    columns: tuple[Column, ...] = (Column("pages"), Column("count", right=True))
    columns += (Column("predicted"), Column("observed")) if both else (Column("state"),)
    rows = []
    # Consecutive pages of one kind share `vpn - position`.
    for _, run in groupby(enumerate(pages), key=lambda item: (item[1][0] - item[0], *item[1][1:])):
        entries = [entry for _, entry in run]
        first, left, right = entries[0]
        span = f"{address_of(first):08x}-{address_of(entries[-1][0]) + PAGE_SIZE:08x}"
        states = tuple(map(tr, (left, right) if both else (right if predicted is None else left,)))
        mark = judge.place("pages", f"{address_of(first):#x}")
        rows.append(Row((span, str(len(entries)), *states), mark))
    if detail.verbose or len(rows) <= _MOST_TABLE_ROWS:
        return (Table(columns, tuple(rows)),)
    rest = tr(
        "and {more} more runs of pages; --verbose shows all {count} pages, --pages their picture"
    ).format(more=len(rows) - _MOST_TABLE_ROWS, count=len(pages))
    return (Table(columns, tuple(rows[:_MOST_TABLE_ROWS])), Paragraph(rest))


def _kind(page: PageState) -> str:
    return page.kind.value if page.kind is not None else _UNKNOWN_KIND
