"""Page grids as a page holds them: the pages of every area as runs, which its scripts draw."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from typing import TYPE_CHECKING, Any

from inspector.language import tr
from inspector.model.address import PAGE_SHIFT, AddressRange, VirtAddr
from inspector.report.html.faults import mapped_pages, pages_before_faults
from inspector.report.html.words import area_label, count_words
from inspector.report.text import printable
from inspector.view.areas import areas_of, kind_of
from inspector.view.pages import Cell, cell_of, page_runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inspector.model.fault import Fault
    from inspector.model.page import PageState
    from inspector.model.prediction import Prediction
    from inspector.model.snapshot import Snapshot
    from inspector.model.vma import Vma
    from inspector.view.pages import AreaPages

CELLS = tuple(cell.value for cell in Cell)
"""The cells by the number that stands for each."""
_NUMBERS = {cell: number for number, cell in enumerate(Cell)}


def grid_of(predicted: Snapshot | None, observed: Snapshot | None) -> list[dict[str, Any]]:
    """Return the pages of every area at one stop; none where neither side knows them."""
    mine, seen = (None if each is None else each.pages for each in (predicted, observed))
    if mine is None and seen is None:
        return []
    vmas = (None if each is None else each.vmas for each in (predicted, observed))
    return [_area(each) for each in page_runs(areas_of(*vmas), mine, seen)]


def _area(pages: AreaPages) -> dict[str, Any]:
    counts = Counter[Cell]()
    for run in pages.runs:
        counts[run.cell] += run.count
    resident = {cell: number for cell, number in counts.items() if cell is not Cell.ABSENT}
    return {
        "first": pages.runs[0].first if pages.runs else 0,
        "count": pages.count,
        "label": tr("in no area") if pages.area is None else area_label(pages.area.either),
        "kind": "" if pages.area is None else pages.area.kind.value,
        "words": count_words(((cell.value, number) for cell, number in resident.items()), pages.count),
        "runs": [number for run in pages.runs for number in (_NUMBERS[run.cell], run.count)],
    }


def timeline_grid(prediction: Prediction, faults: Sequence[Fault]) -> dict[str, Any]:
    """Return the areas in which faults of process 0 make pages resident, and the pages before the first.

    An area is shown as it is at the last stop; what is gone by then, as it was when it faulted.
    """
    own = [fault for fault in faults if fault.process == 0]
    first = pages_before_faults(prediction, faults)
    snapshot = next(iter(prediction.snapshots), None)
    kinds: dict[int, PageState] = {
        page.vpn: page for page in (snapshot.pages if snapshot is not None else None) or ()
    }
    touched = _merged([*(range(vpn, vpn + 1) for vpn in first), *map(mapped_pages, own)])
    areas = [vma for each in reversed(prediction.snapshots) for vma in each.vmas or ()]
    areas += dict.fromkeys(fault.area for fault in own if fault.area is not None)
    return {
        "areas": [
            {
                "first": where.start >> PAGE_SHIFT,
                "count": where.size_bytes >> PAGE_SHIFT,
                "label": area_label(vma, where),
                "kind": kind_of(vma).value,
            }
            for where, vma in disjoint(areas)
            if _any_within(touched, where.start >> PAGE_SHIFT, where.end >> PAGE_SHIFT)
        ],
        "resident": [number for vpn in first for number in (vpn, _NUMBERS[cell_of(kinds[vpn], kinds[vpn])])],
        "process": printable(prediction.program.requested),
    }


def disjoint(vmas: Iterable[Vma]) -> list[tuple[AddressRange, Vma]]:
    """Return, ascending, what of each area no earlier one of `vmas` covers."""
    starts: list[int] = []
    taken: dict[int, tuple[AddressRange, Vma]] = {}
    for vma in vmas:
        for left in list(_uncovered(vma.range, starts, taken)):
            insort(starts, left.start)
            taken[left.start] = (left, vma)
    return [taken[start] for start in starts]


def _uncovered(
    wanted: AddressRange, starts: Sequence[int], taken: dict[int, tuple[AddressRange, Vma]]
) -> Iterator[AddressRange]:
    reached = wanted.start
    for start in starts[max(bisect_right(starts, wanted.start) - 1, 0) : bisect_left(starts, wanted.end)]:
        there = taken[start][0]
        if there.start > reached:
            yield AddressRange(reached, there.start)
        reached = VirtAddr(max(reached, there.end))
    if reached < wanted.end:
        yield AddressRange(reached, wanted.end)


def _merged(ranges: Iterable[range]) -> list[range]:
    """Return the same numbers as ranges that are ascending and apart."""
    merged: list[range] = []
    for each in sorted(filter(len, ranges), key=lambda each: each.start):
        if merged and each.start <= merged[-1].stop:
            merged[-1] = range(merged[-1].start, max(merged[-1].stop, each.stop))
        else:
            merged.append(each)
    return merged


def _any_within(merged: Sequence[range], first: int, after: int) -> bool:
    position = bisect_right(merged, first, key=lambda each: each.stop)
    return position < len(merged) and merged[position].start < after
