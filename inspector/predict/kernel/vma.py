"""Areas as the kernel keeps them (struct vm_area_struct), and which of them it makes one (mm/vma.c).

What /proc/PID/maps prints of an area does not decide whether it merges. The kernel also looks at the open
file itself, at the page offset of memory no file backs, and at the anon_vma:

    an area gets one when its first private page is made, by a write
        ... a neighbour's, if the two differ in nothing but their permissions
        ... a new one otherwise
    a new mapping has none, and joins an area whatever anon_vma that has
    two areas that each have their own stay apart for good

So where a program's segments become one area depends on the order in which their pages were first written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SIZE, AddressRange, FileOffset
from inspector.model.profile import AnonVmaMerging
from inspector.model.vma import Access, FileBacking, Sharing, Special, Vma, VmFlag
from inspector.predict.kernel.errno import Errno, KernelError

if TYPE_CHECKING:
    from inspector.model.address import VirtAddr
    from inspector.model.vma import Anonymous, Backing


class Contents(Protocol):
    """The bytes of a file."""

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes at `offset`; fewer at the end of the file."""
        ...


@dataclass(eq=False, slots=True)
class MappedFile:
    """An open file as mappings see it (struct file): opened twice, it is two that never merge."""

    path: str
    device: tuple[int, int]
    inode: int
    size: int
    contents: Contents
    """Where its bytes are read from."""
    noexec: bool = False
    """Whether it lies on a noexec mount."""
    writable: bool = False
    """Whether it is open for writing (FMODE_WRITE)."""

    def at(self, offset: int) -> FileBacking:
        """Return the backing of an area that starts `offset` bytes into the file."""
        return FileBacking(self.path, self.device, self.inode, FileOffset(offset))


class AnonVma:
    """What finds every page table entry of a private page (struct anon_vma); only its identity matters."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class VmArea:
    """One area (struct vm_area_struct)."""

    range: AddressRange
    access: Access
    flags: VmFlag
    origin: MappedFile | Anonymous | Special
    """Where its pages come from (vm_file, vm_ops)."""
    page_offset: int
    """vm_pgoff: in pages, the place in the file; without a file, in the address space it was made in."""
    sharing: Sharing = Sharing.PRIVATE
    anon_vmas: tuple[AnonVma, ...] = ()
    """The anon_vma_chain: its own anon_vma last, before it those its pages were inherited from by fork."""
    maps_stack: bool = False
    """Whether it was mapped with MAP_STACK, in which some kernels see VM_NOHUGEPAGE."""
    mixedmap: bool = False
    """Whether an area of the kernel's own is VM_MIXEDMAP where others are VM_PFNMAP."""

    @property
    def start(self) -> VirtAddr:
        """First address."""
        return self.range.start

    @property
    def end(self) -> VirtAddr:
        """First address past the area."""
        return self.range.end

    @property
    def anon_vma(self) -> AnonVma | None:
        """The anon_vma of the private pages it makes; None before the first."""
        return self.anon_vmas[-1] if self.anon_vmas else None

    @property
    def grows_down(self) -> bool:
        """Whether it is a stack."""
        return VmFlag.GROWSDOWN in self.flags

    @property
    def backing(self) -> Backing:
        """What is behind it, as maps tells."""
        if isinstance(self.origin, MappedFile):
            return self.origin.at(self.page_offset * PAGE_SIZE)
        return self.origin

    def vma(self) -> Vma:
        """Return what maps and smaps print of it."""
        return Vma(self.range, self.access, self.sharing, self.backing, self.flags)

    @property
    def is_noexec(self) -> bool:
        """Whether it maps a file of a noexec mount."""
        return isinstance(self.origin, MappedFile) and self.origin.noexec

    @property
    def is_io(self) -> bool:
        """Whether none but the program may read its pages (VM_IO): those of vvar."""
        return isinstance(self.origin, Special) and self.origin.name != "[vdso]"

    @property
    def is_pfnmap(self) -> bool:
        """Whether its pages are frames the kernel does not count as memory (VM_PFNMAP).

        Rule `observe.vvar-hidden`. Source: arch/x86/entry/vdso/vma.c:map_vdso(),
        lib/vdso/datastore.c:vdso_install_vvar_mapping().
        """
        return self.is_io and not self.mixedmap

    @property
    def may_access(self) -> Access:
        """What mprotect may give it (VM_MAYREAD, VM_MAYWRITE, VM_MAYEXEC).

        Source: mm/mmap.c:do_mmap(), arch/x86/entry/vdso/vma.c:map_vdso().
        """
        if self.is_io:
            return Access.READ
        never = Access.EXECUTE if self.is_noexec else Access.NONE
        if (
            self.sharing is Sharing.SHARED
            and isinstance(self.origin, MappedFile)
            and not self.origin.writable
        ):
            never |= Access.WRITE
        return ~never

    def split(self, address: VirtAddr) -> tuple[VmArea, VmArea]:
        """Return the parts below and above `address`, which lies inside.

        Raises KernelError(EINVAL) for one of the kernel's own areas, which stay whole.
        Source: mm/vma.c:__split_vma(), mm/mmap.c:special_mapping_split().
        """
        if isinstance(self.origin, Special):
            raise KernelError(Errno.EINVAL)
        return (
            replace(self, range=AddressRange(self.start, address)),
            replace(
                self,
                range=AddressRange(address, self.end),
                page_offset=self.page_offset + (address - self.start) // PAGE_SIZE,
            ),
        )


