"""Section headers that claim anything: each is read, or refused in a clear line."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.elf.file import ExecutableFile
from inspector.elf.header import EHDR_SIZE, ElfHeader
from inspector.elf.sections import BadSections, Section, named_sections
from tests.elfwriter import Elf, Phdr
from tests.unit.layout.sectioned import ALLOC, PROGBITS, sectioned

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = sectioned([Phdr()], [(".text", PROGBITS, ALLOC, 0x08048100, 0x100, 0x10), ("", PROGBITS, 0, 0, 0, 0)])


def read(tmp_path: Path, image: bytes) -> tuple[Section, ...]:
    path = tmp_path / "file"
    path.write_bytes(image)
    with ExecutableFile(str(path)) as file:
        return named_sections(file)


def with_header(**fields: int) -> bytes:
    return replace(ElfHeader.parse(IMAGE), **fields).pack() + IMAGE[EHDR_SIZE:]  # type: ignore[arg-type]


def with_first(*, size: int, link: int) -> bytes:
    """Write what does not fit the header into the first section header."""
    image = bytearray(with_header(shnum=0, shstrndx=0xFFFF))
    struct.pack_into("<II", image, ElfHeader.parse(IMAGE).shoff + 20, size, link)
    return bytes(image)


def test_sections_have_names_and_numbers(tmp_path: Path) -> None:
    seen = read(tmp_path, IMAGE)
    assert [(each.number, each.name) for each in seen] == [(1, ".text"), (2, ""), (3, ".shstrtab")]
    assert (seen[0].header.addr, seen[0].end, seen[0].is_allocated) == (0x08048100, 0x08048110, True)
    assert read(tmp_path, with_first(size=4, link=3)) == seen


def test_a_file_may_have_none(tmp_path: Path) -> None:
    assert read(tmp_path, Elf().build()) == ()
    assert read(tmp_path, with_first(size=0, link=0)) == ()


@pytest.mark.parametrize(
    ("image", "what"),
    [
        (with_header(shentsize=64), "e_shentsize says 64"),
        (with_header(shnum=5), "claims 5 section headers at 0x[0-9a-f]+, and holds 4"),
        (with_header(shoff=0xFFFFFF00), "holds 0 of them"),
        (with_header(shstrndx=4), "section 4, which is to hold the names"),
        (with_header(shstrndx=1), "section 1, which is to hold the names"),
        (with_header(shstrndx=0), "section 0, which is to hold the names"),
        (with_first(size=0xFFFFFFFF, link=3), "claims 4294967295 sections, more than 65536"),
        (with_first(size=4, link=9), "section 9, which is to hold the names"),
        (IMAGE[:-1], "claims 4 section headers at 0x[0-9a-f]+, and holds 3"),
    ],
)
def test_headers_that_do_not_hold_together_are_named(image: bytes, what: str, tmp_path: Path) -> None:
    with pytest.raises(BadSections, match=what):
        read(tmp_path, image)


def test_a_name_beyond_the_names_is_none(tmp_path: Path) -> None:
    image = bytearray(IMAGE)
    struct.pack_into("<I", image, ElfHeader.parse(IMAGE).shoff + 40, 0xFFFFFFFF)
    assert read(tmp_path, bytes(image))[0].name == ""
