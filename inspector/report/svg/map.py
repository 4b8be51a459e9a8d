"""The map to scale: a bar for each side, what each area is called beside them, gaps folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.language import tr
from inspector.report.document import Mark
from inspector.report.svg.drawing import MARGIN, kind_class
from inspector.report.text import printable, short_size, shortened
from inspector.view.areas import kind_of
from inspector.view.figure import LINE, figure_of, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.report.judge import Judge
    from inspector.report.svg.drawing import Drawing
    from inspector.view.areas import Area
    from inspector.view.figure import Figure

MAP_WIDTH = 430
_HEIGHT = 240.0
_BAR = 58
_BETWEEN = 6
_LONGEST_NAME = 22


def draw_map(
    drawing: Drawing, areas: Sequence[Area], sides: Sequence[str], judge: Judge, top: float
) -> float:
    """Draw the areas, the highest on top; return where the drawing ends. There is at least one area."""
    figure = figure_of(areas, max(_HEIGHT, LINE * len(areas)))
    for number, side in enumerate(sides):
        drawing.text(_left_of(number) + _BAR / 2, top + 8, tr(side), "small", "middle")
    beside: list[tuple[float, Area | tuple[int, int]]] = [
        *(((figure.y(area.end) + figure.y(area.start)) / 2, area) for area in areas),
        *(((figure.y(start) + figure.y(end)) / 2, (start, end)) for start, end in figure.folded),
    ]
    beside.sort(key=lambda item: item[0])
    places = spread([middle for middle, _ in beside])
    top += 16 + max(LINE / 2 - places[0], 0.0)
    for area in areas:
        _draw_bars(drawing, area, sides, judge, figure, top)
    right = _left_of(len(sides))
    for (middle, what), place in zip(beside, places, strict=True):
        drawing.line((right, top + middle), (right + 14, top + place))
        if isinstance(what, tuple):
            words = tr("{size} not mapped").format(size=f"{'':14}{short_size(what[1] - what[0]):>6}")
        else:
            words = _words(what)
            drawing.kinds.add(what.kind)
        drawing.text(right + 18, top + place + 4, words, "mono")
    return top + max(figure.height, places[-1] + LINE / 2)


def _left_of(number: int) -> int:
    return MARGIN + number * (_BAR + _BETWEEN)


def _draw_bars(
    drawing: Drawing, area: Area, sides: Sequence[str], judge: Judge, figure: Figure, top: float
) -> None:
    wrong = judge.place("VMAs", f"{area.start:#x}") is Mark.BAD
    for number, side in enumerate(sides):
        vma = area.predicted if side == "predicted" else area.observed
        if vma is not None:
            high = figure.y(vma.end)
            kind = kind_class(kind_of(vma)) + (" differs" if wrong else "")
            low = figure.y(vma.start)
            drawing.box(_left_of(number), top + high, _BAR, low - high, kind, f"{tr(side)}{tr(': ')}{vma}")


def _words(area: Area) -> str:
    vma = area.either
    name = shortened(printable(vma.name.rpartition("/")[2]), _LONGEST_NAME) or "anonymous"
    return f"{vma.start:08x} {vma.perms} {short_size(vma.range.size_bytes):>6} {name}"
