"""Map and page grid as one SVG, for slides and notebooks: a panel for each stop, readable in light and dark.

Everything is as wide as the viewBox, which is fixed, and nothing is asked for from elsewhere: no script, link
or font. Texts are made printable first, for XML cannot hold every character that a path can; ElementTree
escapes the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.language import tr
from inspector.report.areas import KIND_LEGEND, KIND_WORDS
from inspector.report.pages import CELL_LEGEND
from inspector.report.snapshot import moment
from inspector.report.svg.drawing import MARGIN, WIDTH, Drawing, cell_class, kind_class
from inspector.report.svg.grid import CELL, draw_grids
from inspector.report.svg.map import draw_map
from inspector.report.text import printable, shortened
from inspector.view.areas import areas_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.model.snapshot import Snapshot
    from inspector.report.judge import Judge

_HEADING = 22
_TITLE = 30
_LONGEST_TITLE = 90
_LEGEND_COLUMN = 230
_LINE = 16


@dataclass(frozen=True, slots=True)
class Panel:
    """One stop of one side or both, and what was found of it."""

    predicted: Snapshot | None
    observed: Snapshot | None
    judge: Judge

    @property
    def checkpoint(self) -> str:
        """The stop's name."""
        either = self.observed or self.predicted
        return "" if either is None else either.checkpoint


def svg_picture(title: str, panels: Sequence[Panel]) -> str:
    """Return the picture of some stops, one below the other, as a whole SVG document."""
    drawing = Drawing(printable(title))
    drawing.text(MARGIN, MARGIN + 14, shortened(printable(title), _LONGEST_TITLE), "title")
    y = float(MARGIN + _TITLE)
    for panel in panels:
        y = _panel(drawing, panel, y) + MARGIN
    if not panels:
        drawing.text(MARGIN, y + 10, tr("There is no process to look at."))
        y += _TITLE
    return drawing.finished(_legend(drawing, y) + MARGIN)


def _panel(drawing: Drawing, panel: Panel, top: float) -> float:
    """Draw one stop from `top` on; return where it ends."""
    drawing.text(MARGIN, top + 12, moment(panel.checkpoint), "heading")
    top += _HEADING
    mine = None if panel.predicted is None else panel.predicted.vmas
    seen = None if panel.observed is None else panel.observed.vmas
    areas = areas_of(mine, seen)
    if not areas:
        drawing.text(MARGIN, top + 10, tr("Its areas are not known."))
        return top + _HEADING
    sides = tuple(name for name, side in (("predicted", mine), ("observed", seen)) if side is not None)
    pages = tuple(None if side is None else side.pages for side in (panel.predicted, panel.observed))
    below_map = draw_map(drawing, areas, sides, panel.judge, top)
    return max(below_map, draw_grids(drawing, areas, pages[0], pages[1], top))


def _legend(drawing: Drawing, top: float) -> float:
    """Draw what the colours mean that occur; return where the legend ends."""
    entries = [
        (kind_class(kind), f"{KIND_WORDS[kind]}{tr(': ')}{tr(meaning)}")
        for kind, meaning in KIND_LEGEND
        if kind in drawing.kinds
    ]
    entries += [
        (cell_class(cell), tr("page: {state}").format(state=tr(meaning)))
        for cell, meaning in CELL_LEGEND
        if cell in drawing.cells
    ]
    columns = (WIDTH - 2 * MARGIN) // _LEGEND_COLUMN
    for number, (kind, words) in enumerate(entries):
        x = MARGIN + number % columns * _LEGEND_COLUMN
        y = top + number // columns * _LINE
        drawing.box(x, y + 2, CELL + 3, CELL + 3, kind)
        drawing.text(x + CELL + 9, y + 11, words, "small")
    return top + -(-len(entries) // columns) * _LINE


__all__ = ["Panel", "svg_picture"]
