"""What a page fault does to an address space, once an area has been found that allows it (mm/memory.c).

nothing mapped                        mapped, and the access is a write
anonymous   read    the zero page
write   a zeroed frame                    copied; or kept, where nobody else has it
file        read    the page cache's page, and those
around it (fault-around)
write   a copy of it                      copied
shared file read    as above, to be written as well
write   the page cache's page             no fault: it may be written
kernel's            its own frame
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, AddressRange, FileOffset, Vpn, address_of
from inspector.model.fault import FaultKind
from inspector.model.page import PageKind
from inspector.model.vma import Access, Anonymous, Sharing, VmFlag
from inspector.predict.kernel.filemap import pages_around, pages_of_fault
from inspector.predict.kernel.shmem import ShmemFile
from inspector.predict.kernel.vma import MappedFile
from inspector.predict.machine.memory import ZERO_FRAME
from inspector.predict.machine.pagetable import PageTableEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.predict.kernel.mm import AddressSpace
    from inspector.predict.kernel.vma import VmArea


class BusError(Exception):
    """The area has no page there (VM_FAULT_SIGBUS): beyond the end of its file."""


@dataclass(frozen=True, slots=True)
class Handled:
    """What a fault did."""

    kind: FaultKind
    mapped: AddressRange
    """From the first to the last page made resident."""
    file_offset: FileOffset | None = None


_READ_EXECUTE = Access.READ | Access.EXECUTE


def handle_mm_fault(mm: AddressSpace, area: VmArea, address: int, access: Access) -> Handled:
    """Make the page at `address`, inside `area`, ready for `access`, which the area allows.

    Raises BusError, and NotModelled when RAM is used up. Source: mm/memory.c:handle_pte_fault().
    """
    vpn = Vpn(address >> PAGE_SHIFT)
    entry = mm.page_tables.lookup(vpn)
    write = access is Access.WRITE
    if entry is None:
        mm.page_tables.allocate_above(vpn)
        if isinstance(area.origin, Anonymous):
            return _do_anonymous_page(mm, area, vpn, write=write)
        if not isinstance(area.origin, MappedFile):
            return _special_mapping_fault(mm, area, vpn, write=write)
        if write and area.sharing is Sharing.SHARED:
            return _do_shared_fault(mm, area, area.origin, vpn)
        if write:
            return _do_cow_fault(mm, area, area.origin, vpn)
        return _do_read_fault(mm, area, area.origin, vpn)
    if write and Access.WRITE not in entry.access:
        return _do_wp_page(mm, area, vpn, entry)
    raise AssertionError(f"a fault at {address:#x} that the page tables allow")


def _page(vpn: Vpn) -> AddressRange:
    return AddressRange(address_of(vpn), address_of(vpn + 1))


def _private(mm: AddressSpace, area: VmArea) -> PageTableEntry:
    """Return the entry of a page of the process's own, its frame still zero."""
    access = area.access
    if Access.READ not in access:
        access |= Access.READ
    return PageTableEntry(mm.memory.allocate(), access, PageKind.ANONYMOUS, exclusive=True)


def _do_anonymous_page(mm: AddressSpace, area: VmArea, vpn: Vpn, *, write: bool) -> Handled:
    """Source: mm/memory.c:do_anonymous_page()."""
    if write:
        mm.prepare_anon_vma(area)
        mm.page_tables.map(vpn, _private(mm, area))
        return Handled(FaultKind.ANONYMOUS, _page(vpn))
    zero = PageTableEntry(ZERO_FRAME, area.access & _READ_EXECUTE | Access.READ, PageKind.ZERO)
    mm.page_tables.map(vpn, zero)
    return Handled(FaultKind.ZERO_PAGE, _page(vpn))


def _special_mapping_fault(mm: AddressSpace, area: VmArea, vpn: Vpn, *, write: bool) -> Handled:
    """Source: mm/mmap.c:special_mapping_fault(), arch/x86/entry/vdso/vma.c:vdso_fault(), vvar_fault()."""
    page = vpn - (area.start >> PAGE_SHIFT)
    frame = mm.special_frame(area, page)
    if frame is None:
        raise BusError
    if write:
        mm.prepare_anon_vma(area)
        copy = _private(mm, area)
        mm.memory.write(copy.frame, 0, mm.memory.read(frame))
        mm.page_tables.map(vpn, copy)
        return Handled(FaultKind.COPY_ON_WRITE, _page(vpn))
    kind = None if area.is_pfnmap else PageKind.SPECIAL
    mm.page_tables.map(vpn, PageTableEntry(frame, area.access & _READ_EXECUTE, kind))
    return Handled(FaultKind.SPECIAL, _page(vpn))


def _file_index(area: VmArea, vpn: int) -> int:
    return area.page_offset + vpn - (area.start >> PAGE_SHIFT)


def _inside(area: VmArea, file: MappedFile, vpn: Vpn) -> int:
    """Return which page of the file page `vpn` is. Raises BusError beyond its end.

    Source: mm/filemap.c:filemap_fault(), mm/shmem.c:shmem_get_folio_gfp().
    """
    index = _file_index(area, vpn)
    if index << PAGE_SHIFT >= file.size:
        if isinstance(file, ShmemFile):
            file.find(index)
        raise BusError
    return index


