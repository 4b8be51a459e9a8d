"""Advice about memory (mm/madvise.c), as far as it is followed at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, AddressRange, VirtAddr, page_up
from inspector.model.vma import Anonymous, VmFlag
from inspector.predict.kernel.errno import Errno, KernelError

if TYPE_CHECKING:
    from inspector.predict.kernel.mm import AddressSpace
    from inspector.predict.kernel.task import Task
    from inspector.predict.kernel.vma import VmArea

_MADV_WILLNEED, _MADV_DONTNEED, _MADV_FREE = 3, 4, 8


def madvise(task: Task, address: int, length: int, advice: int) -> int:
    """Carry out one piece of advice. Raises KernelError(EINVAL, ENOMEM) or NotModelled.

    MADV_WILLNEED reads ahead, and a staged file is in memory already; MADV_FREE lets pages go only when
    memory is short. Source: mm/madvise.c:do_madvise().
    """
    if advice not in (_MADV_WILLNEED, _MADV_DONTNEED, _MADV_FREE):
        raise NotModelled(f"madvise advice {advice}")
    size = page_up(length)
    wraps = address + size > 1 << 32 and task.kernel.profile.kernel_word_bytes < 8  # noqa: PLR2004
    if address % PAGE_SIZE or wraps:
        raise KernelError(Errno.EINVAL)
    pages = AddressRange(VirtAddr(address), VirtAddr(address + size))
    position = pages.start
    unmapped = False
    for area in [area for area in task.mm.areas if area.range.overlaps(pages)]:
        unmapped |= area.start > position
        piece = AddressRange(max(area.start, pages.start), min(area.end, pages.end))
        if not _may_be_advised(area, advice):
            raise KernelError(Errno.EINVAL)
        if advice == _MADV_DONTNEED:
            _dontneed(task.mm, piece, frees_tables=task.kernel.profile.zap_frees_page_tables)
        position = piece.end
    if unmapped or position < pages.end:
        raise KernelError(Errno.ENOMEM)
    return 0


def _may_be_advised(area: VmArea, advice: int) -> bool:
    """Source: mm/madvise.c:madvise_dontneed_free_valid_vma(), madvise_free_single_vma()."""
    if advice != _MADV_WILLNEED and VmFlag.LOCKED in area.flags:
        return False
    if advice == _MADV_FREE:
        return isinstance(area.origin, Anonymous)
    return advice != _MADV_DONTNEED or not area.is_pfnmap


def _dontneed(mm: AddressSpace, pages: AddressRange, *, frees_tables: bool) -> None:
    """Forget what is resident; the next touch starts anew.

    A page table all of whose span is advised away goes with it where the kernel reclaims them (rule
    `fault.page-tables`). Source: mm/madvise.c:madvise_dontneed_single_vma(), mm/pt_reclaim.c.
    """
    mm.zap(pages)
    if frees_tables:
        span = mm.page_tables.leaf_pages << PAGE_SHIFT
        first, end = -(-pages.start // span), pages.end // span
        for number in range(first, end):
            mm.page_tables.free_leaf(VirtAddr(number * span))
