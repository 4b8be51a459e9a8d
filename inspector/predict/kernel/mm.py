"""An address space: its areas and its page tables (struct mm_struct).

    mmap, munmap         mm/mmap.c, mm/vma.c; what merges: vma.py
    get_unmapped_area    unmapped_area.py
    faults               fault.py, memory.py

Two neighbours stay apart only where Linux keeps them apart, so the list of areas (areas.py) is at all times
what /proc/PID/maps would print.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, AddressRange, VirtAddr, page_down, page_up
from inspector.model.page import PageKind
from inspector.model.profile import AnonVmaMerging
from inspector.model.vma import Access, Anonymous, FileBacking, Sharing, Vma, VmFlag
from inspector.predict.kernel.areas import Areas
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.vma import MappedFile, VmArea, merge_range, prepare_anon_vma

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from inspector.model.address import Pfn
    from inspector.predict.kernel.commit import CommitPolicy
    from inspector.predict.kernel.pagecache import PageCache
    from inspector.predict.kernel.rlimit import MemoryLimits
    from inspector.predict.kernel.unmapped_area import UnmappedAreaInfo
    from inspector.predict.machine.memory import PhysicalMemory
    from inspector.predict.machine.pagetable import PageTables


class AddressSpace:
    """One process's memory, as the kernel keeps it."""

    def __init__(
        self,
        *,
        search: UnmappedAreaInfo,
        read_implies_exec: bool,
        page_tables: PageTables,
        memory: PhysicalMemory,
        page_cache: PageCache,
        fault_around_bytes: int,
        special_pages: Mapping[str, Sequence[Pfn | None]],
        commit: CommitPolicy,
        limits: MemoryLimits,
        heap_label_touches: bool = False,
        anon_vma_merging: AnonVmaMerging = AnonVmaMerging.EITHER,
        mprotect_uncharges: bool = True,
    ) -> None:
        """Create an empty address space.

        `special_pages` are the frames of the kernel's own areas, by name. `anon_vma_merging` decides which
        areas become one, `mprotect_uncharges` what is charged for. `heap_label_touches`: see ExecRules.
        """
        self.search = search
        self.task_size = search.task_size
        self.read_implies_exec = read_implies_exec
        self.page_tables = page_tables
        self.memory = memory
        self.page_cache = page_cache
        self.fault_around_pages = max(1, fault_around_bytes >> PAGE_SHIFT)
        self.special_pages = special_pages
        self.areas = Areas()
        self.start_brk = VirtAddr(0)
        self.brk = VirtAddr(0)
        self.data_segment_bytes = 0
        """mm->end_data - mm->start_data."""
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
        self.limits = limits

    # --- areas ----------------------------------------------------------------------------------

    @property
    def vmas(self) -> list[Vma]:
        """The areas in the form maps and smaps print them, not yet labelled."""
        return [area.vma() for area in self.areas]

    def find_above(self, address: int) -> VmArea | None:
        """Return the lowest area that ends above `address`, if any."""
        return self.areas.find_above(address)

    def find(self, address: int) -> VmArea | None:
        """Return the area that holds `address`, if any."""
        return self.areas.find(address)

    def pieces(self, pages: AddressRange) -> Iterator[tuple[VmArea, AddressRange]]:
        """Yield each area of `pages` and what of them lies in it; areas may be cut and merged meanwhile.

        Raises KernelError (ENOMEM) at a hole: what lies before it has been yielded.
        """
        position = pages.start
        while position < pages.end:
            area = self.find(position)
            if area is None:
                raise KernelError(Errno.ENOMEM)
            piece = AddressRange(position, min(area.end, pages.end))
            yield area, piece
            position = piece.end

    def insert(self, vma: Vma) -> None:
        """Add an area that no file is behind to free space."""
        if isinstance(vma.backing, FileBacking) or vma.flags is None:
            raise TypeError(f"an area of a file, or of unknown flags: {vma}")
        self.add(VmArea(vma.range, vma.access, vma.flags, vma.backing, vma.start // PAGE_SIZE))

    def add(self, area: VmArea, *, just_expand: bool = False, is_mapping: bool = False) -> None:
        """Add an area to free space and merge it with its neighbours, as merge_range() tells."""
        index = self.areas.first_above(area.start)
        merged, below, above = merge_range(
            self.areas.at(index - 1),
            area,
            self.areas.at(index),
            self.anon_vma_merging,
            just_expand=just_expand,
            is_mapping=is_mapping,
        )
        self.areas.replace(index - below, index + above, merged)

    def _split(self, address: VirtAddr) -> None:
        """Cut the area that holds `address` in two there."""
        index = self.areas.first_above(address)
        area = self.areas.at(index)
        if area is not None and area.start < address:
            self.areas.replace(index, index + 1, *area.split(address))

    def modify(self, area: VmArea, pages: AddressRange, access: Access, flags: VmFlag) -> None:
        """Give `pages`, which lie in `area`, other permissions: merge, or else split.

        Raises KernelError(ENOMEM) where the area may not be split; its lower end may be by then.
        Source: mm/vma.c:vma_modify(), vma_merge_existing_range().
        """
        index = self.areas.first_above(pages.start)
        lower, middle = area.split(pages.start) if area.start < pages.start else (None, area)
        middle, upper = middle.split(pages.end) if pages.end < area.end else (middle, None)
        merged, below, above = merge_range(
            self.areas.at(index - 1) if lower is None else lower,
            dataclasses.replace(middle, access=access, flags=flags),
            self.areas.at(index + 1) if upper is None else upper,
            self.anon_vma_merging,
        )
        if not below and not above:
            for address in (pages.start, pages.end):
                if area.start < address < area.end:
                    self.limits.require_split(self.areas)
                    self._split(address)
            index = self.areas.first_above(pages.start)
            lower = upper = None
        parts = (part for part in (lower, merged, upper) if part is not None)
        self.areas.replace(index - below, index + 1 + above, *parts)

    def munmap(self, start: VirtAddr, length: int) -> None:
        """Remove whatever is mapped in `length` bytes from `start`.

        Raises KernelError(ENOMEM) where that would leave an area too many.
        Source: mm/vma.c:do_vmi_munmap(), vms_gather_munmap_vmas().
        """
        gone = AddressRange(start, page_up(start + length))
        if not gone.size_bytes:
            return
        around = self.find(gone.start)
        if around is not None and around.start < gone.start and gone.end < around.end:
            self.limits.require_split(self.areas)
        self._split(gone.start)
        self._split(gone.end)
        first, last = self.areas.first_above(gone.start), self.areas.first_above(gone.end)
        if first == last:
            return
        self.areas.replace(first, last)
        self.zap(gone)
        self.page_tables.free_tables(gone, self.areas.room_around(first))

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
        self.limits.require_another(self.areas)
        address = self.get_unmapped_area(hint, size, fixed=fixed or noreplace)
        target = AddressRange(address, VirtAddr(address + size))
        above = self.areas.find_above(address)
        if noreplace and above is not None and above.range.overlaps(target):
            raise KernelError(Errno.EEXIST)
        if file is not None and file.noexec and Access.EXECUTE in access:
            raise KernelError(Errno.EPERM)
        shared = sharing is Sharing.SHARED
        if file is not None and shared and Access.WRITE in access and not file.writable:
            raise KernelError(Errno.EACCES)
        self.limits.require(
            self.areas,
            size - sum(size for _, size in self.areas.mapped(target)),
            is_data=Access.WRITE in access and not shared,
        )
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
        return sum(size for area, size in self.areas.mapped(part) if VmFlag.ACCOUNT in area.flags)

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
        self.limits.require(self.areas, size, is_data=True)
        self.limits.require_another(self.areas)
        self.commit.charge(size)
        access = Access.READ | Access.WRITE
        if execute or self.read_implies_exec:
            access |= Access.EXECUTE
        span = AddressRange(start, VirtAddr(start + size))
        area = VmArea(span, access, VmFlag.ACCOUNT | self.def_flags, Anonymous(), start // PAGE_SIZE)
        index = self.areas.first_above(start)
        below = self.areas.at(index - 1)
        if below is not None and below.end <= merge_above:
            self.areas.replace(index, index, area)
        else:
            self.add(area, just_expand=True)

    def get_unmapped_area(self, hint: VirtAddr, size: int, *, fixed: bool = False) -> VirtAddr:
        """Choose where `size` bytes go: at a fixed address, at a free hint, or the first fit.

        Raises KernelError(ENOMEM, EINVAL or EPERM). Source: mm/mmap.c:__get_unmapped_area().
        """
        return self.search.get_unmapped_area(self.areas, hint, size, fixed=fixed)

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
            index = self.areas.first_above(area.start)
            ready = prepare_anon_vma(self.areas.at(index - 1), area, self.areas.at(index + 1))
            self.areas.replace(index, index + 1, ready)

    def special_frame(self, area: VmArea, page: int) -> Pfn | None:
        """Return the frame of page number `page` of one of the kernel's own areas, if it has one."""
        return self.special_pages[area.vma().name][page]

    def expand_stack(self, address: int, limit: int) -> VmArea | None:
        """Extend a stack down to `address`, at most to `limit` bytes, and return it; None if it cannot be.

        Source: mm/vma.c:expand_downwards(), acct_stack_growth().
        """
        index = self.areas.first_above(address)
        stack = self.areas.at(index)
        if stack is None or not stack.grows_down:
            return None
        if address in stack.range:
            return stack
        if VmFlag.LOCKED in stack.flags:
            raise NotModelled("the growth of a locked stack")
        start = page_down(address)
        below = self.areas.at(index - 1)
        near = below is not None and start - below.end < self.search.stack_guard_gap
        guarded = below is not None and below.access and not below.grows_down
        may_expand = self.limits.may_expand(self.areas, stack.start - start, is_data=False)
        if (near and guarded) or not may_expand or stack.end - start > limit:
            return None
        grown = dataclasses.replace(
            stack,
            range=AddressRange(start, stack.end),
            page_offset=stack.page_offset - (stack.start - start) // PAGE_SIZE,
        )
        self.areas.replace(index, index + 1, grown)
        return grown

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

    def set_start_brk(self, start: VirtAddr) -> None:
        """Place the heap, of which there is nothing yet."""
        self.start_brk = start
        self.set_brk(start)

    def set_brk(self, brk: VirtAddr) -> None:
        """Move the end of the heap, by which it is labelled."""
        self.brk = brk
        self.forget_labels()
