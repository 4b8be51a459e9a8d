"""Where an address space's parts go before any segment is mapped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.model.address import VirtAddr, page_down, page_up
from inspector.model.program import UNLIMITED

if TYPE_CHECKING:
    from inspector.model.profile import (
        LayoutProfile,
        MachineProfile,
        NativeProfile,
        RandomBases,
        SpecialArea,
    )
    from inspector.model.program import Program

_MIN_GAP = 128 << 20
_STACK_EXPANSION = 128 << 10


@dataclass(frozen=True, slots=True)
class AddressLayout:
    """The fixed points of one address space."""

    task_size: VirtAddr
    stack_top: VirtAddr
    stack_padding: int
    """Bytes arch_align_stack() skips below the strings; 0 with ASLR off."""
    mmap_base: VirtAddr
    legacy_base: VirtAddr | None
    """Where a search from below starts; None: random, and nothing in the process tells it."""
    bottom_up: bool
    et_dyn_base: VirtAddr
    special_areas: tuple[SpecialArea, ...]
    """The kernel's own, to be placed in this address space."""


def address_layout(program: Program, profile: MachineProfile, bases: RandomBases | None) -> AddressLayout:
    """Return the layout `program` gets: computed with ASLR off, read from `bases` with ASLR on."""
    here = profile.layouts[program.layout.value]
    if bases is not None:
        return AddressLayout(
            task_size=here.task_size,
            stack_top=bases.stack_top,
            stack_padding=bases.stack_padding,
            mmap_base=bases.mmap_base,
            legacy_base=bases.mmap_base if here.bottom_up else None,
            bottom_up=here.bottom_up,
            et_dyn_base=here.et_dyn_base,
            special_areas=profile.special_areas,
        )
    return _fixed_layout(here, program, profile, profile.special_areas)


def native_layout(program: Program, profile: MachineProfile, native: NativeProfile) -> AddressLayout:
    """Return the layout of a 64-bit program, ASLR off: one and the same, whatever `program.layout` is.

    Source: arch/x86/mm/mmap.c:arch_pick_mmap_layout().
    """
    return _fixed_layout(native.layout, program, profile, native.special_areas)


def _fixed_layout(
    here: LayoutProfile, program: Program, profile: MachineProfile, special_areas: tuple[SpecialArea, ...]
) -> AddressLayout:
    return AddressLayout(
        task_size=here.task_size,
        stack_top=here.task_size,
        stack_padding=0,
        mmap_base=mmap_base(
            here.task_size, program.limits.stack, profile.stack_guard_gap, bottom_up=here.bottom_up
        ),
        legacy_base=mmap_legacy_base(here.task_size),
        bottom_up=here.bottom_up,
        et_dyn_base=here.et_dyn_base,
        special_areas=special_areas,
    )


def mmap_base(task_size: VirtAddr, stack_limit: int, guard_gap: int, *, bottom_up: bool) -> VirtAddr:
    """Return where mmap starts to search, ASLR off (rule `layout.mmap-base`).

    Source: arch/x86/mm/mmap.c:mmap_base(), arch_pick_mmap_base().
    """
    if bottom_up:
        return mmap_legacy_base(task_size)
    gap = stack_limit
    if gap + guard_gap <= UNLIMITED:
        gap += guard_gap
    gap = min(max(gap, _MIN_GAP), task_size // 6 * 5)
    return page_up(task_size - gap)


def mmap_legacy_base(task_size: VirtAddr) -> VirtAddr:
    """Return where a search from below starts, ASLR off. Source: arch/x86/mm/mmap.c:mmap_legacy_base()."""
    return page_up(task_size // 3)


def initial_stack_start(top: VirtAddr, lowest_string: VirtAddr, stack_limit: int) -> VirtAddr:
    """Return where the stack area starts at exec (rule `vma.stack`).

    Source: fs/exec.c:setup_arg_pages().
    """
    used = page_down(lowest_string)
    wanted = top - used + _STACK_EXPANSION
    return VirtAddr(min(used, top - min(wanted, page_down(stack_limit))))
