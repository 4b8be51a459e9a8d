"""Advice about memory (mm/madvise.c), as far as it is followed at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, AddressRange, VirtAddr, page_up
from inspector.model.page import PageKind
from inspector.model.vma import Anonymous, Special, VmFlag
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.fadvise import generic_fadvise
from inspector.predict.kernel.reclaim import pageout
from inspector.predict.kernel.vma import MappedFile

if TYPE_CHECKING:
    from inspector.predict.kernel.mm import AddressSpace
    from inspector.predict.kernel.task import Task
    from inspector.predict.kernel.vma import VmArea

_MADV_NORMAL, _MADV_RANDOM, _MADV_SEQUENTIAL = 0, 1, 2
_MADV_WILLNEED, _MADV_DONTNEED, _MADV_FREE, _MADV_PAGEOUT = 3, 4, 8, 21
_READ_AHEAD = {
    _MADV_NORMAL: VmFlag.NONE,
    _MADV_RANDOM: VmFlag.RANDOM,
    _MADV_SEQUENTIAL: VmFlag.SEQUENTIAL,
}
_POSIX_FADV_WILLNEED = 3


def madvise(task: Task, address: int, length: int, advice: int) -> int:
    """Carry out one piece of advice. Raises KernelError(EINVAL, ENOMEM) or NotModelled.

    MADV_WILLNEED reads ahead, and most files are in memory already; MADV_FREE lets pages go only when
    memory is short. Source: mm/madvise.c:do_madvise().
    """
    if advice not in (*_READ_AHEAD, _MADV_WILLNEED, _MADV_DONTNEED, _MADV_FREE, _MADV_PAGEOUT):
        raise NotModelled(f"madvise advice {advice}")
    size = page_up(length)
    wraps = address + size > 1 << 32 and task.kernel.profile.kernel_word_bytes < 8  # noqa: PLR2004
    if address % PAGE_SIZE or wraps:
        raise KernelError(Errno.EINVAL)
    pages = AddressRange(VirtAddr(address), VirtAddr(address + size))
    position = pages.start
    unmapped = False
    while position < pages.end and (area := task.mm.find_above(position)) is not None:
        if area.start >= pages.end:
            break
        unmapped |= area.start > position
        piece = AddressRange(max(area.start, position), min(area.end, pages.end))
        if not _may_be_advised(area, advice):
            raise KernelError(Errno.EINVAL)
        _madvise_vma(task, area, piece, advice)
        position = piece.end
    if unmapped or position < pages.end:
        raise KernelError(Errno.ENOMEM)
    return 0


def _madvise_vma(task: Task, area: VmArea, pages: AddressRange, advice: int) -> None:
    """Advise about part of one area. What lacks an area is to be tried again (EAGAIN).

    Source: mm/madvise.c:madvise_vma_behavior().
    """
    if advice == _MADV_DONTNEED:
        _dontneed(task.mm, pages, frees_tables=task.kernel.profile.zap_frees_page_tables)
    elif advice == _MADV_FREE:
        # Source: mm/madvise.c:madvise_free_pte_range(), mm/swap.c:folio_mark_lazyfree().
        own = (
            entry.frame for _, entry in task.mm.page_tables.entries(pages) if entry.kind is PageKind.ANONYMOUS
        )
        task.kernel.memory.lazyfree.update(own)
    elif advice == _MADV_PAGEOUT:
        pageout(task, area, pages)
    elif advice == _MADV_WILLNEED and type(area.origin) is MappedFile:
        offset = (area.page_offset << PAGE_SHIFT) + pages.start - area.start
        generic_fadvise(task.kernel, area.origin, offset, pages.size_bytes, _POSIX_FADV_WILLNEED)
    elif advice in _READ_AHEAD:
        flags = area.flags & ~(VmFlag.RANDOM | VmFlag.SEQUENTIAL) | _READ_AHEAD[advice]
        if flags != area.flags and isinstance(area.origin, Special):
            raise NotModelled(f"madvise advice {advice} about {area.origin.name}")
        if flags != area.flags:
            try:
                task.mm.modify(area, pages, area.access, flags)
            except KernelError as error:
                raise KernelError(Errno.EAGAIN, error.rule) from error


def _may_be_advised(area: VmArea, advice: int) -> bool:
    """Whether the area may lose pages, where the advice takes some.

    Source: mm/madvise.c:madvise_dontneed_free_valid_vma(), madvise_free_single_vma(), madvise_pageout().
    """
    if advice not in (_MADV_DONTNEED, _MADV_FREE, _MADV_PAGEOUT):
        return True
    if VmFlag.LOCKED in area.flags:
        return False
    if advice == _MADV_FREE:
        return isinstance(area.origin, Anonymous)
    return not area.is_pfnmap


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
