"""Mapping the pages of a file around a fault (mm/filemap.c, mm/memory.c).

The pages of the window are mapped, and each large folio that it touches comes whole, if that lies inside the
file, the area and the page table (rule `fault.large-folio`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, Vpn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.folio import FileFolios
    from inspector.predict.kernel.mm import AddressSpace
    from inspector.predict.kernel.vma import MappedFile, VmArea


def pages_around(mm: AddressSpace, area: VmArea, file: MappedFile, vpn: Vpn, window: range) -> list[Vpn]:
    """Return the absent pages that fault-around maps for a read of the absent page `vpn`.

    `window` are the pages it looks at, inside the file; the page itself need not be. What is not in memory,
    it does not map. Source: mm/memory.c:do_fault_around(), mm/filemap.c:filemap_map_pages().
    """
    folios = mm.page_cache.folios(file)
    if folios.large:
        return list(_Mapping(mm, area, file, folios).map_pages(vpn, window))
    first = (area.start >> PAGE_SHIFT) - area.page_offset
    return [
        Vpn(page)
        for page in window
        if mm.page_tables.lookup(Vpn(page)) is None and mm.page_cache.has(file, page - first)
    ]


def pages_of_fault(mm: AddressSpace, area: VmArea, file: MappedFile, vpn: Vpn) -> list[Vpn]:
    """Return the absent pages that are mapped with `vpn`, where fault-around has not mapped that page.

    Source: mm/memory.c:finish_fault().
    """
    folios = mm.page_cache.folios(file)
    if not folios.large:
        return [vpn]
    return list(_Mapping(mm, area, file, folios).finish_fault(vpn))


class _Mapping:
    """A file with large folios, as an area maps it. Folios are given by their pages in the address space."""

    def __init__(self, mm: AddressSpace, area: VmArea, file: MappedFile, folios: FileFolios) -> None:
        self._mm = mm
        self._file = file
        self._folios = folios
        self._area = range(area.start >> PAGE_SHIFT, area.end >> PAGE_SHIFT)
        self._first = self._area.start - area.page_offset
        self._end = self._first + -(-file.size // PAGE_SIZE)
        """The page behind the last of the file."""

    def map_pages(self, vpn: Vpn, window: range) -> Iterator[Vpn]:
        """Yield what fault-around maps. Source: mm/filemap.c:filemap_map_pages()."""
        # Where the page table is still missing, filemap_map_pmd() would install it, and is not called for a
        # folio that reaches the end of the file.
        if not self._mm.page_tables.has_leaf(vpn) and not self._ends_before(self._end, window.start):
            return
        page = window.start
        while page < window.stop:
            folio = self._folio(page)
            whole = self._ends_before(self._end, page) and self._fits(folio) and self._whole(folio, window)
            pages = folio if whole else range(page, min(folio.stop, window.stop))
            yield from self._absent(pages)
            page = pages.stop

    def finish_fault(self, vpn: Vpn) -> Iterator[Vpn]:
        """Yield what is mapped with `vpn` by its fault alone. Source: mm/memory.c:finish_fault()."""
        folio = self._folio(vpn)
        if len(folio) > 1 and self._folios.mapped_whole is None:
            raise NotModelled("a large folio that no window of fault-around maps")
        absent = list(self._absent(folio))
        inside = self._ends_before(self._end + 1, vpn)
        whole = inside and self._fits(folio) and len(absent) == len(folio)
        yield from absent if whole else [vpn]

    def _ends_before(self, end: int, page: int) -> bool:
        """Whether the folio that holds `page` ends before page `end`, or may be mapped wherever it ends."""
        return self._folios.in_memory or self._folio(page).stop < end

    def _whole(self, folio: range, window: range) -> bool:
        """Whether the kernel maps more of a folio than the window touches, where there is more of it."""
        if window.start <= folio.start and folio.stop <= window.stop:
            return True
        if self._folios.mapped_whole is None:
            raise NotModelled("what this kernel does with a large folio at the edge of fault-around")
        return self._folios.mapped_whole

    def _folio(self, page: int) -> range:
        """Return the pages of the folio that holds `page`, be it a large one or the page alone."""
        folio = self._folios.around(page - self._first)
        if folio is None:
            return range(page, page + 1)
        if len(folio) >= self._mm.page_tables.leaf_pages:
            raise NotModelled("file pages that one entry of a page directory maps")
        return range(folio.start + self._first, folio.stop + self._first)

    def _fits(self, folio: range) -> bool:
        """Whether the folio lies in the area and under one page table."""
        table = self._mm.page_tables.leaf_pages
        inside = self._area.start <= folio.start and folio.stop <= self._area.stop
        return inside and folio.start // table == (folio.stop - 1) // table

    def _absent(self, pages: range) -> Iterator[Vpn]:
        return (
            Vpn(page)
            for page in pages
            if self._mm.page_tables.lookup(Vpn(page)) is None
            and self._mm.page_cache.has(self._file, page - self._first)
        )
