"""Page tables: a tree of tables, its shape given as data, walked by one loop.

A virtual page number is cut into one index a level, the top level's first:

    x86-64    9 | 9 | 9 | 9        PGD  PUD  PMD  PTE
    PAE       2 | 9 | 9            PDPT  PD  PT
    i386      10 | 10              PD  PT

Tables are objects with lifetimes: a `map` allocates what is missing on its way down, and only
`free_tables` gives tables back. An emptied table stays until then, as it does in Linux.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, AddressRange, Pfn, Vpn, address_of
from inspector.model.vma import Access

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.page import PageKind
    from inspector.model.profile import PageTableGeometry


@dataclass(slots=True)
class PageTableEntry:
    """One PTE in use, and what an operating system remembers of its frame.

    The hardware reads `frame` and `access` alone. Access.NONE: in use, but not present to the hardware, as
    after mprotect(PROT_NONE).
    """

    frame: Pfn
    access: Access
    """What ring 3 may do: always read, write by the R/W bit, execute where there is no NX bit."""
    kind: PageKind | None
    """None: a frame the operating system does not count as memory (VM_PFNMAP)."""
    exclusive: bool = False
    """The frame belongs to this entry alone and may be written in place (PageAnonExclusive)."""
    tells_use: bool = False
    """Whether the next two bits are kept: that takes time, and is of use where others share the frame."""
    accessed: bool = False
    """The A bit: it was used since the operating system cleared the bit and flushed the TLB."""
    dirty: bool = False
    """The D bit: it was written since then."""

    def use(self, access: Access) -> None:
        """Set the bits for an access of that kind."""
        if self.tells_use:
            self.accessed = True
            self.dirty |= access is Access.WRITE

    @property
    def writable(self) -> bool:
        """Whether ring 3 may write."""
        return Access.WRITE in self.access


class _Table:
    """One table: as many entries as the hardware's has, each None until it is set."""

    __slots__ = ("entries",)

    def __init__(self, size: int) -> None:
        self.entries: list[_Table | PageTableEntry | None] = [None] * size


