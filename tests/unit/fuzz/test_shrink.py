"""Shrinking keeps what is to be seen, and nothing that is not needed for it."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import pytest

from inspector.elf.header import ElfHeader, parse_program_headers
from inspector.fuzz.fields import changes
from inspector.fuzz.mutation import mutant
from inspector.fuzz.shrink import shrink
from tests.elfwriter import Elf, Phdr, gnu_stack

if TYPE_CHECKING:
    from collections.abc import Callable

TINY = Elf(phdrs=[Phdr(), Phdr(offset=0x1000, vaddr=0x0804A000, flags=6), gnu_stack()]).build()


def with_bytes(data: bytes, offset: int, new: bytes) -> bytes:
    return data[:offset] + new + data[offset + len(new) :]


def wrecked() -> bytes:
    """Return a mutant with some thirty fields changed, and bytes besides."""
    chance = random.Random(1)  # noqa: S311 - to be the same on every run
    data = bytearray(TINY)
    data[16:148] = bytes(byte ^ chance.randrange(1, 256) for byte in data[16:148])
    for place in range(0x800, 0x900, 3):
        data[place] = 7
    return bytes(data)


def memsz(data: bytes) -> int:
    return parse_program_headers(data[52:84])[0].memsz


@pytest.mark.parametrize(
    ("shows", "names"),
    [
        (lambda data: memsz(data) != 0x1000, ["phdr[0].p_memsz"]),
        (
            lambda data: memsz(data) != 0x1000 and ElfHeader.parse(data).type != 2,
            ["e_type", "phdr[0].p_memsz"],
        ),
        (lambda data: data[0x803] == 7, ["bytes at 0x803"]),
    ],
    ids=["one field", "two fields together", "a byte among many"],
)
def test_only_what_is_needed_is_left(shows: Callable[[bytes], bool], names: list[str]) -> None:
    smallest = shrink(TINY, wrecked(), shows)
    assert shows(smallest)
    assert [change.name for change in changes(TINY, smallest)] == names


def test_no_field_can_be_put_back_alone() -> None:
    """What shows may hang on any two of many fields: whichever are left, both are needed."""

    def shows(data: bytes) -> bool:
        return sum(data[place] == 7 for place in range(0x800, 0x900, 3)) >= 2

    assert len(changes(TINY, shrink(TINY, wrecked(), shows))) == 2


def test_a_size_is_put_back_like_a_field() -> None:
    cut = with_bytes(TINY, 16, b"\3")[:0x1800]
    smallest = shrink(TINY, cut, lambda data: len(data) == 0x1800)
    assert smallest == TINY[:0x1800]
    smallest = shrink(TINY, cut, lambda data: data[16] == 3)
    assert smallest == with_bytes(TINY, 16, b"\3")


def test_an_appended_table_stays_whole() -> None:
    moved = with_bytes(TINY, 28, struct.pack("<I", len(TINY))) + TINY[52:148]
    smallest = shrink(TINY, moved, lambda data: ElfHeader.parse(data).phoff == len(TINY) < len(data))
    assert [change.name for change in changes(TINY, smallest)] == ["file size", "e_phoff"]


def test_few_questions_are_asked() -> None:
    asked = 0

    def shows(data: bytes) -> bool:
        nonlocal asked
        asked += 1
        return memsz(data) != 0x1000

    shrink(TINY, wrecked(), shows)
    assert asked < 2 * len(changes(TINY, wrecked()))


def test_mutants_shrink_to_a_cause_of_their_own() -> None:
    for number in range(100):
        made = mutant(TINY, 9, number)
        if made != TINY:
            found = changes(TINY, shrink(TINY, made, lambda data: data != TINY))
            assert len(found) == 1, number