def merge_range(
    below: VmArea | None,
    new: VmArea,
    above: VmArea | None,
    merging: AnonVmaMerging = AnonVmaMerging.EITHER,
    *,
    just_expand: bool = False,
    is_mapping: bool = False,
) -> tuple[VmArea, bool, bool]:
    """Return the area `new` becomes part of, and whether its neighbours below and above become part of it.

    `new` may also be an area, or an end of one, whose permissions have just changed. `just_expand`: only the
    neighbour below may. `is_mapping`: mmap makes it. Rule `vma.merge`.
    Source: mm/vma.c:vma_merge_new_range(), vma_merge_existing_range().
    """
    with_above = above is not None and not just_expand and _can_merge(new, above, new, merging)
    middle = new
    if above is not None and with_above and is_mapping and merging is AnonVmaMerging.ABOVE_FIRST:
        middle = replace(new, anon_vmas=above.anon_vmas)
    with_below = below is not None and _can_merge(below, middle, middle, merging)
    if below is not None and with_below:
        # What lies between them is compatible with each; they need not be with each other.
        if above is not None and below.anon_vma and above.anon_vma:
            with_above = with_above and below.anon_vma is above.anon_vma
        new = _joined(below, new)
    if above is not None and with_above:
        new = _joined(new, above)
    return new, with_below, with_above


def _can_merge(low: VmArea, high: VmArea, changed: VmArea, merging: AnonVmaMerging) -> bool:
    """Whether two areas may become one, of which `changed` is new or not as it was.

    An area with pages inherited by fork gives its anon_vma to no other.
    Source: mm/vma.c:can_vma_merge_before(), can_vma_merge_after(), is_mergeable_anon_vma().
    """
    if low.access != high.access or not _continues(low, high):
        return False
    if low.anon_vma is high.anon_vma:
        return True
    if merging is not AnonVmaMerging.EITHER and changed.anon_vmas:
        return False
    return len(low.anon_vmas + high.anon_vmas) == 1


def _continues(low: VmArea, high: VmArea) -> bool:
    """Whether `high` goes on where `low` ends, in all but its permissions.

    Raises NotModelled where MAP_STACK alone may keep them apart: since Linux 6.7 it does, where the kernel
    has huge pages. Source: mm/vma.c:is_mergeable_vma(), include/linux/mman.h:calc_vm_flag_bits().
    """
    continues = (
        low.end == high.start
        and low.origin == high.origin
        and not isinstance(low.origin, Special)
        and (low.sharing, low.flags) == (high.sharing, high.flags)
        and low.page_offset + low.range.size_bytes // PAGE_SIZE == high.page_offset
    )
    if continues and low.maps_stack != high.maps_stack:
        raise NotModelled("whether memory mapped with MAP_STACK joins what lies beside it")
    return continues


def _joined(low: VmArea, high: VmArea) -> VmArea:
    """Source: mm/vma.c:vma_expand(), dup_anon_vma()."""
    span = AddressRange(low.start, high.end)
    return replace(low, range=span, anon_vmas=low.anon_vmas or high.anon_vmas)


def prepare_anon_vma(below: VmArea | None, area: VmArea, above: VmArea | None) -> VmArea:
    """Return `area` ready for a private page: with a neighbour's anon_vma, or one of its own.

    Rule `vma.anon-vma`. Source: mm/rmap.c:__anon_vma_prepare(), mm/vma.c:find_mergeable_anon_vma().
    """
    if area.anon_vma is not None:
        return area
    # An area with pages inherited by fork does not share its anon_vma.
    if above is not None and len(above.anon_vmas) == 1 and _continues(area, above):
        return replace(area, anon_vmas=above.anon_vmas)
    if below is not None and len(below.anon_vmas) == 1 and _continues(below, area):
        return replace(area, anon_vmas=below.anon_vmas)
    return replace(area, anon_vmas=(AnonVma(),))
