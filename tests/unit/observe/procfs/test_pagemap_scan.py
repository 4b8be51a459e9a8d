from __future__ import annotations

import struct

from inspector.model.address import AddressRange, VirtAddr
from inspector.observe.procfs.pagemap_scan import (
    PAGEMAP_SCAN,
    PresentRegion,
    parse_regions,
    scan_argument,
    walk_end,
)

AREA = AddressRange(VirtAddr(0x8048000), VirtAddr(0x80F1000))


def test_the_request_number_is_that_of_the_kernels_header() -> None:
    assert PAGEMAP_SCAN == 0xC0606610


def test_the_argument_asks_for_present_pages_and_names_the_zero_page() -> None:
    words = struct.unpack("=12Q", scan_argument(AREA, 0x7000, 512))
    assert words == (96, 0, 0x8048000, 0x80F1000, 0, 0x7000, 512, 0, 0, 0x8, 0, 0x28)


def test_the_kernel_writes_back_where_it_stopped() -> None:
    argument = scan_argument(AREA, 0x7000, 512)
    struct.pack_into("=Q", argument, 32, 0x80F1000)
    assert walk_end(argument) == 0x80F1000


def test_regions_say_which_are_the_zero_page() -> None:
    vector = struct.pack("=6Q", 0x1000, 0x3000, 0x8, 0x3000, 0x4000, 0x28)
    assert parse_regions(vector) == (
        PresentRegion(AddressRange(VirtAddr(0x1000), VirtAddr(0x3000)), zero=False),
        PresentRegion(AddressRange(VirtAddr(0x3000), VirtAddr(0x4000)), zero=True),
    )
