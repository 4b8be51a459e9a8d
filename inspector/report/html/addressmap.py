"""The address space of one stop as a drawing: two bars to scale, what each area is called beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.language import N_, tr
from inspector.report.document import Mark
from inspector.report.html.words import area_name, rough_size
from inspector.report.text import counted, short_size
from inspector.view.areas import areas_of, kind_of
from inspector.view.figure import LINE, figure_of, spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.model.vma import Vma
    from inspector.report.judge import Judge
    from inspector.view.areas import Area
    from inspector.view.figure import Figure

_MAPPED_HEIGHT = 430.0
_MARGIN = 8.0
_LONGEST_NAME = 22
PREDICTED, OBSERVED = N_("predicted"), N_("observed")


@dataclass(frozen=True, slots=True)
class Bar:
    """An area of one side."""

    side: str
    """`predicted` or `observed`."""
    y: float
    height: float
    kind: str
    start: int
    end: int
    differs: bool


@dataclass(frozen=True, slots=True)
class Label:
    """What stands beside the bars of an area."""

    start: int
    end: int
    middle: float
    """Of the bars."""
    y: float
    """Of the text."""
    kind: str
    address: str
    perms: str
    size: str
    name: str
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class GapLine:
    """Where addresses are left out."""

    middle: float
    """Of the fold."""
    y: float
    """Of the text."""
    text: str


@dataclass(frozen=True, slots=True)
class AddressMap:
    """The drawing."""

    height: float
    bars: tuple[Bar, ...]
    labels: tuple[Label, ...]
    gaps: tuple[GapLine, ...]
    scale: str
    """What one pixel stands for, in words."""
    sides: tuple[str, ...]
    words: str
    """What the drawing shows, for who cannot see it."""


def address_map(
    checkpoint: str, predicted: Sequence[Vma] | None, observed: Sequence[Vma] | None, judge: Judge
) -> AddressMap | None:
    """Return the drawing of a stop; None where neither side knows its areas."""
    areas = areas_of(predicted, observed)
    if not areas:
        return None
    figure = figure_of(areas, max(_MAPPED_HEIGHT, LINE * len(areas)))
    # From the top down: what stands beside the bars, each with the middle of what it is about.
    beside: list[tuple[float, Area | tuple[int, int]]] = [
        *(((figure.y(area.end) + figure.y(area.start)) / 2, area) for area in areas),
        *(((figure.y(start) + figure.y(end)) / 2, (start, end)) for start, end in figure.folded),
    ]
    beside.sort(key=lambda item: item[0])
    places = spread([middle for middle, _ in beside])
    # The first label may stand above the first bar.
    shift = max(LINE / 2 - places[0], 0.0) + _MARGIN
    labels, gaps = [], []
    for (middle, what), place in zip(beside, places, strict=True):
        if isinstance(what, tuple):
            gaps.append(GapLine(middle + shift, place + shift, _gap_words(*what)))
        else:
            labels.append(_label(what, middle + shift, place + shift, judge))
    sides = tuple(name for name, vmas in ((PREDICTED, predicted), (OBSERVED, observed)) if vmas is not None)
    return AddressMap(
        max(figure.height, places[-1] + LINE / 2) + shift + _MARGIN,
        tuple(_bars(areas, figure, shift, judge)),
        tuple(labels),
        tuple(gaps),
        _scale(figure),
        sides,
        _words(checkpoint, sides, len(labels)),
    )


def _gap_words(start: int, end: int) -> str:
    return tr("{size} not mapped").format(size=rough_size(end - start))


def _scale(figure: Figure) -> str:
    words = (
        tr(
            "One pixel is {size}; what would be thinner than 4 pixels is drawn 4 pixels high; "
            "gaps are folded."
        )
        if figure.enlarged
        else tr("One pixel is {size}; gaps are folded.")
    )
    return words.format(size=rough_size(round(figure.bytes_a_unit)))


def _words(checkpoint: str, sides: Sequence[str], areas: int) -> str:
    words = (
        tr("Address space at {checkpoint}, {sides}: {areas}; the table below has them all")
        if len(sides) == 1
        else tr(
            "Address space at {checkpoint}, predicted beside observed: {areas}; the table below has them all"
        )
    )
    return words.format(checkpoint=checkpoint, sides=tr(sides[0]), areas=counted(areas, "area"))


def _bars(areas: Sequence[Area], figure: Figure, shift: float, judge: Judge) -> Iterator[Bar]:
    for area in areas:
        differs = judge.place("VMAs", f"{area.start:#x}") is Mark.BAD
        for side, vma in ((PREDICTED, area.predicted), (OBSERVED, area.observed)):
            if vma is not None:
                top, bottom = figure.y(vma.end), figure.y(vma.start)
                yield Bar(side, top + shift, bottom - top, kind_of(vma).value, vma.start, vma.end, differs)


def _label(area: Area, middle: float, place: float, judge: Judge) -> Label:
    return Label(
        area.start,
        area.end,
        middle,
        place,
        area.kind.value,
        f"{area.start:08x}",
        area.either.perms,
        short_size(area.end - area.start),
        area_name(area.either, _LONGEST_NAME),
        judge.place("VMAs", f"{area.start:#x}"),
    )
