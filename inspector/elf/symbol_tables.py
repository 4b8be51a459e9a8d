"""Symbol tables of a file, found through its section headers, which may claim anything: no kernel reads them.

What is read is bounded, whatever sizes and counts the headers state, and however large a hole a sparse file
has there: an entry counts if the file holds it, and the tables of one file together are not read beyond
LARGEST_TABLES.

    e_shoff, e_shnum    Elf32_Shdr[]: sh_type SYMTAB or DYNSYM, sh_offset, sh_size, sh_link ─┐
    the section at sh_link: the strings that st_name counts bytes in                        <┘
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.elf.sections import (
    SHT_DYNSYM,
    SHT_STRTAB,
    SHT_SYMTAB,
    TooManySections,
    in_file,
    section_headers,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.elf.file import ExecutableFile

LARGEST_TABLES = 64 << 20
"""Bytes of symbols and strings: two hundred times those of a C library."""
SYM = struct.Struct("<IIIBBH")
"""Elf32_Sym: st_name, st_value, st_size, st_info, st_other, st_shndx."""
SHN_UNDEF, SHN_ABS = 0, 0xFFF1


class TablesTooLarge(Exception):
    """The symbol tables are larger than LARGEST_TABLES, or the sections too many: the rest is not read."""


@dataclass(frozen=True, slots=True)
class SymbolTable:
    """One symbol table and its strings, as they lie in the file."""

    entries: bytes
    """Whole Elf32_Sym, end to end."""
    strings: bytes


def symbol_tables(file: ExecutableFile) -> Iterator[SymbolTable]:
    """Yield the symbol tables in the order of their sections; damaged ones are passed over.

    Raises TablesTooLarge, and CannotObserve where the file cannot be read.
    """
    try:
        sections = section_headers(file)
    except TooManySections:
        raise TablesTooLarge from None
    left = LARGEST_TABLES
    for section in sections.of_types(SHT_SYMTAB, SHT_DYNSYM):
        if section.link >= len(sections):
            continue
        strings = sections[section.link]
        if strings.type != SHT_STRTAB:
            continue
        # Of what a size claims, only what the file holds is asked for: a buffer is as large as the question.
        size, strings_size = in_file(file, section), in_file(file, strings)
        left -= size + strings_size
        if left < 0:
            raise TablesTooLarge
        entries = file.read(section.offset, size)
        whole = len(entries) - len(entries) % SYM.size
        yield SymbolTable(entries[:whole], file.read(strings.offset, strings_size))
