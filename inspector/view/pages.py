"""The pages of each area as runs, and the runs as a grid: a cell a page, equal rows folded.

Runs are kept, not pages: an area of a gigabyte of which a handful of pages is resident is a handful of runs.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.model.address import VirtAddr, Vpn, address_of, vpn_of
from inspector.model.page import PageKind, PageState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.view.areas import Area


class Cell(enum.Enum):
    """How a page stands: absent, resident with this kind of contents, or other for the two sides."""

    ABSENT = "absent"
    FILE = "file"
    ANONYMOUS = "anonymous"
    ZERO = "zero"
    SPECIAL = "special"
    UNKNOWN = "unknown"
    """Resident; whether the zero page or one of its own could not be told."""
    PREDICTED_ONLY = "predicted only"
    OBSERVED_ONLY = "observed only"
    OTHER_KIND = "other kind"
    """Resident on both sides, with contents of another kind."""

    @property
    def differs(self) -> bool:
        """Whether the two sides do not have the same here."""
        return self in (Cell.PREDICTED_ONLY, Cell.OBSERVED_ONLY, Cell.OTHER_KIND)


_OF_KINDS = {
    PageKind.FILE: Cell.FILE,
    PageKind.ANONYMOUS: Cell.ANONYMOUS,
    PageKind.ZERO: Cell.ZERO,
    PageKind.SPECIAL: Cell.SPECIAL,
    None: Cell.UNKNOWN,
}
_COULD_BE_UNKNOWN = (PageKind.ANONYMOUS, PageKind.ZERO, None)
"""Who sees no frames cannot tell these apart; it is no difference."""


@dataclass(frozen=True, slots=True)
class PageRun:
    """Consecutive pages that stand alike."""

    cell: Cell
    first: Vpn
    count: int

    @property
    def start(self) -> VirtAddr:
        """First address of the first page."""
        return address_of(self.first)

    @property
    def after(self) -> Vpn:
        """The number of the page after the last."""
        return Vpn(self.first + self.count)


@dataclass(frozen=True, slots=True)
class AreaPages:
    """An area, or None for pages that are in none, and all its pages as runs without a gap."""

    area: Area | None
    runs: tuple[PageRun, ...]

    @property
    def resident(self) -> int:
        """How many pages are there, on either side."""
        return sum(run.count for run in self.runs if run.cell is not Cell.ABSENT)

    @property
    def count(self) -> int:
        """How many pages there are in all."""
        return sum(run.count for run in self.runs)


def cell_of(predicted: PageState | None, observed: PageState | None) -> Cell:
    """Return how a page stands that both sides know of; None: absent there."""
    if predicted is None or observed is None:
        if predicted is observed:
            return Cell.ABSENT
        return Cell.OBSERVED_ONLY if predicted is None else Cell.PREDICTED_ONLY
    mine, seen = predicted.kind, observed.kind
    if mine is seen:
        return _OF_KINDS[seen]
    if None in (mine, seen) and mine in _COULD_BE_UNKNOWN and seen in _COULD_BE_UNKNOWN:
        return _OF_KINDS[mine if seen is None else seen]
    return Cell.OTHER_KIND


def page_runs(
    areas: Sequence[Area],
    predicted: Sequence[PageState] | None,
    observed: Sequence[PageState] | None,
) -> tuple[AreaPages, ...]:
    """Return the pages of every area; resident pages in no area follow, without one, where they lie.

    `predicted`, `observed`: the resident pages of each side, ascending. None: that side is not known, and the
    other's pages are no difference to it. Where the areas of two sides lie over each other, a page is shown
    once, with the lower.
    """
    cells = _cells(predicted, observed)
    shown: list[AreaPages] = []
    position, reached = 0, Vpn(0)
    for area in areas:
        first, after = max(vpn_of(area.start), reached), vpn_of(area.end)
        reached = max(reached, after)
        outside = position
        while position < len(cells) and cells[position][0] < first:
            position += 1
        shown += _loose(cells[outside:position])
        inside = position
        while position < len(cells) and cells[position][0] < after:
            position += 1
        shown.append(AreaPages(area, tuple(_runs(cells[inside:position], first, after))))
    return (*shown, *_loose(cells[position:]))


def _cells(
    predicted: Sequence[PageState] | None, observed: Sequence[PageState] | None
) -> list[tuple[Vpn, Cell]]:
    """Return the pages that are resident on a side, ascending, each with its cell."""
    if predicted is None or observed is None:
        either = observed if predicted is None else predicted
        return [(page.vpn, _OF_KINDS[page.kind]) for page in either or ()]
    mine = {page.vpn: page for page in predicted}
    seen = {page.vpn: page for page in observed}
    return [(vpn, cell_of(mine.get(vpn), seen.get(vpn))) for vpn in sorted(mine.keys() | seen.keys())]


def _runs(cells: Sequence[tuple[Vpn, Cell]], first: Vpn, after: Vpn) -> Iterator[PageRun]:
    """Yield the runs from page `first` up to `after`, with what is not among `cells` as absent."""
    start, count, current = first, 0, Cell.ABSENT
    for vpn, cell in cells:
        at = start + count
        if vpn > at and current is Cell.ABSENT:
            count += vpn - at
        elif vpn > at:
            yield PageRun(current, start, count)
            start, count, current = Vpn(at), vpn - at, Cell.ABSENT
        if cell is not current:
            if count:
                yield PageRun(current, start, count)
            start, count, current = vpn, 0, cell
        count += 1
    left = after - (start + count)
    if left > 0 and current is not Cell.ABSENT:
        yield PageRun(current, start, count)
        start, count, current = Vpn(start + count), 0, Cell.ABSENT
    if count + left > 0:
        yield PageRun(current, start, count + left)


def _loose(cells: Sequence[tuple[Vpn, Cell]]) -> Iterator[AreaPages]:
    """Yield the pages that are in no area: a group for each stretch without a hole."""
    begin = 0
    for position in range(1, len(cells) + 1):
        if position == len(cells) or cells[position][0] != cells[position - 1][0] + 1:
            group = cells[begin:position]
            yield AreaPages(None, tuple(_runs(group, group[0][0], Vpn(group[-1][0] + 1))))
            begin = position


@dataclass(frozen=True, slots=True)
class GridRow:
    """A row of a page grid: it ends where page numbers are a multiple of the grid's width."""

    first: Vpn
    cells: tuple[Cell, ...]
    """A page each; the first and the last row of an area may be shorter than the others."""


