from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.model.address import AddressRange, VirtAddr
from inspector.model.vma import Access, Anonymous, Sharing, Vma
from inspector.view.areas import areas_of
from inspector.view.figure import FOLD, MINIMUM, figure_of, spread


def vma(start: int, end: int) -> Vma:
    return Vma(AddressRange(VirtAddr(start), VirtAddr(end)), Access.READ, Sharing.PRIVATE, Anonymous())


def test_what_is_mapped_is_to_scale_and_a_gap_is_folded() -> None:
    low, high = vma(0x10000, 0x20000), vma(0xC0000000, 0xC0030000)
    figure = figure_of(areas_of([low, high], None), 400.0)
    assert figure.y(low.start) - figure.y(low.end) == pytest.approx(100)
    assert figure.y(high.start) - figure.y(high.end) == pytest.approx(300)
    assert figure.y(low.end) - figure.y(high.start) == pytest.approx(FOLD)
    assert figure.y(high.end) == 0
    assert figure.y(low.start) == pytest.approx(figure.height)
    assert (figure.folded, figure.enlarged) == (((0x20000, 0xC0000000),), False)


def test_a_gap_that_is_short_by_scale_is_drawn_as_it_is() -> None:
    figure = figure_of(areas_of([vma(0x10000, 0x20000), vma(0x21000, 0x31000)], None), 320.0)
    assert figure.y(0x20000) - figure.y(0x21000) == pytest.approx(10)
    assert figure.folded == ()


def test_an_area_too_small_to_be_seen_is_drawn_larger_and_that_is_told() -> None:
    figure = figure_of(areas_of([vma(0x1000, 0x2000), vma(0x100000, 0x8000000)], None), 400.0)
    assert figure.y(0x1000) - figure.y(0x2000) == pytest.approx(MINIMUM)
    assert figure.enlarged


def test_both_sides_share_one_scale_where_their_areas_differ() -> None:
    figure = figure_of(areas_of([vma(0x1000, 0x5000)], [vma(0x1000, 0x3000), vma(0x4000, 0x6000)]), 500.0)
    assert [round(figure.y(address)) for address in (0x1000, 0x3000, 0x4000, 0x5000, 0x6000)] == [
        500, 300, 200, 100, 0,
    ]  # fmt: skip


ends = st.lists(st.integers(0, 1 << 20), min_size=2, max_size=40, unique=True).map(sorted)


@given(ends, ends)
def test_a_higher_address_is_never_drawn_lower(mine: list[int], seen: list[int]) -> None:
    sides = [
        [vma(start << 12, end << 12) for start, end in zip(side[::2], side[1::2], strict=False)]
        for side in (mine, seen)
    ]
    figure = figure_of(areas_of(*sides), 400.0)
    places = [
        figure.y(address) for address in sorted({end << 12 for end in (*mine, *seen)} & {*figure.addresses})
    ]
    assert all(lower > higher for lower, higher in pairwise(places))


@given(st.lists(st.floats(0, 500), max_size=40).map(sorted))
def test_labels_keep_their_order_and_distance_and_stay_where_there_is_room(wanted: list[float]) -> None:
    places = spread(wanted, 18.0)
    assert len(places) == len(wanted)
    assert all(after - before >= 18.0 - 1e-6 for before, after in pairwise(places))
    if all(after - before >= 18.0 for before, after in pairwise(wanted)):
        assert places == wanted


def test_labels_of_one_place_stand_around_it() -> None:
    assert spread([100.0, 100.0, 100.0], 10.0) == [90.0, 100.0, 110.0]
