"""/proc/PID/pagemap: eight bytes for every virtual page, whether mapped or not.

Source: fs/proc/task_mmu.c (PM_PRESENT and its neighbours, pagemap_pmd_range()) and
Documentation/admin-guide/mm/pagemap.rst.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.model.address import Pfn, VirtAddr, Vpn, address_of, vpn_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRY_BYTES = 8

# An entry, little-endian:
#
#    63      62      61      60-59  58     57       56         55          54 ............ 0
#    present swapped file or  0     guard  uffd     mapped     soft dirty  frame number, or swap
#                    shared                write-   exclu-                 type and offset of a
#                    anon                  protected sively                swapped page
#
# A reader without CAP_SYS_ADMIN sees the frame number as 0. Bit 55 is always 0 on a kernel without
# CONFIG_MEM_SOFT_DIRTY; on one with it, it may stand alone in the entry of a page that is not mapped.
_PRESENT = 1 << 63
_SWAPPED = 1 << 62
_FILE_OR_SHARED = 1 << 61
_EXCLUSIVE = 1 << 56
_SOFT_DIRTY = 1 << 55
_FRAME = (1 << 55) - 1


@dataclass(frozen=True, slots=True)
class PagemapEntry:
    """What one entry says."""

    vpn: Vpn
    present: bool
    """The page tables map it now."""
    swapped: bool
    file_or_shared: bool
    """The frame is no anonymous page: page cache, tmpfs, shared memory, the kernel's own vdso page, or
    the huge zero page."""
    exclusive: bool
    """Mapped by this one page-table entry and no other; never true of the zero page."""
    soft_dirty: bool
    pfn: Pfn | None
    """None: not present, or the reader may not look."""


def parse_pagemap(data: bytes, start: VirtAddr) -> Iterator[PagemapEntry]:
    """Yield the entry of every page from `start` on.

    `data` holds ENTRY_BYTES for each of them; ValueError if it ends inside an entry.
    """
    if len(data) % ENTRY_BYTES:
        msg = f"pagemap of {start:#x} ends inside an entry: {len(data)} bytes"
        raise ValueError(msg)
    for vpn, (entry,) in enumerate(struct.iter_unpack("<Q", data), vpn_of(start)):
        present = bool(entry & _PRESENT)
        yield PagemapEntry(
            vpn=Vpn(vpn),
            present=present,
            swapped=bool(entry & _SWAPPED),
            file_or_shared=bool(entry & _FILE_OR_SHARED),
            exclusive=bool(entry & _EXCLUSIVE),
            soft_dirty=bool(entry & _SOFT_DIRTY),
            pfn=Pfn(entry & _FRAME) if present and entry & _FRAME else None,
        )


def frame_numbers(data: bytes) -> Iterator[int]:
    """Yield the frame of each entry of `data`, and nothing else of it; 0: not present, or not to be seen.

    A program may have a million pages, and this is asked at every stop.
    """
    for (entry,) in struct.iter_unpack("<Q", data):
        yield entry & _FRAME if entry & _PRESENT else 0


def present_runs(data: bytes, start: VirtAddr) -> Iterator[tuple[VirtAddr, bytes]]:
    """Yield (first address, entries) of every longest run of present pages in `data`.

    Looks at nothing but the byte that holds the present bit.
    """
    if data == bytes(len(data)):
        return  # a hole, by far the most frequent answer in a sparse process: compared at memory speed
    for run in re.finditer(rb"[\x80-\xff]+", data[ENTRY_BYTES - 1 :: ENTRY_BYTES]):
        first, past = run.span()
        yield address_of(vpn_of(start) + first), data[first * ENTRY_BYTES : past * ENTRY_BYTES]