class PageTables:
    """The page tables of one address space."""

    def __init__(self, geometry: PageTableGeometry) -> None:
        """Start with the top-level table alone, as fork and execve do."""
        # Shift of each level's index within a page number, and the mask after shifting.
        self._levels: list[tuple[int, int]] = []
        shift = sum(geometry.index_bits)
        for bits in geometry.index_bits:
            shift -= bits
            self._levels.append((shift, (1 << bits) - 1))
        self._root = self._new_table(0)
        self._leaf_bits = geometry.index_bits[-1]
        self._leaf_mask = (1 << self._leaf_bits) - 1
        self._leaves: dict[int, _Table] = {}
        """The lowest tables by the upper part of a page number, as a processor's paging-structure cache."""

    @property
    def leaf_pages(self) -> int:
        """Pages that one table of the lowest level serves (PTRS_PER_PTE)."""
        return 1 << self._leaf_bits

    def lookup(self, vpn: Vpn) -> PageTableEntry | None:
        """Walk to the entry of page `vpn`; None if it, or a table on the way, is absent."""
        leaf = self._leaves.get(vpn >> self._leaf_bits)
        if leaf is None:
            return None
        return leaf.entries[vpn & self._leaf_mask]  # type: ignore[return-value] # a lowest table's

    def map(self, vpn: Vpn, entry: PageTableEntry) -> None:
        """Set the entry of page `vpn`, allocating the tables it needs."""
        self._leaf_table(vpn).entries[vpn & self._leaf_mask] = entry

    def clear(self, vpn: Vpn) -> None:
        """Clear the entry of page `vpn`; no table is freed."""
        leaf = self._leaves.get(vpn >> self._leaf_bits)
        if leaf is not None:
            leaf.entries[vpn & self._leaf_mask] = None

    def has_leaf(self, vpn: Vpn) -> bool:
        """Whether the lowest table that serves page `vpn` is allocated."""
        return vpn >> self._leaf_bits in self._leaves

    def allocate(self, vpn: Vpn) -> None:
        """Allocate the tables that an entry for page `vpn` needs, and no entry."""
        self._leaf_table(vpn)

    def allocate_above(self, vpn: Vpn) -> None:
        """Allocate what tables lead to the page table of `vpn`, but not that one.

        Every fault does so before it is handled, and they stay if it fails.
        Source: mm/memory.c:__handle_mm_fault().
        """
        if vpn >> self._leaf_bits not in self._leaves:
            self._table(vpn, len(self._levels) - 2)

    def _leaf_table(self, vpn: Vpn) -> _Table:
        leaf = self._leaves.get(vpn >> self._leaf_bits)
        if leaf is None:
            leaf = self._leaves[vpn >> self._leaf_bits] = self._table(vpn, len(self._levels) - 1)
        return leaf

    def _new_table(self, depth: int) -> _Table:
        _, mask = self._levels[depth]
        return _Table(mask + 1)

    def _table(self, vpn: Vpn, depth: int) -> _Table:
        node = self._root
        for level, (shift, mask) in enumerate(self._levels[:depth], start=1):
            index = vpn >> shift & mask
            child = node.entries[index]
            if child is None:
                child = node.entries[index] = self._new_table(level)
            if not isinstance(child, _Table):
                raise TypeError(f"page {vpn:#x} lies under a leaf entry")
            node = child
        return node

    def free_leaf(self, address: int) -> None:
        """Free the lowest table that serves `address`, if there is one; it is empty."""
        upper = address >> PAGE_SHIFT >> self._leaf_bits
        if self._leaves.pop(upper, None) is None:
            return
        node = self._root
        for shift, mask in self._levels[:-2]:
            child = node.entries[address >> PAGE_SHIFT >> shift & mask]
            if isinstance(child, _Table):
                node = child
        shift, mask = self._levels[-2]
        node.entries[address >> PAGE_SHIFT >> shift & mask] = None

    def free_tables(self, pages: AddressRange, within: AddressRange) -> None:
        """Free each table that serves an address of `pages` and whose whole span lies inside `within`.

        `within` reaches from the end of the area below to the start of the area above, so that no
        table still serving a neighbour is freed. Source: mm/memory.c:free_pgd_range().
        """
        self._free(self._root, 0, 0, pages, within)

    def _free(self, table: _Table, level: int, base: int, pages: AddressRange, within: AddressRange) -> None:
        """Do so below `table`, whose first entry serves page number `base`."""
        shift, _ = self._levels[level]
        first = max((pages.start >> PAGE_SHIFT) - base, 0) >> shift
        last = (pages.end - 1 >> PAGE_SHIFT) - base >> shift
        for index, child in enumerate(table.entries[first : last + 1], first):
            if not isinstance(child, _Table):
                continue
            start = base + (index << shift)
            span = AddressRange(address_of(start), address_of(start + (1 << shift)))
            if shift > self._leaf_bits:
                self._free(child, level + 1, start, pages, within)
            if within.start <= span.start and span.end <= within.end:
                table.entries[index] = None
                self._leaves.pop(start >> self._leaf_bits, None)

    def entries(self, pages: AddressRange | None = None) -> Iterator[tuple[Vpn, PageTableEntry]]:
        """Yield the entries in use, of `pages` or of all, in ascending order.

        The table may change while they are yielded.
        """
        first, end = (pages.start >> PAGE_SHIFT, pages.end >> PAGE_SHIFT) if pages else (0, 1 << 52)
        for upper in sorted(self._leaves):
            base = upper << self._leaf_bits
            if base >= end or base + self.leaf_pages <= first:
                continue
            start = max(first - base, 0)
            for vpn, entry in enumerate(self._leaves[upper].entries[start : end - base], base + start):
                if isinstance(entry, PageTableEntry):
                    yield Vpn(vpn), entry

    @property
    def table_count(self) -> int:
        """Tables allocated, the top-level one not counted."""
        return self._count(self._root) - 1

    def _count(self, table: _Table) -> int:
        return 1 + sum(self._count(child) for child in table.entries if isinstance(child, _Table))

    @property
    def size_bytes(self) -> int:
        """Memory taken by all tables below the top one, one page each (mm_pgtables_bytes())."""
        return self.table_count * PAGE_SIZE
