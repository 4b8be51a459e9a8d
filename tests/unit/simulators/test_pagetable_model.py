"""Addresses taken apart, and the tables that pages need."""

from __future__ import annotations

import pytest

from inspector.errors import UsageError
from inspector.simulators.pagetable import GEOMETRIES, cost, geometry_named, parse_address, parse_pages, split


@pytest.mark.parametrize(
    ("name", "address", "indices"),
    [
        ("flat", 0x08048123, (0x8048,)),
        ("i386", 0xC0000000, (768, 0)),
        ("pae", 0xC0000000, (3, 0, 0)),
        ("x86-64", 0x7FFF_FFFF_FFFF, (255, 511, 511, 511)),
        ("x86-64-la57", 0x7FFF_FFFF_FFFF, (0, 255, 511, 511, 511)),
    ],
)
def test_an_address_is_cut_into_indices(name: str, address: int, indices: tuple[int, ...]) -> None:
    found = split(address, geometry_named(name))
    assert (found.indices, found.offset) == (indices, address & 0xFFF)


def test_the_figures_of_the_textbooks() -> None:
    flat, i386 = GEOMETRIES["flat"][0], GEOMETRIES["i386"][0]
    assert cost([1], flat).bytes == 4 << 20
    assert 100 * cost([1], flat).bytes == 400 << 20
    assert cost([1], i386).bytes == 8 << 10
    assert cost(range(1 << 20), i386).bytes == (4 << 20) + (4 << 10)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_top_table_is_there_before_any_page(name: str) -> None:
    geometry = geometry_named(name)
    assert cost([], geometry).tables == (1,) + (0,) * (len(geometry.index_bits) - 1)


def test_pages_in_one_table_share_it() -> None:
    assert cost([0, 1023], GEOMETRIES["i386"][0]).tables == (1, 1)
    assert cost([0, 1024], GEOMETRIES["i386"][0]).tables == (1, 2)


def test_ranges_of_pages_include_both_ends() -> None:
    assert parse_pages("0x10-0x12, 5") == [16, 17, 18, 5]


@pytest.mark.parametrize("text", ["", "-1", "3-1", "x", "1-", "0-0xffffffff"])
def test_what_is_no_list_of_pages_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_pages(text)
    assert error.value.help


def test_an_address_that_the_tables_do_not_reach_is_refused() -> None:
    with pytest.raises(UsageError, match="0x100000000 is out of range"):
        split(1 << 32, GEOMETRIES["i386"][0])
    with pytest.raises(UsageError, match="0x100000 is out of range"):
        cost([1 << 20], GEOMETRIES["flat"][0])
    with pytest.raises(UsageError):
        parse_address("main")


def test_an_address_given_for_a_page_gets_its_page_suggested() -> None:
    with pytest.raises(UsageError) as error:
        cost(parse_pages("0x8048000"), GEOMETRIES["i386"][0])
    assert "the page is 0x8048;" in (error.value.help or "")
    with pytest.raises(UsageError) as error:
        cost([1 << 40], GEOMETRIES["i386"][0])
    assert "the page is" not in (error.value.help or "")


def test_an_address_is_read_as_maps_prints_it() -> None:
    assert parse_address("08048000") == parse_address("0x8048000") == parse_address("134512640") == 0x8048000
