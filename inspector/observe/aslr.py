"""Reading ASLR's choices from a process at exec; they become named inputs of the prediction."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from inspector.errors import CannotObserve, NotModelled
from inspector.model.address import VirtAddr
from inspector.model.auxv import AuxType
from inspector.model.profile import RandomBases

if TYPE_CHECKING:
    from inspector.model.snapshot import Snapshot


def random_bases(snapshot: Snapshot, *, file_entry: int) -> RandomBases:
    """Return the bases that explain `snapshot`, taken at exec; `file_entry` is e_entry of the program's file.

    Raises CannotObserve where the snapshot lacks what they are read from.
    """
    if snapshot.vmas is None or snapshot.auxv is None or snapshot.stack is None or snapshot.brk is None:
        raise CannotObserve(
            "the random bases could not be read",
            help="run as a user who may read the process's maps and auxv",
        )
    auxv = {entry.type: entry.value for entry in snapshot.auxv}
    stack = next(vma for vma in snapshot.vmas if vma.name == "[stack]")
    below = [vma for vma in snapshot.vmas if vma.end <= stack.start]
    if not below or below[-1].end < stack.end // 2:
        raise NotModelled("ASLR with a bottom-up mmap area", help="set vm.legacy_va_layout to 0")
    # argv[0] is the lowest string; the first words on the stack are argc and argv[0].
    (lowest_string,) = struct.unpack_from("<I", snapshot.stack.contents, 4)
    platform = auxv[AuxType.AT_PLATFORM]
    platform_end = snapshot.stack.contents.index(b"\0", platform - snapshot.stack.sp) + 1
    return RandomBases(
        stack_top=stack.end,
        mmap_base=below[-1].end,
        brk=snapshot.brk,
        load_bias=VirtAddr(auxv[AuxType.AT_ENTRY] - file_entry),
        # arch_align_stack() leaves a multiple of 16, from which the platform string is taken.
        stack_padding=lowest_string - (snapshot.stack.sp + platform_end),
    )
