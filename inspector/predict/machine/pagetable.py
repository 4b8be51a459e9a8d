"""Page tables: a tree of tables, its shape given as data, walked by one loop.

A virtual page number is cut into one index a level, the top level's first:

    x86-64    9 | 9 | 9 | 9        PGD  PUD  PMD  PTE
    PAE       2 | 9 | 9            PDPT  PD  PT
    i386      10 | 10              PD  PT

Tables are objects with lifetimes: a `map` allocates what is missing on its way down, and only
`free_tables` gives tables back. An emptied table stays until then, as it does in Linux.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SIZE, AddressRange, Vpn, address_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.page import PageKind
    from inspector.model.profile import PageTableGeometry


@dataclass(slots=True)
class PageTableEntry:
    """One present PTE."""

    kind: PageKind
    writable: bool


@dataclass(slots=True)
class _Table:
    """One table: present entries by index."""

    entries: dict[int, _Table | PageTableEntry] = field(default_factory=dict)


class PageTables:
    """The page tables of one address space."""

    def __init__(self, geometry: PageTableGeometry) -> None:
        """Start with the top-level table alone, as fork and execve do."""
        self._root = _Table()
        # Shift of each level's index within a page number, and the mask after shifting.
        self._levels: list[tuple[int, int]] = []
        shift = sum(geometry.index_bits)
        for bits in geometry.index_bits:
            shift -= bits
            self._levels.append((shift, (1 << bits) - 1))

    def lookup(self, vpn: Vpn) -> PageTableEntry | None:
        """Walk to the entry of page `vpn`; None if it, or a table on the way, is absent."""
        node: _Table | PageTableEntry | None = self._root
        for shift, mask in self._levels:
            if not isinstance(node, _Table):
                return None
            node = node.entries.get(vpn >> shift & mask)
        return node if isinstance(node, PageTableEntry) else None

    def map(self, vpn: Vpn, entry: PageTableEntry) -> None:
        """Set the entry of page `vpn`, allocating the tables it needs."""
        shift, mask = self._levels[-1]
        self._leaf_table(vpn).entries[vpn >> shift & mask] = entry

    def _leaf_table(self, vpn: Vpn) -> _Table:
        node = self._root
        for shift, mask in self._levels[:-1]:
            child = node.entries.setdefault(vpn >> shift & mask, _Table())
            if not isinstance(child, _Table):
                raise TypeError(f"page {vpn:#x} lies under a leaf entry")
            node = child
        return node

    def unmap(self, pages: AddressRange) -> None:
        """Clear every entry of `pages`; no table is freed."""
        for vpn, _ in list(self.entries(pages)):
            table = self._leaf_table(vpn)
            shift, mask = self._levels[-1]
            del table.entries[vpn >> shift & mask]

    def free_tables(self, pages: AddressRange, within: AddressRange) -> None:
        """Free each table that serves an address of `pages` and whose whole span lies inside `within`.

        `within` reaches from the end of the area below to the start of the area above, so that no
        table still serving a neighbour is freed. Source: mm/memory.c:free_pgd_range().
        """
        self._free(self._root, 0, 0, pages, within)

    def _free(self, table: _Table, level: int, base: int, pages: AddressRange, within: AddressRange) -> None:
        shift, _ = self._levels[level]
        for index, child in list(table.entries.items()):
            if not isinstance(child, _Table):
                continue
            start = base + (index << shift)
            span = AddressRange(address_of(start), address_of(start + (1 << shift)))
            if not span.overlaps(pages):
                continue
            self._free(child, level + 1, start, pages, within)
            if within.start <= span.start and span.end <= within.end:
                del table.entries[index]

    def entries(self, pages: AddressRange | None = None) -> Iterator[tuple[Vpn, PageTableEntry]]:
        """Yield the present entries, of `pages` or of all, in ascending order."""
        for vpn, entry in self._walk(self._root, 0, 0):
            if pages is None or address_of(vpn) in pages:
                yield vpn, entry

    def _walk(self, table: _Table, level: int, base: int) -> Iterator[tuple[Vpn, PageTableEntry]]:
        shift, _ = self._levels[level]
        for index, child in sorted(table.entries.items()):
            number = base + (index << shift)
            if isinstance(child, _Table):
                yield from self._walk(child, level + 1, number)
            else:
                yield Vpn(number), child

    @property
    def table_count(self) -> int:
        """Tables allocated, the top-level one not counted."""
        return self._count(self._root) - 1

    def _count(self, table: _Table) -> int:
        return 1 + sum(self._count(child) for child in table.entries.values() if isinstance(child, _Table))

    @property
    def size_bytes(self) -> int:
        """Memory taken by all tables below the top one, one page each (mm_pgtables_bytes())."""
        return self.table_count * PAGE_SIZE
