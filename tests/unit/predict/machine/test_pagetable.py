from __future__ import annotations

import pytest

from inspector.model.address import AddressRange, Pfn, VirtAddr, Vpn
from inspector.model.page import PageKind
from inspector.model.profile import PageTableGeometry
from inspector.model.vma import Access
from inspector.predict.machine.pagetable import PageTableEntry, PageTables
from tests.machines import I386, PAE, X86_64

ALL = AddressRange(VirtAddr(0), VirtAddr(1 << 47))


def anonymous() -> PageTableEntry:
    return PageTableEntry(Pfn(1), Access.READ | Access.WRITE, PageKind.ANONYMOUS)


def span(start: int, end: int) -> AddressRange:
    return AddressRange(VirtAddr(start), VirtAddr(end))


@pytest.mark.parametrize(
    ("geometry", "one_page", "two_far_pages"),
    [(X86_64, 3, 5), (PAE, 2, 4), (I386, 1, 2)],
    ids=lambda value: value.name if isinstance(value, PageTableGeometry) else str(value),
)
def test_tables_are_allocated_on_the_way_down(
    geometry: PageTableGeometry, one_page: int, two_far_pages: int
) -> None:
    tables = PageTables(geometry)
    assert tables.table_count == 0
    tables.map(Vpn(0x8048), anonymous())
    assert tables.table_count == one_page
    tables.map(Vpn(0xFFFFD), anonymous())
    assert tables.table_count == two_far_pages
    assert tables.size_bytes == two_far_pages * 4096


def test_an_emptied_table_stays_until_it_is_freed() -> None:
    tables = PageTables(X86_64)
    tables.map(Vpn(0x8048), anonymous())
    tables.clear(Vpn(0x8048))
    assert tables.lookup(Vpn(0x8048)) is None
    assert tables.table_count == 3
    tables.free_tables(span(0x8048000, 0x8049000), ALL)
    assert tables.table_count == 0


def test_a_table_that_serves_a_neighbour_is_kept() -> None:
    tables = PageTables(X86_64)
    tables.map(Vpn(0x8048), anonymous())
    tables.map(Vpn(0x8050), anonymous())
    tables.clear(Vpn(0x8048))
    tables.free_tables(span(0x8048000, 0x8049000), span(0, 0x8050000))
    assert tables.table_count == 3
    assert tables.lookup(Vpn(0x8050)) is not None


def test_a_page_number_under_a_leaf_is_refused() -> None:
    tables = PageTables(PageTableGeometry("flat", (20,), 4))
    tables.map(Vpn(1), anonymous())
    assert [vpn for vpn, _ in tables.entries()] == [1]
    assert tables.table_count == 0


def test_a_fault_that_fails_leaves_all_tables_but_the_last() -> None:
    for geometry, left in ((X86_64, 2), (PAE, 1), (I386, 0)):
        tables = PageTables(geometry)
        tables.allocate_above(Vpn(0x8048))
        assert tables.table_count == left
        assert tables.lookup(Vpn(0x8048)) is None
