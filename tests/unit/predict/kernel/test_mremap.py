"""mremap from inside; that it is Linux's is shown live."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from inspector.predict import predict
from tests.elfwriter import Elf, Phdr, R, W, X, gnu_stack
from tests.machines import PROFILE, write_program

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.prediction import Prediction

TEXT, DATA, PLACE = 0x08048000, 0x0804A000, 0x50000000
MMAP2, MREMAP = 192, 163
PAGE = 4096
MAYMOVE, FIXED, DONTUNMAP = 1, 2, 4
PRIVATE_FIXED_ANONYMOUS = 0x32


def call(number: int, *arguments: int) -> bytes:
    """Return code that makes a system call of up to five arguments."""
    loads = zip(b"\xbb\xb9\xba\xbe\xbf", arguments, strict=False)
    code = b"".join(bytes([opcode]) + struct.pack("<I", value & 0xFFFFFFFF) for opcode, value in loads)
    return code + b"\xb8" + struct.pack("<I", number) + b"\xcd\x80"


def mapped(pages: int, at: int = PLACE) -> bytes:
    return call(MMAP2, at, pages * PAGE, 3, PRIVATE_FIXED_ANONYMOUS, -1)


def stored(address: int) -> bytes:
    """Return code that stores al."""
    return b"\xa2" + struct.pack("<I", address)


def run(directory: Path, *code: bytes) -> Prediction:
    """Predict a program that ends with the low byte of what its last call returned."""
    text = Phdr(offset=0, vaddr=TEXT, filesz=0x1000, flags=R | X)
    bss = Phdr(offset=0, vaddr=DATA, filesz=0, memsz=PAGE, flags=R | W)
    elf = Elf([text, bss, gnu_stack()], entry=TEXT + 0x200)
    elf.contents = {0x200: b"".join(code) + bytes.fromhex("89c3 b801000000 cd80")}
    return predict(write_program(directory, elf.build()), PROFILE)


def status(prediction: Prediction) -> int | None:
    assert prediction.not_modelled is None
    assert prediction.ending is not None
    return prediction.ending.status


def areas(prediction: Prediction) -> list[tuple[int, int]]:
    """Return where each area starts, in pages from PLACE, and how many pages it has."""
    return [
        ((vma.start - PLACE) // PAGE, vma.range.size_bytes // PAGE)
        for vma in prediction.snapshots[-1].vmas or ()
        if PLACE <= vma.start < PLACE + (1 << 28)
    ]


def resident(prediction: Prediction) -> list[int]:
    return [
        page.vpn - PLACE // PAGE
        for page in prediction.snapshots[-1].pages or ()
        if 0 <= page.vpn - PLACE // PAGE < 1 << 16
    ]


def test_it_shrinks_and_grows_in_place(tmp_path: Path) -> None:
    shrink, grow = call(MREMAP, PLACE, 4 * PAGE, PAGE, 0), call(MREMAP, PLACE, PAGE, 3 * PAGE, 0)
    prediction = run(tmp_path, mapped(4), stored(PLACE), stored(PLACE + 2 * PAGE), shrink, grow)
    assert areas(prediction) == [(0, 3)]
    assert resident(prediction) == [0]


def test_what_was_written_moves_and_faults_no_more(tmp_path: Path) -> None:
    move = call(MREMAP, PLACE, 2 * PAGE, 3 * PAGE, MAYMOVE | FIXED, PLACE + 16 * PAGE)
    prediction = run(tmp_path, mapped(2), stored(PLACE + PAGE), move, stored(PLACE + 17 * PAGE))
    assert areas(prediction) == [(16, 3)]
    assert resident(prediction) == [17]
    assert [fault.page for fault in prediction.faults or () if fault.page >= PLACE] == [PLACE + PAGE]


def test_a_move_takes_an_empty_page_table_along(tmp_path: Path) -> None:
    move = call(MREMAP, PLACE, 600 * PAGE, 600 * PAGE, MAYMOVE | FIXED, PLACE + 0x1000 * PAGE)
    before, after = (
        run(tmp_path, mapped(600), stored(PLACE), stored(PLACE + 599 * PAGE), *moves).snapshots[-1]
        for moves in ((), (move,))
    )
    assert before.page_table_bytes == after.page_table_bytes


@pytest.mark.parametrize(("written", "merges"), [(False, True), (True, False)])
def test_memory_never_written_takes_the_offsets_of_its_new_place(
    tmp_path: Path, written: bool, merges: bool
) -> None:
    move = call(MREMAP, PLACE, PAGE, PAGE, MAYMOVE | FIXED, PLACE + 9 * PAGE)
    write = stored(PLACE) if written else b""
    prediction = run(tmp_path, mapped(1), mapped(1, PLACE + 8 * PAGE), write, move)
    assert areas(prediction) == ([(8, 2)] if merges else [(8, 1), (9, 1)])


def test_written_memory_moved_back_is_one_again(tmp_path: Path) -> None:
    away = call(MREMAP, PLACE + PAGE, PAGE, PAGE, MAYMOVE | FIXED, PLACE + 9 * PAGE)
    back = call(MREMAP, PLACE + 9 * PAGE, PAGE, PAGE, MAYMOVE | FIXED, PLACE + PAGE)
    prediction = run(tmp_path, mapped(3), stored(PLACE), away, back)
    assert areas(prediction) == [(0, 3)]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((PLACE + 1, PAGE, PAGE, 0), 22),
        ((PLACE, PAGE, 0, 0), 22),
        ((PLACE, PAGE, PAGE, 8), 22),
        ((PLACE, PAGE, PAGE, FIXED, PLACE + 0x10000), 22),
        ((PLACE, 2 * PAGE, 2 * PAGE, MAYMOVE | FIXED, PLACE + PAGE), 22),
        ((PLACE, 0, PAGE, MAYMOVE), 22),
        ((PLACE - PAGE, PAGE, PAGE, 0), 14),
        ((PLACE, 5 * PAGE, 6 * PAGE, MAYMOVE), 14),
        ((PLACE, 2 * PAGE, 3 * PAGE, 0), 12),
        ((PLACE, 3 * PAGE, 2 * PAGE, 0), None),
    ],
)
def test_errors(tmp_path: Path, arguments: tuple[int, ...], error: int | None) -> None:
    prediction = run(tmp_path, mapped(4), call(MREMAP, *arguments))
    assert status(prediction) == (0 if error is None else -error & 0xFF)
    assert areas(prediction) == ([(0, 4)] if error is not None else [(0, 2), (3, 1)])


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((PLACE, PAGE, PAGE, MAYMOVE | DONTUNMAP), "MREMAP_DONTUNMAP"),
        ((PLACE, 5 * PAGE, 5 * PAGE, MAYMOVE | FIXED, PLACE + 0x10000), "several areas"),
    ],
)
def test_what_is_not_modelled_is_named(tmp_path: Path, arguments: tuple[int, ...], what: str) -> None:
    prediction = run(tmp_path, mapped(4), call(MREMAP, *arguments))
    assert prediction.not_modelled is not None
    assert what in prediction.not_modelled.what
