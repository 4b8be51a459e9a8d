"""An address space: its areas, its page tables and its fault counters (struct mm_struct).

    mmap, munmap         mm/mmap.c, mm/vma.c; what merges: vma.py
    get_unmapped_area    arch/x86/kernel/sys_x86_64.c
    faults               mm/memory.c, as far as execve itself needs them

Areas are kept in ascending order and never overlap. Two neighbours stay apart only where Linux keeps
them apart, so the list is at all times what /proc/PID/maps would print.
"""

from __future__ import annotations

import bisect
import dataclasses
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import (
    PAGE_SIZE,
    AddressRange,
    VirtAddr,
    address_of,
    page_down,
    page_up,
)
from inspector.model.page import PageKind
from inspector.model.vma import Access, Anonymous, FileBacking, Vma, VmFlag
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.vma import MappedFile, VmArea, merge_new_range, prepare_anon_vma
from inspector.predict.machine.pagetable import PageTableEntry, PageTables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.profile import PageTableGeometry
    from inspector.model.vma import Backing


class AccessFault(Exception):
    """A kernel access to user memory failed: no area, no permission, or no page behind it (-EFAULT)."""

    def __init__(self, rule: str | None = None) -> None:
        """`rule` says why, where one does."""
        super().__init__(rule)
        self.rule = rule


