"""Mutants can be made again, differ from each other, and reach what they are meant to reach."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from hashlib import sha256

import pytest

from inspector.elf.header import ELF64, EM_X86_64, ElfHeader
from inspector.fuzz.fields import apply, changes, class_of
from inspector.fuzz.mutation import mutant
from tests.elfwriter import Elf, Phdr, gnu_stack

TINY = Elf(
    phdrs=[
        Phdr(),
        Phdr(offset=0x1000, vaddr=0x0804A000, memsz=0x2000, flags=6),
        Phdr(type=3, offset=0x200, vaddr=0, filesz=19),
        gnu_stack(),
    ],
    contents={0x200: b"/lib/ld-linux.so.2\0"},
).build()
WIDE = Elf(
    phdrs=[
        Phdr(vaddr=0x400000),
        Phdr(offset=0x1000, vaddr=0x402000, memsz=0x2000, flags=6),
        Phdr(type=3, offset=0x300, vaddr=0, filesz=28),
        gnu_stack(),
    ],
    machine=EM_X86_64,
    entry=0x400100,
    layout=ELF64,
    contents={0x300: b"/lib64/ld-linux-x86-64.so.2\0"},
).build()
NUMBERS = range(600)


@pytest.mark.parametrize(
    "original",
    [TINY, WIDE, b"", b"\x7fELF", b"#!/bin/sh\n", TINY[:60], WIDE[:100], b"\xff" * 200],
    ids=["tiny", "64-bit", "empty", "magic", "script", "cut", "64-bit cut", "ones"],
)
def test_a_mutant_is_another_file_and_what_its_description_says(original: bytes) -> None:
    for number in NUMBERS:
        made = mutant(original, 1, number)
        assert made != original, number
        assert apply(original, changes(original, made)) == made, number


def test_a_mutant_can_be_made_again_by_another_process() -> None:
    mine = [sha256(mutant(TINY, 7, number)).hexdigest() for number in range(50)]
    code = (
        "import sys; from hashlib import sha256; from inspector.fuzz.mutation import mutant\n"
        "data = sys.stdin.buffer.read()\n"
        "for number in range(50): print(sha256(mutant(data, 7, number)).hexdigest())"
    )
    run = subprocess.run([sys.executable, "-c", code], input=TINY, capture_output=True, check=True)
    assert run.stdout.decode().split() == mine


def test_seeds_and_numbers_make_different_mutants() -> None:
    made = {mutant(TINY, seed, number) for seed in (1, 2) for number in NUMBERS}
    assert len(made) > 0.9 * 2 * len(NUMBERS)


@pytest.mark.parametrize("original", [TINY, WIDE], ids=["32-bit", "64-bit"])
def test_every_part_of_the_headers_is_reached(original: bytes) -> None:
    names = Counter(
        change.name for number in range(3000) for change in changes(original, mutant(original, 3, number))
    )
    expected = {
        f"phdr[{index}].p_{name}"
        for index in range(4)
        for name in ("type", "offset", "vaddr", "filesz", "memsz", "flags", "align")
    }
    expected |= {"e_type", "e_machine", "e_entry", "e_phoff", "e_phentsize", "e_phnum", "EI_MAG"}
    expected |= {"interpreter", "file size", "first line"}
    assert expected <= set(names)


def test_addresses_of_64_bits_are_reached() -> None:
    """The ends of a 64-bit task, what is beyond them, and what is below 4 GiB."""
    seen = {
        ElfHeader.parse(made, ELF64).entry.bit_length()
        for number in range(3000)
        for made in (mutant(WIDE, 5, number),)
        if class_of(made) is ELF64
    }
    assert {17, 32, 33, 47, 48, 63, 64} <= seen


def test_addresses_often_keep_their_place_in_the_page() -> None:
    """The kernel maps no segment whose address and offset disagree within the page."""
    moved = [
        int.from_bytes(change.new, "little")
        for number in range(3000)
        for change in changes(TINY, mutant(TINY, 5, number))
        if change.name == "phdr[1].p_vaddr" and len(change.new) == 4
    ]
    assert sum(address % 0x1000 == 0 for address in moved) > len(moved) // 2
