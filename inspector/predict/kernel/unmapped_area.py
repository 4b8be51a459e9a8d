"""Where a mapping goes (mm/mmap.c:__get_unmapped_area(), arch/x86/kernel/sys_x86_64.c)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.elf.placement import HUGE_PAGE_SIZE
from inspector.errors import NotModelled
from inspector.model.address import PAGE_SIZE, VirtAddr, page_down
from inspector.predict.kernel.errno import Errno, KernelError

if TYPE_CHECKING:
    from inspector.predict.kernel.areas import Areas
    from inspector.predict.kernel.vma import VmArea


@dataclass(frozen=True, slots=True)
class UnmappedAreaInfo:
    """What bounds a search for free space in one address space (struct vm_unmapped_area_info); in bytes."""

    task_size: VirtAddr
    mmap_base: VirtAddr
    """The search starts below it,"""
    legacy_base: VirtAddr | None
    """and where nothing is free there, above this. None: random and not known."""
    bottom_up: bool
    """Whether it always starts above `legacy_base`."""
    stack_guard_gap: int
    lowest_fixed: int
    """The lowest address that the program may ask for,"""
    mmap_floor: int
    """the lowest that the kernel chooses itself,"""
    hint_floor: int
    """and what it takes a lower wish for."""

    def get_unmapped_area(self, areas: Areas, hint: VirtAddr, size: int, *, fixed: bool = False) -> VirtAddr:
        """Choose where `size` bytes go: at a fixed address, at a free hint, or the first fit.

        Raises KernelError(ENOMEM, EINVAL or EPERM).
        Source: mm/mmap.c:__get_unmapped_area(), arch_get_unmapped_area_topdown().
        """
        if size > self.task_size or (fixed and hint > self.task_size - size):
            raise KernelError(Errno.ENOMEM)
        if fixed:
            if hint % PAGE_SIZE:
                raise KernelError(Errno.EINVAL)
            # Source: security/commoncap.c:cap_mmap_addr().
            if hint < self.lowest_fixed:
                raise KernelError(Errno.EPERM)
            return hint
        hint = page_down(hint)
        if hint:
            hint = VirtAddr(max(hint, self.hint_floor))
            if hint + size <= min(self.task_size, self._gap_start(areas.find_above(hint))):
                return hint
        if not self.bottom_up:
            address = self._highest_gap(areas, size)
            if address is not None:
                return address
        return self._lowest_gap(areas, size)

    def thp_get_unmapped_area(self, areas: Areas, hint: VirtAddr, size: int, offset: int) -> VirtAddr:
        """Choose a place for part of a file, so that its huge pages could be mapped whole.

        Rule `layout.huge-page`. Raises KernelError(ENOMEM) and NotModelled.

        Source: mm/huge_memory.c:__thp_get_unmapped_area().
        """
        padded = size + HUGE_PAGE_SIZE
        hint = VirtAddr(max(hint, self.hint_floor)) if hint else hint
        if offset + size - (-(-offset // HUGE_PAGE_SIZE)) * HUGE_PAGE_SIZE < HUGE_PAGE_SIZE:
            return self.get_unmapped_area(areas, hint, size)
        try:
            start = self.get_unmapped_area(areas, hint, padded)
        except KernelError:
            return self.get_unmapped_area(areas, hint, size)
        if start == hint:
            return hint
        distance = (offset - start) % HUGE_PAGE_SIZE
        if not distance and not self.bottom_up:
            # Since Linux 6.8 it is the upper of the two, before that the lower.
            raise NotModelled("a 64-bit file for which two places are aligned to huge pages")
        return VirtAddr(start + distance)

    def _gap_start(self, area: VmArea | None) -> int:
        """Where the area begins, its guard gap included. Source: include/linux/mm.h:vm_start_gap()."""
        if area is None:
            return self.task_size
        return max(0, area.start - self.stack_guard_gap) if area.grows_down else area.start

    def _highest_gap(self, areas: Areas, size: int) -> VirtAddr | None:
        """Return the highest free place of `size` bytes below the mmap base, if any.

        Only the area right above a gap keeps its guard gap from it, yet once one did, nothing above that
        guard gap is tried again. Source: mm/vma.c:unmapped_area_topdown().
        """
        high: int = self.mmap_base
        for start, end, above in reversed(list(areas.gaps(self.mmap_floor, high))):
            if min(end, high) - start >= size:
                high = min(high, end, self._gap_start(above))
            if min(end, high) - start >= size:
                return VirtAddr(min(end, high) - size)
        return None

    def _lowest_gap(self, areas: Areas, size: int) -> VirtAddr:
        """Return the lowest free place of `size` bytes above the legacy base, or raise KernelError(ENOMEM).

        Source: mm/vma.c:unmapped_area().
        """
        if self.legacy_base is None:
            raise NotModelled("search from the bottom of a randomised mmap area")
        for start, end, above in areas.gaps(max(self.legacy_base, self.mmap_floor), self.task_size):
            if min(end, self._gap_start(above)) - start >= size:
                return VirtAddr(start)
        raise KernelError(Errno.ENOMEM)