class AddressSpace:
    """One process's memory, as the kernel keeps it."""

    def __init__(
        self,
        *,
        task_size: VirtAddr,
        mmap_base: VirtAddr,
        legacy_base: VirtAddr | None,
        bottom_up: bool,
        stack_guard_gap: int,
        lowest_fixed: int,
        mmap_floor: int,
        read_implies_exec: bool,
        geometry: PageTableGeometry,
        heap_label_touches: bool = False,
    ) -> None:
        """Create an empty address space; sizes and addresses are in bytes.

        `lowest_fixed` bounds what the program may ask for, `mmap_floor` what the kernel chooses itself.
        The search for free space starts below `mmap_base`, and where nothing is free there, or always if
        `bottom_up`, above `legacy_base` (None: random and not known). `heap_label_touches`: see ExecRules.
        """
        self.task_size = task_size
        self.mmap_base = mmap_base
        self.legacy_base = legacy_base
        self.bottom_up = bottom_up
        self.stack_guard_gap = stack_guard_gap
        self.lowest_fixed = lowest_fixed
        self.mmap_floor = mmap_floor
        self.read_implies_exec = read_implies_exec
        self.areas: list[VmArea] = []
        self.page_tables = PageTables(geometry)
        self.minor_faults = 0
        self.brk = VirtAddr(0)
        self.heap_label_touches = heap_label_touches

    # --- areas ----------------------------------------------------------------------------------

    @property
    def vmas(self) -> list[Vma]:
        """The areas in the form maps and smaps print them, not yet labelled."""
        return [area.vma() for area in self.areas]

    def find(self, address: int) -> VmArea | None:
        """Return the area that holds `address`, if any."""
        index = self._first_above(address)
        return self.areas[index] if index < len(self.areas) and address in self.areas[index].range else None

    def _first_above(self, address: int) -> int:
        """Return the index of the lowest area that ends above `address`. Source: mm/mmap.c:find_vma()."""
        return bisect.bisect_right(self.areas, address, key=lambda area: area.end)

    def _at(self, index: int) -> VmArea | None:
        return self.areas[index] if 0 <= index < len(self.areas) else None

    def insert(self, vma: Vma) -> None:
        """Add an area that no file is behind to free space."""
        if isinstance(vma.backing, FileBacking) or vma.flags is None:
            raise TypeError(f"an area of a file, or of unknown flags: {vma}")
        self._add(VmArea(vma.range, vma.access, vma.flags, vma.backing, vma.start // PAGE_SIZE))

    def _add(self, area: VmArea, *, just_expand: bool = False) -> None:
        """Add an area to free space and merge it with its neighbours (rule `vma.merge`)."""
        index = self._first_above(area.start)
        merged, below, above = merge_new_range(
            self._at(index - 1), area, self._at(index), just_expand=just_expand
        )
        self.areas[index - below : index + above] = [merged]

    def _split(self, address: VirtAddr) -> None:
        """Cut the area that holds `address` in two there."""
        index = self._first_above(address)
        area = self._at(index)
        if area is not None and area.start < address:
            self.areas[index : index + 1] = area.split(address)

    def munmap(self, start: VirtAddr, length: int) -> None:
        """Remove whatever is mapped in `length` bytes from `start`. Source: mm/vma.c:do_vmi_munmap()."""
        gone = AddressRange(start, page_up(start + length))
        if not gone.size_bytes:
            return
        self._split(gone.start)
        self._split(gone.end)
        first, last = self._first_above(gone.start), self._first_above(gone.end)
        if first == last:
            return
        del self.areas[first:last]
        self.page_tables.unmap(gone)
        below, above = self._at(first - 1), self._at(first)
        room = AddressRange(
            below.end if below is not None else VirtAddr(0),
            above.start if above is not None else VirtAddr(1 << 47),
        )
        self.page_tables.free_tables(gone, room)

    def mmap(
        self,
        file: MappedFile,
        hint: VirtAddr,
        length: int,
        access: Access,
        offset: int,
        *,
        fixed: bool = False,
        noreplace: bool = False,
    ) -> VirtAddr:
        """Map `length` bytes of a file privately and return where.

        `fixed` replaces what is there (MAP_FIXED); `noreplace` fails with EEXIST instead. Raises
        KernelError. Source: mm/mmap.c:do_mmap(), mm/util.c:vm_mmap().
        """
        size = page_up(length)
        # `offset` is computed in a 64-bit word from 32-bit fields, so it may have wrapped below zero.
        if offset < 0 or offset % PAGE_SIZE:
            raise KernelError(Errno.EINVAL)
        if Access.READ in access and self.read_implies_exec and not file.noexec:
            access |= Access.EXECUTE
        if not size:
            raise KernelError(Errno.ENOMEM)
        address = self.get_unmapped_area(hint, size, fixed=fixed or noreplace)
        target = AddressRange(address, VirtAddr(address + size))
        above = self._at(self._first_above(address))
        if noreplace and above is not None and above.range.overlaps(target):
            raise KernelError(Errno.EEXIST)
        if file.noexec and Access.EXECUTE in access:
            raise KernelError(Errno.EPERM)
        self.munmap(address, size)
        # Private writable memory is charged against the commit limit (rule `vma.account`).
        flags = VmFlag.ACCOUNT if Access.WRITE in access else VmFlag.NONE
        self._add(VmArea(target, access, flags, file, offset // PAGE_SIZE))
        return address

    def brk_flags(self, start: VirtAddr, length: int, *, execute: bool) -> None:
        """Add anonymous memory at a fixed place, as .bss and the heap are (rule `vma.segment-bss`).

        Raises KernelError. Source: mm/vma.c:do_brk_flags(), which merges with the area below only.
        """
        size = page_up(length)
        if not size:
            return
        self.get_unmapped_area(start, size, fixed=True)
        self.munmap(start, size)
        access = Access.READ | Access.WRITE
        if execute or self.read_implies_exec:
            access |= Access.EXECUTE
        area = AddressRange(start, VirtAddr(start + size))
        self._add(VmArea(area, access, VmFlag.ACCOUNT, Anonymous(), start // PAGE_SIZE), just_expand=True)

    def get_unmapped_area(self, hint: VirtAddr, size: int, *, fixed: bool = False) -> VirtAddr:
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
            hint = VirtAddr(max(hint, self.mmap_floor))
            above = self._at(self._first_above(hint))
            if hint + size <= min(self.task_size, self._gap_start(above)):
                return hint
        if not self.bottom_up:
            address = self._highest_gap(size)
            if address is not None:
                return address
        return self._lowest_gap(size)

    def _gap_start(self, area: VmArea | None) -> int:
        """Where the area begins, its guard gap included. Source: include/linux/mm.h:vm_start_gap()."""
        if area is None:
            return self.task_size
        return max(0, area.start - self.stack_guard_gap) if area.grows_down else area.start

    def _gaps(self, low: int, high: int) -> Iterator[tuple[int, int, VmArea | None]]:
        """Yield what is free between `low` and `high`, upward: start, end and the area above."""
        for index in range(self._first_above(low), len(self.areas) + 1):
            below, above = self._at(index - 1), self._at(index)
            start = max(low, below.end) if below is not None else low
            end = min(high, above.start) if above is not None else high
            if start < end:
                yield start, end, above

    def _highest_gap(self, size: int) -> VirtAddr | None:
        """Return the highest free place of `size` bytes below the mmap base, if any.

        Only the area right above a gap keeps its guard gap from it, yet once one did, nothing above that
        guard gap is tried again. Source: mm/vma.c:unmapped_area_topdown().
        """
        high: int = self.mmap_base
        for start, end, above in reversed(list(self._gaps(self.mmap_floor, high))):
            if min(end, high) - start >= size:
                high = min(high, end, self._gap_start(above))
            if min(end, high) - start >= size:
                return VirtAddr(min(end, high) - size)
        return None

    def _lowest_gap(self, size: int) -> VirtAddr:
        """Return the lowest free place of `size` bytes above the legacy base, or raise KernelError(ENOMEM).

        Source: mm/vma.c:unmapped_area().
        """
        if self.legacy_base is None:
            raise NotModelled("search from the bottom of a randomised mmap area")
        for start, end, above in self._gaps(max(self.legacy_base, self.mmap_floor), self.task_size):
            if min(end, self._gap_start(above)) - start >= size:
                return VirtAddr(start)
        raise KernelError(Errno.ENOMEM)

    # --- faults ---------------------------------------------------------------------------------

    def write(self, address: VirtAddr, size: int) -> None:
        """Let the kernel write `size` bytes of user memory, faulting in each page it needs.

        Raises AccessFault at the first page that cannot be written; pages before it stay.
        Source: arch/x86/mm/fault.c:do_user_addr_fault(), mm/memory.c:do_cow_fault(), do_anonymous_page().
        """
        for vpn in AddressRange(address, VirtAddr(address + size)).vpns():
            entry = self.page_tables.lookup(vpn)
            if entry is not None and entry.writable:
                continue
            at = address_of(vpn)
            index = self._first_above(at)
            area = self._at(index)
            if area is None or at < area.start or Access.WRITE not in area.access:
                raise AccessFault
            area = prepare_anon_vma(self._at(index - 1), area, self._at(index + 1))
            self.areas[index] = area
            if isinstance(area.origin, MappedFile):
                file_page = area.page_offset * PAGE_SIZE + at - area.start
                if file_page >= page_up(area.origin.size):
                    raise AccessFault("elf.file-too-short")
            self.page_tables.map(vpn, PageTableEntry(PageKind.ANONYMOUS, writable=True))
            self.minor_faults += 1

    def grow_stack(self, address: VirtAddr, limit: int) -> None:
        """Extend the stack down to `address`, at most to `limit` bytes; KernelError(EFAULT) if it cannot.

        Source: mm/vma.c:expand_downwards(), acct_stack_growth().
        """
        index = self._first_above(address)
        stack = self._at(index)
        if stack is not None and address in stack.range:
            return
        if stack is None or not stack.grows_down:
            raise KernelError(Errno.EFAULT)
        start = page_down(address)
        below = self._at(index - 1)
        near = below is not None and start - below.end < self.stack_guard_gap
        guarded = below is not None and below.access and not below.grows_down
        if (near and guarded) or stack.end - start > limit:
            raise KernelError(Errno.EFAULT)
        self.areas[index] = dataclasses.replace(
            stack,
            range=AddressRange(start, stack.end),
            page_offset=stack.page_offset - (stack.start - start) // PAGE_SIZE,
        )

    def labelled(self, stack_pointer: VirtAddr) -> list[Vma]:
        """Return the areas with the labels maps gives them. Source: fs/proc/task_mmu.c:get_vma_name()."""
        return [dataclasses.replace(vma, backing=self._backing(vma, stack_pointer)) for vma in self.vmas]

    def _backing(self, vma: Vma, stack_pointer: VirtAddr) -> Backing:
        if not isinstance(vma.backing, Anonymous):
            return vma.backing
        touches = self.heap_label_touches and self.brk in (vma.start, vma.end)
        if vma.start < self.brk < vma.end or touches:
            return Anonymous("[heap]")
        return Anonymous("[stack]") if vma.start <= stack_pointer <= vma.end else vma.backing
