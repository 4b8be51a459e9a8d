"""The PAGEMAP_SCAN request of /proc/PID/pagemap, as bytes: what to ask and what was answered.

It walks the page tables instead of the addresses, so the holes of a sparse process cost nothing, and it
alone names the shared zero page to a reader without privileges. It changes nothing in the process
unless asked to write-protect, which we never do.

Source: include/uapi/linux/fs.h (struct pm_scan_arg, struct page_region);
fs/proc/task_mmu.c:do_pagemap_scan(), pagemap_page_category().
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from inspector.model.address import AddressRange, VirtAddr

# struct pm_scan_arg, every field 64 bits:
#
#    size flags start end walk_end vec vec_len max_pages inverted all-of any-of returned
#                                                        `------- categories --------'
_ARGUMENT = struct.Struct("=12Q")
_WALK_END = 4

# struct page_region, every field 64 bits:  start end categories
_REGION = struct.Struct("=3Q")
REGION_WORDS = 3

# _IOWR('f', 16, struct pm_scan_arg):  direction << 30 | size << 16 | 'f' << 8 | 16
PAGEMAP_SCAN = 3 << 30 | _ARGUMENT.size << 16 | ord("f") << 8 | 16

_PAGE_IS_PRESENT = 1 << 3
_PAGE_IS_PFNZERO = 1 << 5


@dataclass(frozen=True, slots=True)
class PresentRegion:
    """Consecutive present pages that are all of the zero page, or none of them."""

    range: AddressRange
    zero: bool
    """They map the shared zero page (PAGE_IS_PFNZERO)."""


def scan_argument(area: AddressRange, vector_address: int, vector_regions: int) -> bytearray:
    """Return the argument that asks for the present pages of `area`, to be answered in the vector.

    The vector has REGION_WORDS 64-bit words for each of its `vector_regions`.
    """
    categories = (0, _PAGE_IS_PRESENT, 0, _PAGE_IS_PRESENT | _PAGE_IS_PFNZERO)
    return bytearray(
        _ARGUMENT.pack(
            _ARGUMENT.size, 0, area.start, area.end, 0, vector_address, vector_regions, 0, *categories
        )
    )


def walk_end(argument: bytes | bytearray) -> VirtAddr:
    """Return where the kernel stopped, from the argument it wrote back: go on from there."""
    return VirtAddr(_ARGUMENT.unpack(argument)[_WALK_END])


def parse_regions(vector: bytes) -> tuple[PresentRegion, ...]:
    """Return the regions of an answered vector, given cut to the number the ioctl returned."""
    return tuple(
        PresentRegion(AddressRange(VirtAddr(start), VirtAddr(end)), zero=bool(categories & _PAGE_IS_PFNZERO))
        for start, end, categories in _REGION.iter_unpack(vector)
    )
