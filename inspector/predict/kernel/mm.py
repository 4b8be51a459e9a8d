"""An address space: its areas and its page tables (struct mm_struct).

    mmap, munmap         mm/mmap.c, mm/vma.c; what merges: vma.py
    get_unmapped_area    arch/x86/kernel/sys_x86_64.c
    faults               fault.py, memory.py

Areas are kept in ascending order and never overlap. Two neighbours stay apart only where Linux keeps
them apart, so the list is at all times what /proc/PID/maps would print.
"""

from __future__ import annotations

import bisect
import dataclasses
import operator
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, AddressRange, VirtAddr, page_down, page_up
from inspector.model.page import PageKind
from inspector.model.profile import AnonVmaMerging
from inspector.model.vma import Access, Anonymous, FileBacking, Sharing, Vma, VmFlag
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.vma import MappedFile, VmArea, merge_range, prepare_anon_vma

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from inspector.model.address import Pfn
    from inspector.predict.kernel.commit import CommitPolicy
    from inspector.predict.kernel.pagecache import PageCache
    from inspector.predict.machine.memory import PhysicalMemory
    from inspector.predict.machine.pagetable import PageTables

_END = operator.attrgetter("range.end")


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
        hint_floor: int,
        read_implies_exec: bool,
        page_tables: PageTables,
        memory: PhysicalMemory,
        page_cache: PageCache,
        fault_around_bytes: int,
        special_pages: Mapping[str, Sequence[Pfn | None]],
        commit: CommitPolicy,
        heap_label_touches: bool = False,
        anon_vma_merging: AnonVmaMerging = AnonVmaMerging.EITHER,
        mprotect_uncharges: bool = True,
    ) -> None:
        """Create an empty address space; sizes and addresses are in bytes.

        `lowest_fixed` bounds what the program may ask for, `mmap_floor` what the kernel chooses itself,
        `hint_floor` what it takes a wish for.
        The search for free space starts below `mmap_base`, and where nothing is free there, or always if
        `bottom_up`, above `legacy_base` (None: random and not known). `special_pages` are the frames of the
        kernel's own areas, by name. `heap_label_touches`: see ExecRules.
        `anon_vma_merging` decides which areas become one, `mprotect_uncharges` what is charged for.
        """
        self.task_size = task_size
        self.mmap_base = mmap_base
        self.legacy_base = legacy_base
        self.bottom_up = bottom_up
        self.stack_guard_gap = stack_guard_gap
        self.lowest_fixed = lowest_fixed
        self.mmap_floor = mmap_floor
        self.hint_floor = hint_floor
        self.read_implies_exec = read_implies_exec
        self.page_tables = page_tables
        self.memory = memory
        self.page_cache = page_cache
        self.fault_around_pages = max(1, fault_around_bytes >> PAGE_SHIFT)
        self.special_pages = special_pages
        self.areas: list[VmArea] = []
        self.start_brk = VirtAddr(0)
        self.brk = VirtAddr(0)
        self.heap_label_touches = heap_label_touches
        self.anon_vma_merging = anon_vma_merging
        self.mprotect_uncharges = mprotect_uncharges
        self.start_stack = VirtAddr(0)
        self.vdso = VirtAddr(0)
        """Where the vdso's image starts; 0: there is none."""
        self.def_flags = VmFlag.NONE
        """What every new mapping gets: VmFlag.LOCKED, or nothing."""
        self.tlb_is_stale = False
        """Whether an entry has become stricter, or gone, since the processor last forgot what it knew."""
        self._labels: dict[int, tuple[VmArea, Vma]] = {}
        self.commit = commit

    # --- areas ----------------------------------------------------------------------------------

    @property
    def vmas(self) -> list[Vma]:
        """The areas in the form maps and smaps print them, not yet labelled."""
        return [area.vma() for area in self.areas]

    def find_above(self, address: int) -> VmArea | None:
        """Return the lowest area that ends above `address`, if any. Source: mm/mmap.c:find_vma()."""
        return self._at(self._first_above(address))

    def find(self, address: int) -> VmArea | None:
        """Return the area that holds `address`, if any."""
        index = self._first_above(address)
        return self.areas[index] if index < len(self.areas) and address in self.areas[index].range else None

    def _first_above(self, address: int) -> int:
        """Return the index of the lowest area that ends above `address`. Source: mm/mmap.c:find_vma()."""
        return bisect.bisect_right(self.areas, address, key=_END)

    def _at(self, index: int) -> VmArea | None:
        return self.areas[index] if 0 <= index < len(self.areas) else None

    def insert(self, vma: Vma) -> None:
        """Add an area that no file is behind to free space."""
        if isinstance(vma.backing, FileBacking) or vma.flags is None:
            raise TypeError(f"an area of a file, or of unknown flags: {vma}")
        self.add(VmArea(vma.range, vma.access, vma.flags, vma.backing, vma.start // PAGE_SIZE))

    def add(self, area: VmArea, *, just_expand: bool = False, is_mapping: bool = False) -> None:
        """Add an area to free space and merge it with its neighbours, as merge_range() tells."""
        index = self._first_above(area.start)
        merged, below, above = merge_range(
            self._at(index - 1),
            area,
            self._at(index),
            self.anon_vma_merging,
            just_expand=just_expand,
            is_mapping=is_mapping,
        )
        self.areas[index - below : index + above] = [merged]

    def _split(self, address: VirtAddr) -> None:
        """Cut the area that holds `address` in two there."""
        index = self._first_above(address)
        area = self._at(index)
        if area is not None and area.start < address:
            self.areas[index : index + 1] = area.split(address)

    def modify(self, area: VmArea, pages: AddressRange, access: Access, flags: VmFlag) -> None:
        """Give `pages`, which lie in `area`, other permissions: split and merge as needed.

        Source: mm/vma.c:vma_modify_flags(), vma_merge_existing_range().
        """
        first = index = self._first_above(pages.start)
        parts = [area]
        if area.start < pages.start:
            lower, rest = area.split(pages.start)
            parts, index = [lower, rest], index + 1
        if pages.end < area.end:
            parts[-1:] = parts[-1].split(pages.end)
        self.areas[first : first + 1] = parts
        changed = dataclasses.replace(self.areas[index], access=access, flags=flags)
        merged, below, above = merge_range(
            self._at(index - 1), changed, self._at(index + 1), self.anon_vma_merging
        )
        self.areas[index - below : index + 1 + above] = [merged]

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
        self.zap(gone)
        below, above = self._at(first - 1), self._at(first)
        room = AddressRange(
            below.end if below is not None else VirtAddr(0),
            above.start if above is not None else VirtAddr(1 << 47),
        )
        self.page_tables.free_tables(gone, room)

    def mmap(
        self,
        file: MappedFile | None,
        hint: VirtAddr,
        length: int,
        access: Access,
        offset: int,
        *,
        fixed: bool = False,
        noreplace: bool = False,
        account: bool = True,
        stack: bool = False,
        locked: bool = False,
        sharing: Sharing = Sharing.PRIVATE,
    ) -> VirtAddr:
        """Map `length` bytes of a file, or of zeros, and return where; zeros cannot be shared without one.

        `fixed` replaces what is there (MAP_FIXED); `noreplace` fails with EEXIST instead; `account` charges
        writable memory against the commit limit (without it: MAP_NORESERVE); `stack` is MAP_STACK, `locked`
        MAP_LOCKED. Raises KernelError.
        Source: mm/mmap.c:do_mmap(), mm/util.c:vm_mmap().
        """
        size = page_up(length)
        # `offset` is computed in a 64-bit word from 32-bit fields, so it may have wrapped below zero.
        if offset < 0 or offset % PAGE_SIZE:
            raise KernelError(Errno.EINVAL)
        if Access.READ in access and self.read_implies_exec and not (file is not None and file.noexec):
            access |= Access.EXECUTE
        if not size:
            raise KernelError(Errno.ENOMEM)
        address = self.get_unmapped_area(hint, size, fixed=fixed or noreplace)
        target = AddressRange(address, VirtAddr(address + size))
        above = self._at(self._first_above(address))
        if noreplace and above is not None and above.range.overlaps(target):
            raise KernelError(Errno.EEXIST)
        if file is not None and file.noexec and Access.EXECUTE in access:
            raise KernelError(Errno.EPERM)
        shared = sharing is Sharing.SHARED
        if file is not None and shared and Access.WRITE in access and not file.writable:
            raise KernelError(Errno.EACCES)
        # Private writable memory is charged against the commit limit (rule `vma.account`).
        flags = VmFlag.NONE if account else VmFlag.NORESERVE
        if account and Access.WRITE in access and not shared:
            flags = VmFlag.ACCOUNT
            self.commit.charge(size, replaced=self._charged(target))
        self.munmap(address, size)
        flags |= self.def_flags | (VmFlag.LOCKED if locked else VmFlag.NONE)
        origin, start = (Anonymous(), address) if file is None else (file, offset)
        area = VmArea(target, access, flags, origin, start // PAGE_SIZE, sharing, maps_stack=stack)
        self.add(area, is_mapping=True)
        return address

    def _charged(self, part: AddressRange) -> int:
        """Return how many bytes in `part` are charged against the commit limit."""
        return sum(
            max(0, min(area.end, part.end) - max(area.start, part.start))
            for area in self.areas
            if VmFlag.ACCOUNT in area.flags
        )

    def brk_flags(self, start: VirtAddr, length: int, *, execute: bool, merge_above: int = 0) -> None:
        """Add anonymous memory at a fixed place, as .bss and the heap are (rule `vma.segment-bss`).

        It merges with the area below only, and only with one that reaches above `merge_above`. Raises
        KernelError. Source: mm/vma.c:do_brk_flags().
        """
        size = page_up(length)
        if not size:
            return
        self.get_unmapped_area(start, size, fixed=True)
        self.munmap(start, size)
        self.commit.charge(size)
        access = Access.READ | Access.WRITE
        if execute or self.read_implies_exec:
            access |= Access.EXECUTE
        span = AddressRange(start, VirtAddr(start + size))
        area = VmArea(span, access, VmFlag.ACCOUNT | self.def_flags, Anonymous(), start // PAGE_SIZE)
        index = self._first_above(start)
        below = self._at(index - 1)
        if below is not None and below.end <= merge_above:
            self.areas.insert(index, area)
        else:
            self.add(area, just_expand=True)

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
            hint = VirtAddr(max(hint, self.hint_floor))
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

    def zap(self, pages: AddressRange) -> None:
        """Unmap what is resident of `pages`; the areas stay. Source: mm/memory.c:zap_page_range_single()."""
        for vpn, entry in self.page_tables.entries(pages):
            self.page_tables.clear(vpn)
            if entry.kind is PageKind.ANONYMOUS:
                self.memory.release(entry.frame)
            self.tlb_is_stale = True

    # --- faults ---------------------------------------------------------------------------------

    def prepare_anon_vma(self, area: VmArea) -> None:
        """Make `area`, one of the list, ready for a private page. Source: mm/rmap.c:__anon_vma_prepare()."""
        if area.anon_vma is None:
            index = self._first_above(area.start)
            self.areas[index] = prepare_anon_vma(self._at(index - 1), self.areas[index], self._at(index + 1))

    def special_frame(self, area: VmArea, page: int) -> Pfn | None:
        """Return the frame of page number `page` of one of the kernel's own areas, if it has one."""
        return self.special_pages[area.vma().name][page]

    def expand_stack(self, address: int, limit: int) -> VmArea | None:
        """Extend a stack down to `address`, at most to `limit` bytes, and return it; None if it cannot be.

        Source: mm/vma.c:expand_downwards(), acct_stack_growth().
        """
        index = self._first_above(address)
        stack = self._at(index)
        if stack is None or not stack.grows_down:
            return None
        if address in stack.range:
            return stack
        if VmFlag.LOCKED in stack.flags:
            raise NotModelled("the growth of a locked stack")
        start = page_down(address)
        below = self._at(index - 1)
        near = below is not None and start - below.end < self.stack_guard_gap
        guarded = below is not None and below.access and not below.grows_down
        if (near and guarded) or stack.end - start > limit:
            return None
        self.areas[index] = dataclasses.replace(
            stack,
            range=AddressRange(start, stack.end),
            page_offset=stack.page_offset - (stack.start - start) // PAGE_SIZE,
        )
        return self.areas[index]

    # --- what /proc tells -----------------------------------------------------------------------

    def labelled(self) -> list[Vma]:
        """Return the areas with the labels maps gives them."""
        return [self.labelled_area(area) for area in self.areas]

    def labelled_area(self, area: VmArea) -> Vma:
        """Return what maps prints of one area. Source: fs/proc/task_mmu.c:get_vma_name()."""
        known = self._labels.get(id(area))
        if known is not None and known[0] is area:
            return known[1]
        vma = area.vma()
        if isinstance(vma.backing, Anonymous):
            touches = self.heap_label_touches and (vma.start == self.brk or vma.end == self.start_brk)
            if touches or (vma.start < self.brk and vma.end > self.start_brk):
                vma = dataclasses.replace(vma, backing=Anonymous("[heap]"))
            elif vma.start <= self.start_stack <= vma.end:
                vma = dataclasses.replace(vma, backing=Anonymous("[stack]"))
        self._labels[id(area)] = area, vma
        return vma

    def forget_labels(self) -> None:
        """Label every area anew when it is next asked for."""
        self._labels = {}

    def set_brk(self, brk: VirtAddr) -> None:
        """Move the end of the heap, by which it is labelled."""
        self.brk = brk
        self.forget_labels()
