"""Making memory resident before the program touches it (mm/gup.c): MAP_POPULATE, mlock, mlockall.

Each page is handled as a fault would be, and counted as one, but no exception is taken: perf sees nothing
(rule `fault.populate`).

    private, writable       as if it were written: a frame of its own, a file's page copied
    anything else           as if it were read, with what fault-around maps beside it
    no access at all        left alone
    on a disk               read first, and counted as a minor fault all the same
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, AddressRange, VirtAddr, Vpn
from inspector.model.vma import Access, Sharing
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.memory import BusError, handle_mm_fault, read_missing

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task
    from inspector.predict.kernel.vma import VmArea


def mm_populate(task: Task, start: int, size: int) -> None:
    """Make resident what is mapped of `size` bytes, and do not mind what cannot be.

    Source: include/linux/mm.h:mm_populate().
    """
    populate(task, start, size, ignore_errors=True)


def populate(task: Task, start: int, size: int, *, ignore_errors: bool = False) -> None:
    """Make resident what is mapped of `size` bytes. Raises KernelError(EFAULT) at what cannot be.

    Source: mm/gup.c:__mm_populate().
    """
    wanted = AddressRange(VirtAddr(start), VirtAddr(start + size))
    for area in [area for area in task.mm.areas if area.range.overlaps(wanted)]:
        if area.is_io:
            continue
        pages = AddressRange(max(area.start, wanted.start), min(area.end, wanted.end))
        try:
            _populate_vma_page_range(task, area, pages)
        except KernelError:
            if not ignore_errors:
                raise


def _populate_vma_page_range(task: Task, area: VmArea, pages: AddressRange) -> None:
    """Source: mm/gup.c:populate_vma_page_range(), __get_user_pages()."""
    if not area.access:
        raise KernelError(Errno.EFAULT)
    writes = Access.WRITE in area.access and area.sharing is Sharing.PRIVATE
    access = Access.WRITE if writes else Access.READ
    for address in range(pages.start, pages.end, PAGE_SIZE):
        entry = task.mm.page_tables.lookup(Vpn(address >> PAGE_SHIFT))
        if entry is not None and access in entry.access:
            continue
        current = task.mm.find(address)  # the first copy gives the area its anon_vma
        if current is None:
            raise AssertionError(f"no area at {address:#x}")
        try:
            # A page from the disk takes two attempts. The first, which waits, is given up and not counted;
            # the second finds the page there (FAULT_FLAG_ALLOW_RETRY).
            read_missing(task.mm, current, Vpn(address >> PAGE_SHIFT))
            handled = handle_mm_fault(task.mm, current, address, access)
        except BusError:
            raise KernelError(Errno.EFAULT) from None
        task.count_fault(handled.kind)
        task.mm.tlb_is_stale |= entry is not None