@dataclass(frozen=True, slots=True)
class FoldedRows:
    """What stands for so many rows in which every page is alike."""

    first: Vpn
    cell: Cell
    count: int
    """Pages, not rows."""


def grid_rows(runs: Sequence[PageRun], width: int, *, most_alike: int = 2) -> Iterator[GridRow | FoldedRows]:
    """Yield rows of `width` pages; one stands for more than `most_alike` full rows of a single cell.

    A page's column is its number modulo `width`, so that the aligned windows of fault-around stand below each
    other, and a row that begins inside such a window is short.
    """
    pending: list[Cell] = []
    begin = runs[0].first if runs else Vpn(0)
    for run in runs:
        left = run.count
        if pending or begin % width:
            taken = min(left, width - begin % width - len(pending))
            pending += [run.cell] * taken
            left -= taken
            if (begin + len(pending)) % width == 0:
                yield GridRow(begin, tuple(pending))
                begin, pending = Vpn(begin + len(pending)), []
        whole = left // width if not pending else 0
        if whole > most_alike:
            yield FoldedRows(begin, run.cell, whole * width)
            begin = Vpn(begin + whole * width)
        else:
            for _ in range(whole):
                yield GridRow(begin, (run.cell,) * width)
                begin = Vpn(begin + width)
        pending += [run.cell] * (left - whole * width)
    if pending:
        yield GridRow(begin, tuple(pending))


__all__ = [
    "AreaPages",
    "Cell",
    "FoldedRows",
    "GridRow",
    "PageRun",
    "cell_of",
    "grid_rows",
    "page_runs",
]
