"""/proc/PID/smaps: each line of maps, followed by what is resident in the area and its flags.

    08049000-0804a000 r-xp 00001000 fe:00 260131                     /bin/true
    Rss:                   4 kB
    Anonymous:             0 kB
    THPeligible:           0
    VmFlags: rd ex mr mw me

Rss leaves the shared zero page out (vm_normal_page() is NULL for it), so an area with Rss 0 may still
have resident pages: only pagemap can say that an area has none.

Source: fs/proc/task_mmu.c:show_smap(), show_smap_vma_flags(), smaps_pte_entry().
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inspector.model.vma import Vma, VmFlag
from inspector.observe.procfs.maps import parse_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_VM_FLAGS = {
    b"gd": VmFlag.GROWSDOWN,
    b"ac": VmFlag.ACCOUNT,
    b"nr": VmFlag.NORESERVE,
    b"lo": VmFlag.LOCKED,
    b"sr": VmFlag.SEQUENTIAL,
    b"rr": VmFlag.RANDOM,
}
"""The two-letter names that bear on merging and growth; the others are left out."""

_HEADER_STARTS = frozenset(b"0123456789abcdef")
"""A header begins with an address in lower-case hexadecimal, a field with a capital letter."""


@dataclass(frozen=True, slots=True)
class SmapsArea:
    """One area of smaps."""

    vma: Vma
    """`flags` is None only where the kernel printed no `VmFlags`."""
    fields: dict[str, int]
    """By the kernel's name: bytes for a field in kB (`Rss`, `Anonymous`), else the plain number."""


def parse_smaps(data: bytes) -> tuple[SmapsArea, ...]:
    """Return the areas of `data` in its order; ValueError names the first line of another form."""
    return tuple(_parse_area(lines) for lines in _areas(data))


def _areas(data: bytes) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    for line in data.split(b"\n"):
        if not line:
            continue
        if line[0] in _HEADER_STARTS:
            if lines:
                yield lines
            lines = []
        lines.append(line)
    if lines:
        yield lines


def _parse_area(lines: list[bytes]) -> SmapsArea:
    vma = parse_line(lines[0])
    fields: dict[str, int] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        words = value.split()
        if name == b"VmFlags":
            vma = replace(vma, flags=_vm_flags(words))
        elif not colon or not words:
            msg = f"not a line of /proc/PID/smaps: {line!r}"
            raise ValueError(msg)
        else:
            fields[name.decode("ascii")] = int(words[0]) * (1024 if words[-1] == b"kB" else 1)
    return SmapsArea(vma, fields)


def _vm_flags(names: list[bytes]) -> VmFlag:
    flags = VmFlag.NONE
    for name in names:
        flags |= _VM_FLAGS.get(name, VmFlag.NONE)
    return flags
