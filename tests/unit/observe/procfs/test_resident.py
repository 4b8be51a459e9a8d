"""The search that older kernels need, against a pagemap that is a plain file."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import pytest

from inspector.errors import CannotObserve
from inspector.model.address import AddressRange, Pfn, VirtAddr
from inspector.observe.procfs import resident
from inspector.observe.procfs.resident import ResidentPages, find_resident, scan, search

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PRESENT, FILE, EXCLUSIVE = 1 << 63, 1 << 61, 1 << 56
ZERO_FRAME = Pfn(0x3B34)
ENTRIES = {
    0x10: PRESENT | FILE | 0x100,
    0x11: PRESENT | EXCLUSIVE | 0x200,
    0x12: PRESENT | ZERO_FRAME,
    0x13: PRESENT | 0x300,
    0x20: PRESENT | ZERO_FRAME,
}
AREAS = [
    AddressRange(VirtAddr(0x10000), VirtAddr(0x18000)),
    AddressRange(VirtAddr(0x1F000), VirtAddr(0x22000)),
]


def _write(path: Path, entries: dict[int, int]) -> int:
    path.write_bytes(b"".join(struct.pack("<Q", entries.get(vpn, 0)) for vpn in range(0x30)))
    return os.open(path, os.O_RDONLY)


@pytest.fixture
def pagemap(tmp_path: Path) -> Iterator[int]:
    fd = _write(tmp_path / "pagemap", ENTRIES)
    yield fd
    os.close(fd)


def _flags(frames: Iterable[Pfn]) -> dict[Pfn, int] | None:
    return {frame: 1 << 24 if frame == ZERO_FRAME else 1 << 12 for frame in frames}


def _hidden(_: Iterable[Pfn]) -> dict[Pfn, int] | None:
    return None


def test_a_descriptor_without_the_request_is_searched(pagemap: int) -> None:
    assert scan(pagemap, AREAS[0]) is None
    assert find_resident(pagemap, AREAS, _flags) == search(pagemap, AREAS, _flags)


def test_runs_and_zero_pages_are_found(pagemap: int) -> None:
    found = search(pagemap, AREAS, _flags)
    assert found == ResidentPages(
        pagemap=(
            (VirtAddr(0x10000), b"".join(struct.pack("<Q", ENTRIES[vpn]) for vpn in range(0x10, 0x14))),
            (VirtAddr(0x20000), struct.pack("<Q", ENTRIES[0x20])),
        ),
        zero_pages=(VirtAddr(0x12000), VirtAddr(0x20000)),
    )


def test_an_area_is_searched_whole_though_in_chunks(pagemap: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "_CHUNK_BYTES", 0x3000)
    found = search(pagemap, AREAS, _flags)
    assert [start for start, _ in found.pagemap] == [0x10000, 0x13000, 0x20000]


def test_without_frame_flags_the_zero_pages_are_not_known(pagemap: int) -> None:
    assert search(pagemap, AREAS, _hidden).zero_pages is None


def test_without_frames_the_zero_pages_are_not_known(tmp_path: Path) -> None:
    fd = _write(tmp_path / "hidden", {vpn: entry >> 55 << 55 for vpn, entry in ENTRIES.items()})
    assert search(fd, AREAS, _flags).zero_pages is None
    os.close(fd)


def test_exclusive_and_file_pages_need_no_flags(tmp_path: Path) -> None:
    fd = _write(tmp_path / "plain", {vpn: ENTRIES[vpn] for vpn in (0x10, 0x11)})
    assert search(fd, AREAS, _hidden).zero_pages == ()
    os.close(fd)


def test_no_areas_have_no_pages(pagemap: int) -> None:
    assert find_resident(pagemap, [], _flags) == ResidentPages((), ())


def test_too_much_to_search_is_said(pagemap: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "SEARCH_LIMIT_BYTES", 0x1000)
    with pytest.raises(CannotObserve, match="too much to search"):
        search(pagemap, AREAS, _flags)


def test_an_area_past_the_end_of_the_pagemap_has_no_pages(pagemap: int) -> None:
    beyond = AddressRange(VirtAddr(0xFFFFFFFFFF600000), VirtAddr(0xFFFFFFFFFF601000))
    assert search(pagemap, [beyond], _flags) == ResidentPages((), ())
