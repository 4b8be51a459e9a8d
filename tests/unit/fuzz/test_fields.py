"""A mutant is described by what differs in its bytes, and can be put together from its description."""

from __future__ import annotations

import itertools
import struct

import pytest

from inspector.elf.header import ELF64, EM_X86_64
from inspector.fuzz.fields import Change, apply, changes, fields_of
from tests.elfwriter import Elf, Phdr

TINY = Elf(
    phdrs=[Phdr(), Phdr(type=3, offset=0x200, vaddr=0, filesz=19)], contents={0x200: b"/lib/ld-linux.so.2\0"}
).build()


def patched(offset: int, data: bytes) -> bytes:
    return TINY[:offset] + data + TINY[offset + len(data) :]


def described(mutant: bytes) -> list[str]:
    found = changes(TINY, mutant)
    assert apply(TINY, found) == mutant
    return [str(change) for change in found]


def test_a_file_does_not_differ_from_itself() -> None:
    assert changes(TINY, TINY) == ()


@pytest.mark.parametrize(
    ("mutant", "words"),
    [
        (patched(16, b"\3\0"), ["e_type 0x2 -> 0x3"]),
        (patched(4, b"\2"), ["EI_CLASS 0x1 -> 0x2"]),
        (patched(52 + 20, struct.pack("<I", 0xFFFFFFFF)), ["phdr[0].p_memsz 0x1000 -> 0xffffffff"]),
        (patched(52 + 32 + 24, b"\7"), ["phdr[1].p_flags 0x5 -> 0x7"]),
        (
            patched(0x200, b"/lib/xx-linux"),
            [r"interpreter '/lib/ld-linux.so.2\x00' -> '/lib/xx-linux.so.2\x00'"],
        ),
        (patched(0x300, b"abc"), ["bytes at 0x300 0x0 -> 0x636261"]),
        (TINY[:40], ["file size 0x4000 -> 0x28"]),
        (TINY + b"\0\0", ["file size 0x4000 -> 0x4002"]),
        (TINY + b"\0x", ["file size 0x4000 -> 0x4002", "bytes at 0x4001 nothing -> 'x'"]),
        (b"", ["file size 0x4000 -> 0x0"]),
    ],
)
def test_what_differs_is_named(mutant: bytes, words: list[str]) -> None:
    assert described(mutant) == words


def test_a_64_bit_file_has_fields_of_its_own() -> None:
    """e_machine tells them apart, as it does to the kernel; the class byte says nothing."""
    wide = Elf([Phdr(vaddr=0x400000)], machine=EM_X86_64, layout=ELF64).build()
    wide = wide[:4] + b"\1" + wide[5:]
    offsets = {field.name: (field.offset, field.size) for field in fields_of(wide)}
    assert offsets["e_entry"] == (24, 8)
    assert offsets["e_phnum"] == (56, 2)
    assert offsets["phdr[0].p_flags"] == (68, 4)
    assert offsets["phdr[0].p_vaddr"] == (80, 8)
    assert offsets["phdr[0].p_align"] == (112, 8)
    moved = wide[:80] + struct.pack("<Q", 1 << 47) + wide[88:]
    assert [str(change) for change in changes(wide, moved)] == ["phdr[0].p_vaddr 0x400000 -> 0x800000000000"]


def test_the_first_line_of_a_script_is_one_field() -> None:
    line = b"#!/bin/sh\n"
    assert described(line)[1].startswith("first line ")
    assert len(described(line)) == 2


def test_some_of_the_changes_make_a_file_between_the_two() -> None:
    mutant = patched(16, b"\3\0")[:0x3000] + b""
    size, kind = changes(TINY, mutant)
    assert apply(TINY, [size]) == TINY[:0x3000]
    assert apply(TINY, [kind]) == patched(16, b"\3\0")


def test_a_change_beyond_the_end_is_left_out() -> None:
    appended = changes(TINY, TINY + b"xyz")
    assert apply(TINY, appended[1:]) == TINY
    straddling = Change("bytes", len(TINY) - 1, b"", b"ab")
    assert apply(TINY, [straddling]) == TINY[:-1] + b"a"


def test_fields_lie_apart_and_in_the_file() -> None:
    overlapping = patched(28, struct.pack("<I", 20))  # program headers inside the ELF header
    fields = fields_of(overlapping)
    assert fields
    assert all(one.end <= other.offset for one, other in itertools.pairwise(fields))
    assert fields[-1].end <= len(overlapping)


def test_what_is_no_elf_file_has_no_fields() -> None:
    assert fields_of(b"#!/bin/sh\n") == ()
    assert fields_of(b"\x7fELF") == ()
