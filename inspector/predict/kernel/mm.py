"""An address space: its areas, its page tables and its fault counters (struct mm_struct).

    mmap, munmap         mm/mmap.c, mm/vma.c
    get_unmapped_area    arch/x86/kernel/sys_x86_64.c
    faults               mm/memory.c, as far as execve itself needs them

Areas are kept in ascending order and never overlap. Two neighbours stay apart only where Linux keeps
them apart, so the list is at all times what /proc/PID/maps would print.
"""

from __future__ import annotations

import bisect
import dataclasses
from typing import TYPE_CHECKING

from inspector.model.address import (
    PAGE_SIZE,
    AddressRange,
    FileOffset,
    VirtAddr,
    address_of,
    page_down,
    page_up,
)
from inspector.model.page import PageKind
from inspector.model.vma import Access, Anonymous, FileBacking, Sharing, Vma, VmFlag
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.machine.pagetable import PageTableEntry, PageTables

if TYPE_CHECKING:
    from inspector.model.profile import PageTableGeometry
    from inspector.model.vma import Backing


class AccessFault(Exception):
    """A kernel access to user memory failed: no area, no permission, or no page behind it (-EFAULT)."""

    def __init__(self, rule: str | None = None) -> None:
        """`rule` says why, where one does."""
        super().__init__(rule)
        self.rule = rule


@dataclasses.dataclass(slots=True)
class MappedFile:
    """An open file as mappings see it."""

    path: str
    device: tuple[int, int]
    inode: int
    size: int
    noexec: bool = False
    """Whether it lies on a noexec mount."""

    def at(self, offset: int) -> FileBacking:
        """Return the backing of an area that starts `offset` bytes into the file."""
        return FileBacking(self.path, self.device, self.inode, FileOffset(offset))


def continues(low: Vma, high: Vma) -> bool:
    """Whether Linux would keep `low` and `high` as one area.

    Source: mm/vma.c:is_mergeable_vma(), can_vma_merge_after().
    """
    if low.end != high.start or (low.access, low.sharing, low.flags) != (
        high.access,
        high.sharing,
        high.flags,
    ):
        return False
    match low.backing, high.backing:
        case Anonymous(), Anonymous():
            return low.backing == high.backing
        case FileBacking() as below, FileBacking() as above:
            follow_on = FileOffset(below.offset + low.range.size_bytes)
            return dataclasses.replace(below, offset=follow_on) == above
    return False


