"""Section headers: what the linker says of a file's parts. No kernel reads them, so they may claim anything.

    e_shoff, e_shnum    Elf32_Shdr[]: sh_name sh_type sh_flags sh_addr sh_offset sh_size sh_link ...
    e_shstrndx          the section with the names, which sh_name counts bytes in

What does not fit e_shnum or e_shstrndx stands in the first header (gABI, "Section Header Table").
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from inspector.elf.header import EHDR_SIZE, ElfHeader
from inspector.errors import InspectorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.elf.file import ExecutableFile

SHT_SYMTAB, SHT_STRTAB, SHT_NOBITS, SHT_DYNSYM = 2, 3, 8, 11
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR, SHF_TLS = 0x1, 0x2, 0x4, 0x400
_SHN_XINDEX = 0xFFFF

MOST_SECTIONS = 1 << 16
_LONGEST_NAME = 1024
_LARGEST_NAMES = 16 << 20


class TooManySections(Exception):
    """There are more than MOST_SECTIONS: none is read."""


class BadSections(InspectorError):
    """The section headers do not hold together."""


class SectionHeader(NamedTuple):
    """Elf32_Shdr."""

    name: int
    """Where the name begins, in the section of names."""
    type: int
    flags: int
    addr: int
    offset: int
    size: int
    link: int
    info: int
    addralign: int
    entsize: int


class SectionHeaders:
    """The section headers that a file holds; one is made when it is asked for, as there may be 65,535."""

    def __init__(self, data: bytes) -> None:
        """`data` are Elf32_Shdr, end to end; a piece of one at its end is no header."""
        self._data = data[: len(data) - len(data) % _SHDR.size]

    def __len__(self) -> int:
        return len(self._data) // _SHDR.size

    def __getitem__(self, number: int) -> SectionHeader:
        return SectionHeader(*_SHDR.unpack_from(self._data, number * _SHDR.size))

    def __iter__(self) -> Iterator[SectionHeader]:
        return (SectionHeader(*fields) for fields in _SHDR.iter_unpack(self._data))

    def of_types(self, *types: int) -> Iterator[SectionHeader]:
        """Yield those of the given sh_type, in their order."""
        for number, (found,) in enumerate(_SHDR_TYPE.iter_unpack(self._data)):
            if found in types:
                yield self[number]


_SHDR = struct.Struct("<IIIIIIIIII")
_SHDR_TYPE = struct.Struct("<4xI32x")


@dataclass(frozen=True, slots=True)
class Section:
    """One section by its number and name."""

    number: int
    name: str
    """Empty where the header points at none."""
    header: SectionHeader

    @property
    def is_allocated(self) -> bool:
        """Whether it is to have memory while the program runs (SHF_ALLOC)."""
        return bool(self.header.flags & SHF_ALLOC)

    @property
    def is_tbss(self) -> bool:
        """Whether it is the zeros of thread-local storage: each thread makes its own, and none is loaded."""
        return bool(self.header.flags & SHF_TLS) and self.header.type == SHT_NOBITS

    @property
    def end(self) -> int:
        """First address past it."""
        return self.header.addr + self.header.size


def section_headers(file: ExecutableFile) -> SectionHeaders:
    """Return the section headers that the file holds; none where its header does not tell of 32-bit ones.

    Raises TooManySections, and CannotObserve where the file cannot be read.
    """
    header = ElfHeader.parse(file.read(0, EHDR_SIZE))
    if header.shentsize != _SHDR.size or not header.shoff:
        return SectionHeaders(b"")
    count = _claimed(file, header)
    if count > MOST_SECTIONS:
        raise TooManySections
    return SectionHeaders(file.read(header.shoff, count * _SHDR.size))


def named_sections(file: ExecutableFile) -> tuple[Section, ...]:
    """Return the sections in the order of their headers, the empty first one left out.

    A file without section headers has none. Raises BadSections where they are cut short or name nothing.
    """
    header = ElfHeader.parse(file.read(0, EHDR_SIZE))
    if not header.shoff:
        return ()
    if header.shentsize != _SHDR.size:
        raise _bad(file, f"a section header has {_SHDR.size} bytes, and e_shentsize says {header.shentsize}")
    claimed = _claimed(file, header)
    try:
        headers = section_headers(file)
    except TooManySections:
        raise _bad(file, f"it claims {claimed} sections, more than {MOST_SECTIONS}") from None
    if len(headers) < claimed:
        raise _bad(
            file,
            f"it claims {claimed} section headers at {header.shoff:#x}, and holds {len(headers)} of them",
        )
    if not headers:
        return ()
    names = _names(file, headers, headers[0].link if header.shstrndx == _SHN_XINDEX else header.shstrndx)
    return tuple(
        Section(number, _name_at(names, each.name), each) for number, each in enumerate(headers) if number
    )


def in_file(file: ExecutableFile, section: SectionHeader) -> int:
    """Return how many bytes of the section the file holds."""
    return max(0, min(section.size, file.size - section.offset))


def _claimed(file: ExecutableFile, header: ElfHeader) -> int:
    if header.shnum:
        return header.shnum
    first = file.read(header.shoff, _SHDR.size).ljust(_SHDR.size, b"\0")
    return SectionHeader(*_SHDR.unpack(first)).size


def _names(file: ExecutableFile, headers: SectionHeaders, index: int) -> bytes:
    if not 0 < index < len(headers) or headers[index].type != SHT_STRTAB:
        raise _bad(file, f"section {index}, which is to hold the names of {len(headers)} sections, does not")
    return file.read(headers[index].offset, min(in_file(file, headers[index]), _LARGEST_NAMES))


def _name_at(names: bytes, offset: int) -> str:
    end = names.find(b"\0", offset, offset + _LONGEST_NAME)
    return os.fsdecode(names[offset : end if end >= 0 else offset + _LONGEST_NAME])


def _bad(file: ExecutableFile, what: str) -> BadSections:
    return BadSections(
        f"{file.path}: {what}",
        help="the kernel does not look at them: inspector predict --until exec shows what it maps",
    )
