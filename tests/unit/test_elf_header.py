from __future__ import annotations

from dataclasses import fields

from inspector.elf.header import (
    EHDR_SIZE,
    PHDR_SIZE,
    ElfHeader,
    ProgramHeader,
    new_header,
    parse_program_headers,
)


def test_what_is_packed_is_parsed_the_same() -> None:
    header = new_header(entry=0x08049000, phnum=3, phoff=0x100)
    assert len(header.pack()) == EHDR_SIZE
    assert ElfHeader.parse(header.pack()) == header
    segments = tuple(
        ProgramHeader(*range(start, start + len(fields(ProgramHeader)))) for start in (0, 0xFFFFFFF0)
    )
    data = b"".join(segment.pack() for segment in segments)
    assert len(data) == 2 * PHDR_SIZE
    assert parse_program_headers(data + b"rest") == segments


def test_fields_lie_where_the_abi_puts_them() -> None:
    data = new_header(entry=0x11223344, phoff=0x55667788, phnum=0x99AA).pack()
    assert data[:7] == b"\x7fELF\1\1\1"
    assert data[16:20] == b"\2\0\3\0"
    assert data[24:32] == bytes.fromhex("44332211 88776655")
    assert data[44:46] == bytes.fromhex("aa99")
