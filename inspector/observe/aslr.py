"""Reading ASLR's choices from a process at exec; they become named inputs of the prediction."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from inspector.elf.header import PT_LOAD
from inspector.errors import CannotObserve, NotModelled
from inspector.model.address import PAGE_SIZE, AddressRange, VirtAddr, page_down, page_up
from inspector.model.auxv import AuxType
from inspector.model.profile import RandomBases
from inspector.model.vma import Special

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.elf.header import ElfHeader, ProgramHeader
    from inspector.model.snapshot import Snapshot
    from inspector.model.vma import Vma


def random_bases(snapshot: Snapshot, header: ElfHeader, segments: Sequence[ProgramHeader]) -> RandomBases:
    """Return the bases that explain `snapshot`, taken at exec; `header` and `segments` are the program's.

    Raises CannotObserve where the snapshot lacks what they are read from, and NotModelled where it does not
    tell where the mmap area begins.
    """
    auxv = {entry.type: entry.value for entry in snapshot.auxv or ()}
    stack = next((vma for vma in snapshot.vmas or () if vma.name == "[stack]"), None)
    if (
        stack is None
        or snapshot.stack is None
        or snapshot.brk is None
        or not {AuxType.AT_ENTRY, AuxType.AT_PLATFORM} <= auxv.keys()
    ):
        raise CannotObserve(
            "the random bases could not be read",
            help="run as a user who may read the process's maps and auxv",
        )
    load_bias = VirtAddr(auxv[AuxType.AT_ENTRY] - header.entry)
    # argv[0] is the lowest string; the first words on the stack are argc and argv[0].
    (lowest_string,) = struct.unpack_from("<I", snapshot.stack.contents, 4)
    platform = auxv[AuxType.AT_PLATFORM]
    platform_end = snapshot.stack.contents.index(b"\0", platform - snapshot.stack.sp) + 1
    return RandomBases(
        stack_top=stack.end,
        mmap_base=_mmap_base(snapshot.vmas or (), stack, segments, load_bias, auxv.get(AuxType.AT_BASE, 0)),
        brk=snapshot.brk,
        load_bias=load_bias,
        # arch_align_stack() leaves a multiple of 16, from which the platform string is taken.
        stack_padding=lowest_string - (snapshot.stack.sp + platform_end),
    )


def _mmap_base(
    vmas: Sequence[Vma], stack: Vma, segments: Sequence[ProgramHeader], load_bias: int, interpreter: int
) -> VirtAddr:
    """Return where the search for free space begins, which is below the stack.

    It is the end of what was put there first, if that went to the first free place from above: an interpreter
    or a program that asks for no address, or else the vdso. Whatever else lies there proves nothing.
    """
    below = [vma for vma in vmas if vma.end <= stack.start]
    if not below or below[-1].end < stack.end // 2:
        raise NotModelled("ASLR with a bottom-up mmap area", help="set vm.legacy_va_layout to 0")
    top = below[-1]
    if isinstance(top.backing, Special):
        return top.end
    loads = [segment for segment in segments if segment.type == PT_LOAD]
    image = AddressRange(
        page_down(VirtAddr(min(load.vaddr for load in loads) + load_bias)),
        page_up(VirtAddr(max(load.vaddr + load.memsz for load in loads) + load_bias)),
    )
    if top.start in image:
        searched = load_bias and not interpreter and max(load.align for load in loads) <= PAGE_SIZE
    else:
        # The interpreter's first address is what was added to it only if it asked for none.
        searched = any(vma.start == interpreter for vma in vmas)
    if not searched:
        raise NotModelled(
            "ASLR with a file at the top of the mmap area that was not put there by the search",
            help="run it without --aslr",
        )
    return top.end
