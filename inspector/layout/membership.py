"""Which sections lie in which segment: no table says so, it follows from offsets, addresses and flags.

The rule is binutils', so that the mapping is the one `readelf -l` prints (include/elf/internal.h:
ELF_SECTION_IN_SEGMENT_STRICT and ELF_TBSS_SPECIAL; binutils/readelf.c:process_program_headers()). An
unsigned `size - 1` of it wraps for an empty segment, which then bounds nothing; here that is said in words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.elf.header import (
    PT_DYNAMIC,
    PT_GNU_EH_FRAME,
    PT_GNU_RELRO,
    PT_GNU_SFRAME,
    PT_GNU_STACK,
    PT_LOAD,
    PT_NOTE,
    PT_PHDR,
    PT_TLS,
)
from inspector.elf.sections import SHF_TLS, SHT_NOBITS

if TYPE_CHECKING:
    from inspector.elf.header import ProgramHeader
    from inspector.elf.sections import Section

_PT_GNU_MBIND = range(0x6474E555, 0x6474E555 + 4096)
_WITH_TLS_SECTIONS = (PT_TLS, PT_GNU_RELRO, PT_LOAD)
_ALLOCATED_ONLY = (PT_LOAD, PT_DYNAMIC, PT_GNU_EH_FRAME, PT_GNU_STACK, PT_GNU_RELRO, PT_GNU_SFRAME)


def section_in_segment(section: Section, segment: ProgramHeader) -> bool:
    """Whether `readelf -l` lists `section` in `segment`."""
    return (
        _is_of_its_kind(section, segment)
        and _is_inside(section, segment)
        and not _is_neighbours(section, segment)
    )


def _is_of_its_kind(section: Section, segment: ProgramHeader) -> bool:
    """Whether a segment of this type can hold a section with these flags."""
    if section.header.flags & SHF_TLS:
        # .tbss has an address and takes none: what follows it lies there, too.
        if segment.type not in _WITH_TLS_SECTIONS or (section.is_tbss and segment.type != PT_TLS):
            return False
    elif segment.type in (PT_TLS, PT_PHDR):
        return False
    return section.is_allocated or not (segment.type in _ALLOCATED_ONLY or segment.type in _PT_GNU_MBIND)


def _is_inside(section: Section, segment: ProgramHeader) -> bool:
    header = section.header
    return (
        header.type == SHT_NOBITS or _lies_in(header.offset, header.size, segment.offset, segment.filesz)
    ) and (not section.is_allocated or _lies_in(header.addr, header.size, segment.vaddr, segment.memsz))


def _is_neighbours(section: Section, segment: ProgramHeader) -> bool:
    """Whether it is empty and lies at an end of PT_DYNAMIC or PT_NOTE, where the next one could claim it."""
    header = section.header
    if header.size or not segment.memsz or segment.type not in (PT_DYNAMIC, PT_NOTE):
        return False
    return not (
        (header.type == SHT_NOBITS or 0 < header.offset - segment.offset < segment.filesz)
        and (not section.is_allocated or 0 < header.addr - segment.vaddr < segment.memsz)
    )


def _lies_in(start: int, size: int, segment_start: int, segment_size: int) -> bool:
    """Whether it begins in the segment, not at its end, and ends in it; an empty segment holds empty ones."""
    distance = start - segment_start
    begins = distance >= 0 and (not segment_size or distance < segment_size)
    return begins and distance + size <= segment_size
