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
from typing import TYPE_CHECKING, NamedTuple

from inspector.elf.header import EHDR_SIZE, ElfHeader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.elf.file import ExecutableFile

SHT_SYMTAB, SHT_STRTAB, SHT_DYNSYM = 2, 3, 11

LARGEST_TABLES = 64 << 20
"""Bytes of symbols and strings: two hundred times those of a C library."""
_MOST_SECTIONS = 1 << 16

# Elf32_Shdr: sh_name sh_type sh_flags sh_addr sh_offset sh_size sh_link sh_info sh_addralign sh_entsize
_SHDR = struct.Struct("<4xI8xIII12x")
_SYMBOL_BYTES = 16
"""Elf32_Sym."""


class TablesTooLarge(Exception):
    """The symbol tables are larger than LARGEST_TABLES, or the sections too many: the rest is not read."""


class _Section(NamedTuple):
    """What is read of an Elf32_Shdr."""

    type: int
    offset: int
    size: int
    link: int


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
    sections = _sections(file)
    left = LARGEST_TABLES
    for section in sections:
        if section.type not in (SHT_SYMTAB, SHT_DYNSYM) or section.link >= len(sections):
            continue
        strings = sections[section.link]
        if strings.type != SHT_STRTAB:
            continue
        # Of what a size claims, only what the file holds is asked for: a buffer is as large as the question.
        size, strings_size = _in_file(file, section), _in_file(file, strings)
        left -= size + strings_size
        if left < 0:
            raise TablesTooLarge
        entries = file.read(section.offset, size)
        whole = len(entries) - len(entries) % _SYMBOL_BYTES
        yield SymbolTable(entries[:whole], file.read(strings.offset, strings_size))


def _sections(file: ExecutableFile) -> list[_Section]:
    """Return the section headers; none where the file's header does not tell of any that are 32-bit."""
    header = ElfHeader.parse(file.read(0, EHDR_SIZE))
    count = header.shnum
    if header.shentsize != _SHDR.size or not header.shoff:
        return []
    if not count:
        # One that does not fit e_shnum stands in the first header (gABI, "Section Header Table").
        first = file.read(header.shoff, _SHDR.size).ljust(_SHDR.size, b"\0")
        count = _Section(*_SHDR.unpack(first)).size
    if count > _MOST_SECTIONS:
        raise TablesTooLarge
    data = file.read(header.shoff, count * _SHDR.size)
    return [_Section(*fields) for fields in _SHDR.iter_unpack(data[: len(data) - len(data) % _SHDR.size])]


def _in_file(file: ExecutableFile, section: _Section) -> int:
    """Return how many bytes of the section the file holds."""
    return max(0, min(section.size, file.size - section.offset))