def read_missing(mm: AddressSpace, area: VmArea, vpn: Vpn) -> bool:
    """Have page `vpn` of an area's file in the page cache; return whether it had to be read from a disk.

    Only without read-ahead is it known what is read besides: nothing (rule `fault.major`). Raises
    NotModelled, and BusError beyond the file's end.
    Source: mm/filemap.c:filemap_fault(), do_sync_mmap_readahead().
    """
    file = area.origin
    if not isinstance(file, MappedFile):
        return False
    index = _inside(area, file, vpn)
    if isinstance(file, ShmemFile) or mm.page_cache.has(file, index):
        return False
    if VmFlag.RANDOM not in area.flags or Access.EXECUTE in area.access:
        raise NotModelled(
            f"reading ahead from {file.path}",
            help="what it brings in, and when, no one knows; MADV_RANDOM stops it",
        )
    mm.page_cache.read_in(file, index)
    return True


def _do_cow_fault(mm: AddressSpace, area: VmArea, file: MappedFile, vpn: Vpn) -> Handled:
    """Source: mm/memory.c:do_cow_fault()."""
    mm.prepare_anon_vma(area)
    index = _inside(area, file, vpn)
    kind = FaultKind.DISK_COPY if read_missing(mm, area, vpn) else FaultKind.FILE_COPY
    entry = _private(mm, area)
    mm.memory.write(entry.frame, 0, mm.memory.read(mm.page_cache.frame(file, index)))
    if isinstance(file, ShmemFile):
        file.copied(index)
    mm.page_tables.map(vpn, entry)
    return Handled(kind, _page(vpn), FileOffset(index << PAGE_SHIFT))


def _do_shared_fault(mm: AddressSpace, area: VmArea, file: MappedFile, vpn: Vpn) -> Handled:
    """Map the file's own page, and that alone. Source: mm/memory.c:do_shared_fault()."""
    index = _inside(area, file, vpn)
    mm.page_tables.map(vpn, _of_file(mm, area, file, index))
    return Handled(FaultKind.FILE_SHARED, _page(vpn), FileOffset(index << PAGE_SHIFT))


def _of_file(mm: AddressSpace, area: VmArea, file: MappedFile, index: int) -> PageTableEntry:
    """Return an entry of the file's own page: one that is shared may be written at once, where the area may.

    Source: mm/memory.c:set_pte_range(), mm/mmap.c:vma_wants_writenotify().
    """
    allowed = area.access | Access.READ
    if area.sharing is Sharing.PRIVATE:
        allowed &= ~Access.WRITE
    return PageTableEntry(
        mm.page_cache.frame(file, index), allowed, PageKind.FILE, tells_use=isinstance(file, ShmemFile)
    )


def _do_read_fault(mm: AddressSpace, area: VmArea, file: MappedFile, vpn: Vpn) -> Handled:
    """Map the page, and those around it that lie inside area, table and file (rule `fault.around`).

    Those around it come first, and stay when the page itself turns out to lie beyond the end of the file.
    Source: mm/memory.c:do_read_fault(), do_fault_around().
    """
    around = pages_around(mm, area, file, vpn, _window(mm, area, file, vpn))
    _map_file_pages(mm, area, file, around)
    alone: list[Vpn] = []
    kind = FaultKind.FILE_READ
    if vpn not in around:
        if read_missing(mm, area, vpn):
            kind = FaultKind.DISK_READ
        alone = pages_of_fault(mm, area, file, vpn)
        _map_file_pages(mm, area, file, alone)
    pages = around + alone
    span = AddressRange(address_of(min(pages)), address_of(max(pages) + 1))
    return Handled(kind, span, FileOffset(_file_index(area, vpn) << PAGE_SHIFT))


def _map_file_pages(mm: AddressSpace, area: VmArea, file: MappedFile, pages: Sequence[Vpn]) -> None:
    for vpn in pages:
        mm.page_tables.map(vpn, _of_file(mm, area, file, _file_index(area, vpn)))


def _window(mm: AddressSpace, area: VmArea, file: MappedFile, vpn: Vpn) -> range:
    """Return the pages that fault-around looks at, which lie inside area, table and file.

    Source: mm/memory.c:should_fault_around(), do_fault_around(), mm/filemap.c:filemap_map_pages().
    """
    size = mm.fault_around_pages
    if size == 1:
        return range(vpn, vpn)
    in_table = vpn % mm.page_tables.leaf_pages
    in_area = vpn - (area.start >> PAGE_SHIFT)
    first = max(in_table - in_table % size, in_table - min(in_table, in_area))
    last = min(
        first + size,
        mm.page_tables.leaf_pages,
        in_table + (area.end >> PAGE_SHIFT) - vpn,
        in_table + -(-file.size // PAGE_SIZE) - _file_index(area, vpn),
    )
    return range(vpn + first - in_table, vpn + last - in_table)


def _do_wp_page(mm: AddressSpace, area: VmArea, vpn: Vpn, entry: PageTableEntry) -> Handled:
    """Source: mm/memory.c:do_wp_page(), wp_can_reuse_anon_folio()."""
    own = entry.kind is PageKind.ANONYMOUS
    if own and (entry.exclusive or mm.memory.users(entry.frame) == 1):
        entry.exclusive = True
        entry.access = area.access | Access.READ
        return Handled(FaultKind.REUSE, _page(vpn))
    if area.sharing is Sharing.SHARED:
        raise AssertionError(f"a shared page at {address_of(vpn):#x} that awaits its first write")
    mm.prepare_anon_vma(area)
    copy = _private(mm, area)
    if entry.frame != ZERO_FRAME:
        mm.memory.write(copy.frame, 0, mm.memory.read(entry.frame))
    if own:
        mm.memory.release(entry.frame)
    mm.page_tables.map(vpn, copy)
    offset = None
    if isinstance(area.origin, MappedFile) and not own:
        index = _file_index(area, vpn)
        offset = FileOffset(index << PAGE_SHIFT)
        if isinstance(area.origin, ShmemFile):
            area.origin.copied(index)
    return Handled(FaultKind.COPY_ON_WRITE, _page(vpn), offset)
