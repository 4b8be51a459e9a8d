from __future__ import annotations

import struct

import pytest

from inspector.model.address import VirtAddr
from inspector.observe.procfs.pagemap import PagemapEntry, parse_pagemap, present_runs

START = VirtAddr(0x8048000)


def _one(entry: int) -> PagemapEntry:
    (decoded,) = parse_pagemap(struct.pack("<Q", entry), START)
    return decoded


def test_a_privileged_reader_sees_the_frame() -> None:
    entry = _one(0x8100_0000_0011_1663)
    assert (entry.present, entry.exclusive, entry.file_or_shared, entry.pfn) == (True, True, False, 0x111663)


def test_frame_zero_means_may_not_look() -> None:
    assert _one(0x8100_0000_0000_0000).pfn is None


def test_a_swapped_page_has_no_frame() -> None:
    # Swap type 1, offset 5: the same bits that number the frame of a present page.
    entry = _one(0x4000_0000_0000_00A1)
    assert (entry.present, entry.swapped, entry.pfn) == (False, True, None)


def test_a_hole_of_a_soft_dirty_area_is_not_present() -> None:
    entry = _one(0x0080_0000_0000_0000)
    assert (entry.present, entry.soft_dirty) == (False, True)


def test_the_bits_above_the_frame_are_no_part_of_it() -> None:
    entry = _one(0xE780_0000_0000_0001)  # present, swapped, file, guard, write-protected, exclusive, dirty
    assert entry.pfn == 1


def test_pages_are_numbered_from_the_start() -> None:
    assert [entry.vpn for entry in parse_pagemap(bytes(24), START)] == [0x8048, 0x8049, 0x804A]


def test_part_of_an_entry_is_refused() -> None:
    with pytest.raises(ValueError, match="0x8048000 ends inside an entry"):
        list(parse_pagemap(bytes(9), START))


def test_runs_are_the_present_pages_only() -> None:
    present, absent, swapped = (struct.pack("<Q", bits << 62) for bits in (2, 0, 1))
    data = absent + present * 2 + swapped + present + absent
    assert list(present_runs(data, START)) == [(0x8049000, present * 2), (0x804C000, present)]


def test_a_hole_has_no_runs() -> None:
    assert list(present_runs(bytes(800), START)) == []
    assert list(present_runs(b"", START)) == []
