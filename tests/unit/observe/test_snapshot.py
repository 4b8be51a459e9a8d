"""What recorded bytes amount to; the table of page kinds case by case."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from inspector.errors import BadDocument
from inspector.model.address import Pfn, VirtAddr
from inspector.model.observation import RawEvidence
from inspector.model.page import PageKind
from inspector.model.snapshot import FaultCounts, StackImage
from inspector.model.vma import VmFlag
from inspector.observe.snapshot import snapshot_from_raw

PRESENT, SWAPPED, FILE, EXCLUSIVE = 1 << 63, 1 << 62, 1 << 61, 1 << 56
TEXT, DATA, HEAP, SHARED, VDSO = (VirtAddr(at << 12) for at in (0x8048, 0x80EC, 0x84D9, 0x9000, 0xF7FCA))
MAPS = b"""08048000-08049000 r-xp 00000000 fe:00 2                                  /a
080ec000-080ee000 rw-p 00001000 fe:00 2                                  /a
084d9000-084db000 rw-p 00000000 00:00 0                                  [heap]
09000000-09001000 rw-s 00000000 00:01 9                                  /dev/zero (deleted)
f7fca000-f7fcc000 r-xp 00000000 00:00 0                                  [vdso]
"""
RAW = RawEvidence(
    checkpoint="exec",
    maps=MAPS,
    smaps=None,
    auxv=struct.pack("<4I", 6, 4096, 0, 0),
    status=b"State:\tt\nTgid:\t1\nPid:\t1\nPPid:\t1\nTracerPid:\t1\nUid:\t0 0 0 0\nGid:\t0 0 0 0\n"
    b"Threads:\t1\nVmPTE:\t28 kB\nSigPnd:\t0\nShdPnd:\t0\nSigBlk:\t0\nSigIgn:\t0\nSigCgt:\t0\n",
    stat=b"1 (a) t " + b" ".join(str(field).encode() for field in range(4, 53)),
    pagemap=(),
    zero_pages=(),
    baseline=FaultCounts(3, 4),
)


def _kinds(pages: dict[VirtAddr, int], zero: tuple[VirtAddr, ...] | None) -> list[PageKind | None]:
    pagemap = tuple((at, struct.pack("<Q", entry)) for at, entry in sorted(pages.items()))
    snapshot = snapshot_from_raw(replace(RAW, pagemap=pagemap, zero_pages=zero))
    assert snapshot.pages is not None
    return [page.kind for page in snapshot.pages]


@pytest.mark.parametrize(
    ("at", "entry", "zero", "kind"),
    [
        (TEXT, FILE, (), PageKind.FILE),
        (TEXT, FILE | EXCLUSIVE, None, PageKind.FILE),
        (DATA, EXCLUSIVE, None, PageKind.ANONYMOUS),
        (DATA, 0, (), PageKind.ANONYMOUS),
        (HEAP, 0, (HEAP,), PageKind.ZERO),
        (HEAP, 0, None, None),
        (HEAP, FILE, (HEAP,), PageKind.ZERO),
        (HEAP, FILE, None, PageKind.ZERO),
        (SHARED, FILE, (), PageKind.FILE),
        (VDSO, FILE, (), PageKind.SPECIAL),
        (VDSO, EXCLUSIVE, (), PageKind.ANONYMOUS),
        (VirtAddr(0x1000), FILE, (), PageKind.FILE),
    ],
    ids=[
        "page cache", "sole mapping of page cache", "copied", "copied, then shared by fork", "read only",
        "read only or shared by fork", "huge zero page", "huge zero page told by bit 61", "shared anonymous",
        "vdso", "vdso copied by a debugger", "area unmapped meanwhile",
    ],
)  # fmt: skip
def test_kind(at: VirtAddr, entry: int, zero: tuple[VirtAddr, ...] | None, kind: PageKind | None) -> None:
    assert _kinds({at: PRESENT | entry}, zero) == [kind]


def test_only_present_pages_are_listed() -> None:
    assert _kinds({TEXT: SWAPPED, HEAP: PRESENT | EXCLUSIVE}, ()) == [PageKind.ANONYMOUS]


def test_frames_not_shown_are_none() -> None:
    pages = snapshot_from_raw(
        replace(RAW, pagemap=((TEXT, struct.pack("<2Q", PRESENT | FILE, PRESENT | FILE | 7)),))
    ).pages
    assert pages is not None
    assert [(page.vpn, page.pfn) for page in pages] == [(0x8048, None), (0x8049, Pfn(7))]


def test_numbers_and_what_is_taken_over() -> None:
    stack = StackImage(VirtAddr(0xFFFFD000), b"abc")
    snapshot = snapshot_from_raw(RAW, stack=stack)
    assert (snapshot.checkpoint, snapshot.minor_faults, snapshot.major_faults) == ("exec", 10 - 3, 12 - 4)
    assert (snapshot.page_table_bytes, snapshot.brk) == (28 * 1024, 47)
    assert snapshot.auxv is not None
    assert [(entry.name, entry.value) for entry in snapshot.auxv] == [("AT_PAGESZ", 4096)]
    assert snapshot.stack is stack
    assert snapshot.registers is None


def test_what_was_not_shown_is_none() -> None:
    raw = replace(RAW, auxv=None, pagemap=None, stat=_hidden(RAW.stat, b"28", b"47"))
    snapshot = snapshot_from_raw(raw)
    assert (snapshot.auxv, snapshot.pages, snapshot.brk) == (None, None, None)
    assert snapshot.vmas is not None
    assert all(vma.flags is None for vma in snapshot.vmas)


def test_a_heap_may_start_at_0() -> None:
    """Only where the stack's start is not shown either, 0 stands for nothing."""
    assert snapshot_from_raw(replace(RAW, stat=_hidden(RAW.stat, b"47"))).brk == 0


def _hidden(stat: bytes, *fields: bytes) -> bytes:
    return b" ".join(b"0" if word in fields else word for word in stat.split(b" "))


def test_flags_go_to_the_same_area_only() -> None:
    first, *_, last = MAPS.splitlines(keepends=True)
    moved = last.replace(b"f7fcc000", b"f7fcb000")
    flags = b"VmFlags: rd ex ac \n"
    vmas = snapshot_from_raw(replace(RAW, smaps=first + flags + moved + flags)).vmas
    assert vmas is not None
    assert vmas[0].flags is VmFlag.ACCOUNT
    assert vmas[-1].flags is None


@pytest.mark.parametrize(
    "damage",
    [
        {"maps": b"nonsense\n"},
        {"smaps": b"nonsense\n"},
        {"stat": b""},
        {"status": b""},
        {"auxv": b"\1"},
        {"word_bytes": 3},
        {"pagemap": ((TEXT, b"\0"),)},
    ],
)
def test_damaged_evidence_names_its_checkpoint(damage: dict[str, object]) -> None:
    with pytest.raises(BadDocument, match="checkpoint 'exec'"):
        snapshot_from_raw(replace(RAW, **damage))  # type: ignore[arg-type]