class AddressSpace:
    """One process's memory, as the kernel keeps it."""

    def __init__(
        self,
        *,
        task_size: VirtAddr,
        mmap_base: VirtAddr,
        bottom_up: bool,
        stack_guard_gap: int,
        lowest_fixed: int,
        mmap_floor: int,
        read_implies_exec: bool,
        geometry: PageTableGeometry,
    ) -> None:
        """Create an empty address space; sizes and addresses are in bytes.

        `lowest_fixed` bounds what the program may ask for, `mmap_floor` what the kernel chooses itself.
        """
        self.task_size = task_size
        self.mmap_base = mmap_base
        self.bottom_up = bottom_up
        self.stack_guard_gap = stack_guard_gap
        self.lowest_fixed = lowest_fixed
        self.mmap_floor = mmap_floor
        self.read_implies_exec = read_implies_exec
        self.vmas: list[Vma] = []
        self.page_tables = PageTables(geometry)
        self.file_sizes: dict[str, int] = {}
        self.minor_faults = 0
        self.brk = VirtAddr(0)

    # --- areas ----------------------------------------------------------------------------------

    def find(self, address: int) -> Vma | None:
        """Return the area that holds `address`, if any."""
        index = bisect.bisect_right(self.vmas, address, key=lambda vma: vma.start) - 1
        return self.vmas[index] if index >= 0 and address in self.vmas[index].range else None

    def insert(self, vma: Vma, *, merge_below: bool = True, merge_above: bool = True) -> None:
        """Add an area to free space and merge it with its neighbours (rule `vma.merge`)."""
        index = bisect.bisect_left(self.vmas, vma.start, key=lambda other: other.start)
        self.vmas.insert(index, vma)
        if merge_above and index + 1 < len(self.vmas) and continues(vma, self.vmas[index + 1]):
            self._join(index)
        if merge_below and index > 0 and continues(self.vmas[index - 1], self.vmas[index]):
            self._join(index - 1)

    def _join(self, index: int) -> None:
        low, high = self.vmas[index : index + 2]
        self.vmas[index : index + 2] = [dataclasses.replace(low, range=AddressRange(low.start, high.end))]

    def _split(self, address: VirtAddr) -> None:
        """Cut the area that holds `address` in two there. Source: mm/vma.c:__split_vma()."""
        vma = self.find(address)
        if vma is None or vma.start == address:
            return
        upper: Backing = vma.backing
        if isinstance(upper, FileBacking):
            upper = dataclasses.replace(upper, offset=FileOffset(upper.offset + address - vma.start))
        index = self.vmas.index(vma)
        self.vmas[index : index + 1] = [
            dataclasses.replace(vma, range=AddressRange(vma.start, address)),
            dataclasses.replace(vma, range=AddressRange(address, vma.end), backing=upper),
        ]

    def munmap(self, start: VirtAddr, length: int) -> None:
        """Remove whatever is mapped in `length` bytes from `start`. Source: mm/vma.c:do_vmi_munmap()."""
        gone = AddressRange(start, page_up(start + length))
        if not gone.size_bytes:
            return
        self._split(gone.start)
        self._split(gone.end)
        self.vmas = [vma for vma in self.vmas if not vma.range.overlaps(gone)]
        self.page_tables.unmap(gone)
        below = max((vma.end for vma in self.vmas if vma.end <= gone.start), default=VirtAddr(0))
        above = min((vma.start for vma in self.vmas if vma.start >= gone.end), default=VirtAddr(1 << 47))
        self.page_tables.free_tables(gone, AddressRange(below, above))

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
        if noreplace and any(vma.range.overlaps(target) for vma in self.vmas):
            raise KernelError(Errno.EEXIST)
        if file.noexec and Access.EXECUTE in access:
            raise KernelError(Errno.EPERM)
        self.munmap(address, size)
        # Private writable memory is charged against the commit limit (rule `vma.account`).
        flags = VmFlag.ACCOUNT if Access.WRITE in access else VmFlag.NONE
        self.file_sizes[file.path] = file.size
        self.insert(Vma(target, access, Sharing.PRIVATE, file.at(offset), flags))
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
        self.insert(Vma(area, access, Sharing.PRIVATE, Anonymous(), VmFlag.ACCOUNT), merge_above=False)

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
            wanted = AddressRange(hint := VirtAddr(max(hint, self.mmap_floor)), VirtAddr(hint + size))
            if wanted.end <= self.task_size and not any(
                AddressRange(self._gap_start(vma), vma.end).overlaps(wanted) for vma in self.vmas
            ):
                return hint
        return self._first_fit_upward(size) if self.bottom_up else self._first_fit_downward(size)

    def _gap_start(self, vma: Vma) -> VirtAddr:
        """Where the area begins, its guard gap included. Source: include/linux/mm.h:vm_start_gap()."""
        grows = vma.flags is not None and VmFlag.GROWSDOWN in vma.flags
        return VirtAddr(max(0, vma.start - self.stack_guard_gap)) if grows else vma.start

    def _first_fit_downward(self, size: int) -> VirtAddr:
        ceiling = self.mmap_base
        for vma in reversed(self.vmas):
            if vma.end <= ceiling and ceiling - vma.end >= size:
                break
            ceiling = VirtAddr(min(ceiling, self._gap_start(vma)))
        if ceiling - size < self.mmap_floor:
            return self._first_fit_upward(size)
        return VirtAddr(ceiling - size)

    def _first_fit_upward(self, size: int) -> VirtAddr:
        floor = page_up(self.task_size // 3) if not self.bottom_up else self.mmap_base
        for vma in self.vmas:
            if vma.end > floor:
                if self._gap_start(vma) - floor >= size:
                    break
                floor = vma.end
        if floor + size > self.task_size:
            raise KernelError(Errno.ENOMEM)
        return floor

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
            vma = self.find(at)
            if vma is None or Access.WRITE not in vma.access:
                raise AccessFault
            if isinstance(vma.backing, FileBacking):
                file_page = vma.backing.offset + at - vma.start
                if file_page >= page_up(self.file_sizes[vma.backing.path]):
                    raise AccessFault("elf.file-too-short")
            self.page_tables.map(vpn, PageTableEntry(PageKind.ANONYMOUS, writable=True))
            self.minor_faults += 1

    def grow_stack(self, address: VirtAddr, limit: int) -> None:
        """Extend the stack down to `address`, at most to `limit` bytes; KernelError(EFAULT) if it cannot.

        Source: mm/vma.c:expand_downwards(), acct_stack_growth().
        """
        if self.find(address) is not None:
            return
        stack = next((vma for vma in self.vmas if vma.start > address), None)
        if stack is None or stack.flags is None or VmFlag.GROWSDOWN not in stack.flags:
            raise KernelError(Errno.EFAULT)
        start = page_down(address)
        below = max((vma.end for vma in self.vmas if vma.end <= start and vma.access), default=VirtAddr(0))
        if stack.end - start > limit or (below and start - below < self.stack_guard_gap):
            raise KernelError(Errno.EFAULT)
        index = self.vmas.index(stack)
        self.vmas[index] = dataclasses.replace(stack, range=AddressRange(start, stack.end))

    def labelled(self, stack_pointer: VirtAddr) -> list[Vma]:
        """Return the areas with the labels maps gives them. Source: fs/proc/task_mmu.c:get_vma_name()."""
        return [dataclasses.replace(vma, backing=self._backing(vma, stack_pointer)) for vma in self.vmas]

    def _backing(self, vma: Vma, stack_pointer: VirtAddr) -> Backing:
        if not isinstance(vma.backing, Anonymous):
            return vma.backing
        if vma.start < self.brk < vma.end:
            return Anonymous("[heap]")
        return Anonymous("[stack]") if stack_pointer in vma.range else vma.backing
