"""The page grid: every page of every area once, equal rows folded."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from inspector.model.address import AddressRange, VirtAddr, Vpn
from inspector.model.page import PageKind, PageState
from inspector.model.vma import Access, Anonymous, Sharing, Vma
from inspector.view.areas import areas_of
from inspector.view.pages import Cell, FoldedRows, GridRow, PageRun, cell_of, grid_rows, page_runs

FILE, ANON, ZERO = PageKind.FILE, PageKind.ANONYMOUS, PageKind.ZERO


def page(vpn: int, kind: PageKind | None = ANON) -> PageState:
    return PageState(Vpn(vpn), kind)


def area(first: int, after: int) -> Vma:
    span = AddressRange(VirtAddr(first << 12), VirtAddr(after << 12))
    return Vma(span, Access.READ, Sharing.PRIVATE, Anonymous())


def test_a_page_of_one_side_only_says_whose_it_is() -> None:
    assert cell_of(page(1), None) is Cell.PREDICTED_ONLY
    assert cell_of(None, page(1)) is Cell.OBSERVED_ONLY
    assert cell_of(page(1, FILE), page(1, ANON)) is Cell.OTHER_KIND


def test_who_sees_no_frames_does_not_differ() -> None:
    assert cell_of(page(1, ZERO), page(1, None)) is Cell.ZERO
    assert cell_of(page(1, None), page(1, None)) is Cell.UNKNOWN
    assert cell_of(page(1, FILE), page(1, None)) is Cell.OTHER_KIND


def test_an_area_is_shown_from_its_first_page_to_its_last() -> None:
    shown = page_runs(areas_of([area(0x10, 0x20)], None), [page(0x12, FILE), page(0x13, FILE)], None)
    assert [(run.cell, run.first, run.count) for run in shown[0].runs] == [
        (Cell.ABSENT, 0x10, 2),
        (Cell.FILE, 0x12, 2),
        (Cell.ABSENT, 0x14, 12),
    ]
    assert (shown[0].resident, shown[0].count) == (2, 16)


def test_a_side_that_is_not_known_makes_no_difference() -> None:
    (shown,) = page_runs(areas_of([area(1, 2)], None), [page(1)], None)
    assert [run.cell for run in shown.runs] == [Cell.ANONYMOUS]


def test_pages_in_no_area_are_shown_where_they_lie() -> None:
    shown = page_runs(areas_of([area(4, 6)], None), [page(1), page(2), page(5), page(9)], [])
    assert [(each.area is None, each.runs[0].first, each.count) for each in shown] == [
        (True, 1, 2),
        (False, 4, 2),
        (True, 9, 1),
    ]


def test_where_areas_lie_over_each_other_a_page_is_shown_once() -> None:
    areas = areas_of([area(4, 10)], [area(4, 6), area(6, 10)])
    shown = page_runs(areas, [page(7)], [page(7)])
    assert [each.count for each in shown] == [6, 0]
    assert sum(each.resident for each in shown) == 1


_KINDS = st.sampled_from([FILE, ANON, ZERO, None])
_SIDE = st.dictionaries(st.integers(0, 70), _KINDS, max_size=40)


@given(_SIDE, _SIDE, st.integers(1, 20))
def test_runs_and_rows_hold_each_page_as_it_is(
    mine: dict[int, PageKind | None], seen: dict[int, PageKind | None], width: int
) -> None:
    left = [page(vpn, mine[vpn]) for vpn in sorted(mine)]
    right = [page(vpn, seen[vpn]) for vpn in sorted(seen)]
    cells = {}
    for each in page_runs(areas_of([area(10, 30), area(30, 60)], None), left, right):
        rows = list(grid_rows(each.runs, width))
        assert all(a.after == b.first and a.cell is not b.cell for a, b in pairwise(each.runs))
        for row in rows:
            if isinstance(row, GridRow):
                assert row.first // width == (row.first + len(row.cells) - 1) // width
            expanded = row.cells if isinstance(row, GridRow) else (row.cell,) * row.count
            for offset, cell in enumerate(expanded):
                assert row.first + offset not in cells
                cells[row.first + offset] = cell
    expected = dict.fromkeys(range(10, 60), Cell.ABSENT)
    for vpn in mine.keys() | seen.keys():
        expected[vpn] = cell_of(
            page(vpn, mine[vpn]) if vpn in mine else None, page(vpn, seen[vpn]) if vpn in seen else None
        )
    assert cells == expected


def test_rows_that_are_alike_are_folded() -> None:
    runs = (PageRun(Cell.FILE, Vpn(0), 3), PageRun(Cell.ABSENT, Vpn(3), 61))
    assert list(grid_rows(runs, 8)) == [
        GridRow(Vpn(0), (Cell.FILE,) * 3 + (Cell.ABSENT,) * 5),
        FoldedRows(Vpn(8), Cell.ABSENT, 56),
    ]


def test_a_page_stands_in_the_column_of_its_number() -> None:
    runs = (PageRun(Cell.FILE, Vpn(6), 4), PageRun(Cell.ZERO, Vpn(10), 1))
    assert list(grid_rows(runs, 8)) == [
        GridRow(Vpn(6), (Cell.FILE, Cell.FILE)),
        GridRow(Vpn(8), (Cell.FILE, Cell.FILE, Cell.ZERO)),
    ]
