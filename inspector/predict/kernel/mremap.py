"""Growing, shrinking and moving a mapping (mm/mremap.c)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, AddressRange, VirtAddr, Vpn, page_up
from inspector.model.vma import Anonymous, Sharing, Special, VmFlag
from inspector.predict.kernel.areas import is_data_mapping
from inspector.predict.kernel.errno import Errno, KernelError

if TYPE_CHECKING:
    from inspector.predict.kernel.mm import AddressSpace
    from inspector.predict.kernel.vma import VmArea

_SPARE, _SPARE_TO_FIXED = 3, 5
"""With so many areas to spare mremap moves nothing, or nothing to a fixed address."""
_MAYMOVE, _FIXED, _DONTUNMAP = 1, 2, 4


def mremap(
    mm: AddressSpace, old: VirtAddr, old_length: int, new_length: int, flags: int, new: VirtAddr
) -> VirtAddr:
    """Make the `old_length` bytes at `old` be `new_length`, and return where they are now.

    Only MREMAP_FIXED looks at `new`. Raises KernelError(EINVAL, EFAULT, ENOMEM or EPERM) or NotModelled.
    Source: mm/mremap.c:do_mremap(), check_mremap_params(), mremap_at(), mremap_to().
    """
    old_size, new_size = page_up(old_length), page_up(new_length)
    _check_parameters(mm, old, old_size, new_size, flags, new)
    fixed = bool(flags & _FIXED)
    area = _area_to_remap(mm, old, old_size, new_size, fixed=fixed)
    if VmFlag.LOCKED in area.flags:
        raise NotModelled("mremap of locked memory")
    grows = new_size > old_size and not _can_expand_in_place(mm, area, old, old_size, new_size)
    _require_spare_areas(mm, fixed=fixed, moves=fixed or grows)
    if fixed:
        mm.munmap(new, new_size)
    if new_size < old_size:
        _unmap(mm, VirtAddr(old + new_size), old_size - new_size)
        old_size = new_size
    elif not fixed and new_size > old_size and _can_expand_in_place(mm, area, old, old_size, new_size):
        _expand_in_place(mm, area, new_size - old_size)
        return old
    if not fixed and new_size == old_size:
        return old
    if not flags & _MAYMOVE:
        raise KernelError(Errno.ENOMEM)
    remaining = mm.find(old)  # unmapping the target may have cut it
    if remaining is None:
        raise KernelError(Errno.EFAULT)
    target = mm.get_unmapped_area(new if fixed else VirtAddr(0), new_size, fixed=fixed)
    _move(mm, remaining, old, old_size, AddressRange(target, VirtAddr(target + new_size)))
    return target


def _check_parameters(
    mm: AddressSpace, old: VirtAddr, old_size: int, new_size: int, flags: int, new: VirtAddr
) -> None:
    """Source: mm/mremap.c:check_mremap_params()."""
    if flags & ~(_MAYMOVE | _FIXED | _DONTUNMAP) or old % PAGE_SIZE:
        raise KernelError(Errno.EINVAL)
    if not 0 < new_size <= mm.task_size:
        raise KernelError(Errno.EINVAL)
    if flags & _DONTUNMAP:
        raise NotModelled("mremap with MREMAP_DONTUNMAP")
    if flags & _FIXED:
        overlaps = old + old_size > new and new + new_size > old
        if new > mm.task_size - new_size or new % PAGE_SIZE or not flags & _MAYMOVE or overlaps:
            raise KernelError(Errno.EINVAL)


def _area_to_remap(mm: AddressSpace, old: VirtAddr, old_size: int, new_size: int, *, fixed: bool) -> VmArea:
    """Return the area at `old`, all of it that is kept lying in this one.

    Source: mm/mremap.c:check_prep_vma().
    """
    area = mm.find(old)
    if area is None:
        raise KernelError(Errno.EFAULT)
    if isinstance(area.origin, Special):
        raise NotModelled(f"mremap of {area.origin.name}")
    if not fixed and new_size <= old_size:
        return area
    if not old_size:
        if area.sharing is Sharing.SHARED:
            raise NotModelled("mremap that maps shared memory a second time")
        raise KernelError(Errno.EINVAL)
    if min(old_size, new_size) > area.end - old:
        if fixed and new_size == old_size:
            raise NotModelled("mremap of several areas at once, which depends on the kernel's version")
        raise KernelError(Errno.EFAULT)
    if new_size > old_size:
        mm.limits.require(mm.areas, new_size - old_size, is_data=is_data_mapping(area))
    return area


def _require_spare_areas(mm: AddressSpace, *, fixed: bool, moves: bool) -> None:
    """Refuse to move where the parts that are unmapped might leave too many areas behind.

    Raises KernelError(ENOMEM), or NotModelled where one kernel asks for more areas to spare than another.
    Source: mm/mremap.c:prep_move_vma(), check_mremap_params(); __check_map_count_against_split() in Linux 7.
    """
    spare = mm.limits.spare_areas(mm.areas)
    if spare > (_SPARE_TO_FIXED if fixed else _SPARE):
        return
    if spare > _SPARE or not moves:
        raise NotModelled("mremap so near to vm.max_map_count, which depends on the kernel's version")
    raise KernelError(Errno.ENOMEM, "memory.map-count")


def _unmap(mm: AddressSpace, start: VirtAddr, size: int) -> None:
    """Source: mm/vma.c:do_vmi_munmap()."""
    if start + size > mm.task_size:
        raise KernelError(Errno.EINVAL)
    mm.munmap(start, size)


def _can_expand_in_place(mm: AddressSpace, area: VmArea, old: VirtAddr, old_size: int, new_size: int) -> bool:
    """Source: mm/mremap.c:vrm_can_expand_in_place(), vma_expandable()."""
    if old + old_size != area.end:
        return False
    end = old + new_size
    above = mm.find_above(area.end)
    if above is not None and above.start < end:
        return False
    try:
        mm.get_unmapped_area(area.start, end - area.start, fixed=True)
    except KernelError:
        return False
    return True


def _expand_in_place(mm: AddressSpace, area: VmArea, growth: int) -> None:
    """Add what is missing as a part of the area, which may then also join the area above.

    What the area inherited by fork is not asked here: the part is new, and has the area's own anon_vma.
    Source: mm/mremap.c:expand_vma_in_place(), mm/vma.c:vma_merge_extend(), is_mergeable_anon_vma().
    """
    _charge(mm, area, growth)
    mm.add(
        dataclasses.replace(
            area,
            range=AddressRange(area.end, VirtAddr(area.end + growth)),
            page_offset=area.page_offset + area.range.size_bytes // PAGE_SIZE,
            anon_vmas=area.anon_vmas[-1:],
        )
    )


def _charge(mm: AddressSpace, area: VmArea, growth: int) -> None:
    """Charge what is added against the commit limit. Source: mm/mremap.c:vrm_calc_charge()."""
    if VmFlag.ACCOUNT in area.flags:
        mm.commit.charge(growth)


def _move(mm: AddressSpace, area: VmArea, old: VirtAddr, old_size: int, target: AddressRange) -> None:
    """Copy the area to `target`, move what is resident, unmap what was.

    Source: mm/mremap.c:move_vma(), copy_vma_and_data(), unmap_source_vma().
    """
    _charge(mm, area, target.size_bytes - old_size)
    mm.add(_copy(area, old, target))
    _move_page_tables(mm, AddressRange(old, VirtAddr(old + old_size)), target.start)
    mm.munmap(old, old_size)


def _copy(area: VmArea, old: VirtAddr, target: AddressRange) -> VmArea:
    """Return the part of `area` from `old` on as it is at `target`.

    Its pages are found by their anon_vma and page offset, so that memory once written keeps the offsets
    of where it was made, and joins a neighbour only by chance. Source: mm/vma.c:copy_vma().
    """
    page_offset = area.page_offset + (old - area.start) // PAGE_SIZE
    if isinstance(area.origin, Anonymous) and area.anon_vma is None:
        page_offset = target.start // PAGE_SIZE
    return dataclasses.replace(area, range=target, page_offset=page_offset)


def _move_page_tables(mm: AddressSpace, pages: AddressRange, new: VirtAddr) -> None:
    """Move the entries of `pages` to `new`, with a table wherever the old place had one, empty or not.

    Source: mm/mremap.c:move_page_tables(), move_ptes().
    """
    tables, leaf = mm.page_tables, mm.page_tables.leaf_pages
    first, end = pages.start >> PAGE_SHIFT, pages.end >> PAGE_SHIFT
    distance = (new >> PAGE_SHIFT) - first
    vpn = first
    while vpn < end:
        # As far as one old and one new table reach.
        extent = min(leaf - vpn % leaf, leaf - (vpn + distance) % leaf, end - vpn)
        if tables.has_leaf(Vpn(vpn)):
            tables.allocate(Vpn(vpn + distance))
        vpn += extent
    for vpn, entry in tables.entries(pages):
        tables.clear(vpn)
        tables.map(Vpn(vpn + distance), entry)
        mm.tlb_is_stale = True
