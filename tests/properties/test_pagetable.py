"""Page tables behave as a dictionary of pages, and cost what the distinct prefixes of its keys cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from inspector.model.address import AddressRange, Pfn, VirtAddr, Vpn
from inspector.model.page import PageKind
from inspector.model.vma import Access
from inspector.predict.machine.pagetable import PageTableEntry, PageTables
from tests.machines import I386, PAE, X86_64

if TYPE_CHECKING:
    from inspector.model.profile import PageTableGeometry

pages = (
    st.integers(0, (1 << 20) - 1) | st.integers(0x8048, 0x8058) | st.sampled_from([0, 0x3FF, 0x400, 0xFFFFD])
)
steps = st.lists(st.tuples(st.sampled_from(["map", "unmap"]), pages, st.integers(1, 2048)), max_size=40)


def unmap(tables: PageTables, gone: AddressRange) -> None:
    for vpn, _ in tables.entries(gone):
        tables.clear(vpn)


@given(st.sampled_from([X86_64, PAE, I386]), steps)
def test_tables_are_freed_without_a_page_of_others(
    geometry: PageTableGeometry, actions: list[tuple[str, int, int]]
) -> None:
    tables, model = PageTables(geometry), dict[int, PageTableEntry]()
    for action, first, count in actions:
        if action == "map":
            tables.map(Vpn(first), model.setdefault(first, PageTableEntry(Pfn(1), Access.READ, None)))
            continue
        end = first + count
        unmap(tables, AddressRange(VirtAddr(first << 12), VirtAddr(end << 12)))
        model = {vpn: entry for vpn, entry in model.items() if not first <= vpn < end}
        below = max((vpn + 1 for vpn in model if vpn < first), default=0)
        above = min((vpn for vpn in model if vpn >= end), default=1 << 35)
        room = AddressRange(VirtAddr(below << 12), VirtAddr(above << 12))
        tables.free_tables(AddressRange(VirtAddr(first << 12), VirtAddr(end << 12)), room)
        assert dict(tables.entries()) == dict(sorted(model.items()))
        assert all(tables.lookup(Vpn(vpn)) is entry for vpn, entry in model.items())


@given(st.sampled_from([X86_64, PAE, I386]), steps)
def test_same_as_a_dictionary(geometry: PageTableGeometry, actions: list[tuple[str, int, int]]) -> None:
    tables, model = PageTables(geometry), dict[int, PageTableEntry]()
    for action, first, count in actions:
        if action == "map":
            entry = PageTableEntry(Pfn(count), Access.READ, PageKind.FILE)
            tables.map(Vpn(first), entry)
            model[first] = entry
        else:
            gone = AddressRange(VirtAddr(first << 12), VirtAddr((first + count) << 12))
            unmap(tables, gone)
            model = {vpn: entry for vpn, entry in model.items() if not first <= vpn < first + count}
    assert dict(tables.entries()) == dict(sorted(model.items()))
    assert [vpn for vpn, _ in tables.entries()] == sorted(model)
    assert all(tables.lookup(Vpn(vpn)) is entry for vpn, entry in model.items())


@given(st.sampled_from([X86_64, PAE, I386]), st.sets(pages, min_size=1, max_size=30))
def test_tables_are_the_distinct_prefixes(geometry: PageTableGeometry, mapped: set[int]) -> None:
    tables = PageTables(geometry)
    for vpn in mapped:
        tables.map(Vpn(vpn), PageTableEntry(Pfn(1), Access.READ | Access.WRITE, PageKind.ANONYMOUS))
    shifts = [sum(geometry.index_bits[level:]) for level in range(1, len(geometry.index_bits))]
    assert tables.table_count == sum(len({vpn >> shift for vpn in mapped}) for shift in shifts)
    everything = AddressRange(VirtAddr(0), VirtAddr(1 << 47))
    unmap(tables, everything)
    tables.free_tables(everything, everything)
    assert tables.table_count == 0
