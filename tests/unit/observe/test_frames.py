"""Whose a frame is, by what the kernel tells of it; the table case by case."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from inspector.errors import BadDocument
from inspector.model.address import Pfn, VirtAddr
from inspector.model.frame import FrameOwner, FrameRun, PagePlace
from inspector.model.observation import RawFrames, RawRelative
from inspector.observe.snapshot import snapshot_from_raw
from tests.unit.observe.test_snapshot import DATA, HEAP, PRESENT, RAW, SHARED, TEXT, VDSO

FRAME = 0x1234
ANON, TAIL, KSM, ZERO_PAGE = 1 << 12, 1 << 16, 1 << 21, 1 << 24


def pagemap(*pages: tuple[VirtAddr, int]) -> tuple[tuple[VirtAddr, bytes], ...]:
    return tuple((at, struct.pack("<Q", PRESENT | frame)) for at, frame in pages)


def told(flags: int, count: int, frame: int = FRAME) -> RawFrames:
    return RawFrames(Pfn(frame), struct.pack("<Q", flags), struct.pack("<Q", count))


def judged(at: VirtAddr, flags: int, count: int) -> FrameRun:
    raw = replace(RAW, pagemap=pagemap((at, FRAME)), frames=(told(flags, count),))
    runs = snapshot_from_raw(raw).frames
    assert runs is not None
    (run,) = runs
    return run


@pytest.mark.parametrize(
    ("at", "flags", "count", "owner", "mapped"),
    [
        (TEXT, 0, 3, FrameOwner.PAGE_CACHE, 3),
        (TEXT, TAIL, 3, FrameOwner.PAGE_CACHE, None),
        (DATA, ANON, 1, FrameOwner.PRIVATE, 1),
        (DATA, ANON, 2, FrameOwner.COPY_ON_WRITE, 2),
        (DATA, ANON | TAIL, 1, None, None),
        (DATA, ANON | KSM, 2, None, 2),
        (HEAP, ZERO_PAGE, 0, FrameOwner.ZERO, None),
        (HEAP, 0, 1, None, 1),
        (SHARED, 0, 2, FrameOwner.SHARED_MEMORY, 2),
        (VDSO, 0, 90, FrameOwner.KERNEL, 90),
        (VDSO, ANON, 1, FrameOwner.PRIVATE, 1),
    ],
)
def test_owner(at: VirtAddr, flags: int, count: int, owner: FrameOwner | None, mapped: int | None) -> None:
    run = judged(at, flags, count)
    assert (run.owner, run.mapped) == (owner, mapped)


def test_a_page_of_a_file_says_where_it_lies_in_it() -> None:
    run = judged(VirtAddr(DATA + 0x1000), 0, 1)
    assert (run.file, run.offset) == ("/a", 0x2000)


def test_a_relatives_page_in_the_same_frame_names_the_programs() -> None:
    other = RawRelative(RAW.maps, pagemap((DATA, FRAME), (HEAP, FRAME + 1)))
    frames = (told(ANON, 2), told(ANON, 1, FRAME + 1))
    raw = replace(RAW, pagemap=pagemap((DATA, FRAME)), relatives=(other,), frames=frames)
    runs = snapshot_from_raw(raw).frames
    assert runs is not None
    assert [(run.process, run.same_as) for run in runs] == [
        (0, None),
        (1, PagePlace(0, runs[0].start)),
        (1, None),
    ]


def test_without_what_the_kernel_tells_nobody_knows() -> None:
    assert snapshot_from_raw(replace(RAW, pagemap=pagemap((DATA, FRAME)))).frames is None


def test_a_frame_of_which_nothing_is_told_is_damage() -> None:
    raw = replace(RAW, pagemap=pagemap((DATA, FRAME + 1)), frames=(told(0, 0),))
    with pytest.raises(BadDocument, match=f"nothing is told of the frame at {DATA:#x}"):
        snapshot_from_raw(raw)
