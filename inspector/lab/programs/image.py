"""Small i386 programs with segments and sections, laid out as a linker would, byte by byte.

    file     ELF header, program headers | code, constants | data | .comment .shstrtab, section headers
    memory   text (r-x) at the base, zero to three pages of nothing, data (rw-) with .bss behind it

A segment's address and its place in the file agree modulo the page, so that a page on the border of two
segments is mapped twice, as GNU ld has it with `-z noseparate-code`: the two-segment programs of the texts.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from inspector.elf.header import (
    ET_EXEC,
    PF_R,
    PF_W,
    PF_X,
    PT_GNU_STACK,
    PT_INTERP,
    PT_LOAD,
    ProgramHeader,
    new_header,
)
from inspector.elf.sections import SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHT_NOBITS, SHT_STRTAB
from inspector.model.address import PAGE_SIZE, page_up

HEADERS = 0x100
"""Bytes kept for the ELF header and up to six program headers."""
_SHT_PROGBITS, _SHT_NOTE = 1, 7
_ALIGNMENT = 16


@dataclass(frozen=True, slots=True)
class Part:
    """A section: its name and its bytes; `zeros` more follow it that are not in the file (.bss)."""

    name: str
    contents: bytes = b""
    zeros: int = 0


@dataclass(slots=True)
class Segment:
    """A loadable segment made of sections, in order."""

    flags: int
    parts: list[Part]
    gap_pages: int = 0
    """Pages left free below it."""
    vaddr: int = 0
    offset: int = 0

    @property
    def filesz(self) -> int:
        """Its bytes in the file."""
        return sum(len(part.contents) for part in self.parts)

    @property
    def memsz(self) -> int:
        """Its bytes in memory."""
        return self.filesz + sum(part.zeros for part in self.parts)

    @property
    def end(self) -> int:
        """First address past it."""
        return self.vaddr + self.memsz


@dataclass(slots=True)
class Image:
    """A program: its segments get their addresses in `place`, and the file is made by `build`."""

    base: int
    segments: list[Segment]
    entry: int = 0
    stack_flags: int | None = PF_R | PF_W
    """p_flags of PT_GNU_STACK; None: there is no such header."""
    interpreter: str | None = None
    type: int = ET_EXEC
    comment: bytes = b"inspector lab\0"
    addresses: dict[str, int] = field(default_factory=dict)
    """Of each section, once placed."""

    def place(self) -> None:
        """Give every segment and section its address and its place in the file."""
        at_file, at_memory = 0, self.base
        for segment in self.segments:
            if segment is not self.segments[0]:
                at_file = -(-at_file // _ALIGNMENT) * _ALIGNMENT
                at_memory = page_up(at_memory) + segment.gap_pages * PAGE_SIZE + at_file % PAGE_SIZE
            segment.offset, segment.vaddr = at_file, at_memory
            if segment is self.segments[0]:
                at_memory += HEADERS
            for part in segment.parts:
                self.addresses[part.name] = at_memory
                at_memory += len(part.contents) + part.zeros
            at_file += segment.filesz + (HEADERS if segment is self.segments[0] else 0)

    def build(self) -> bytes:
        """Return the file."""
        headers = [self._load(segment) for segment in self.segments]
        if self.stack_flags is not None:
            headers.append(ProgramHeader(PT_GNU_STACK, 0, 0, 0, 0, 0, self.stack_flags, _ALIGNMENT))
        if self.interpreter is not None:
            headers.append(self._interp())
        contents = bytearray()
        for segment in self.segments:
            start = HEADERS if segment is self.segments[0] else segment.offset
            contents.extend(bytes(start - len(contents)))
            contents += b"".join(part.contents for part in segment.parts)
        shoff, tail, shnum = self._sections(len(contents))
        header = new_header(type=self.type, entry=self.entry, phnum=len(headers))
        fields = header.pack()[:32] + struct.pack("<I", shoff) + header.pack()[36:]
        fields = fields[:48] + struct.pack("<HH", shnum, shnum - 1)
        top = fields + b"".join(each.pack() for each in headers)
        contents[: len(top)] = top
        return bytes(contents) + tail

    def _load(self, segment: Segment) -> ProgramHeader:
        first = segment is self.segments[0]
        extra = HEADERS if first else 0
        return ProgramHeader(
            PT_LOAD,
            segment.offset,
            segment.vaddr,
            segment.vaddr,
            segment.filesz + extra,
            segment.memsz + extra,
            segment.flags,
            PAGE_SIZE,
        )

    def _interp(self) -> ProgramHeader:
        """The interpreter's name is the section .interp of the first segment."""
        at = self.addresses[".interp"]
        size = len(self.interpreter or "") + 1
        return ProgramHeader(PT_INTERP, at - self.base, at, at, size, size, PF_R, 1)

    def _sections(self, offset: int) -> tuple[int, bytes, int]:
        """Return where section headers begin, all that follows the segments, and the headers' number."""
        names, rows = bytearray(b"\0"), [bytes(ELF32_SHDR.size)]
        tail = bytearray()

        def add(name: str, kind: int, flags: int, address: int, at: int, size: int) -> None:
            rows.append(ELF32_SHDR.pack(len(names), kind, flags, address, at, size, 0, 0, 1, 0))
            names.extend(name.encode() + b"\0")

        for segment in self.segments:
            at = HEADERS if segment is self.segments[0] else segment.offset
            for part in segment.parts:
                kind = (
                    SHT_NOBITS
                    if part.zeros
                    else _SHT_NOTE
                    if part.name.startswith(".note")
                    else _SHT_PROGBITS
                )
                flags = SHF_ALLOC | (SHF_WRITE if segment.flags & PF_W else 0)
                if segment.flags & PF_X and part.name in (".init", ".text", ".fini"):
                    flags |= SHF_EXECINSTR
                add(part.name, kind, flags, self.addresses[part.name], at, part.zeros or len(part.contents))
                at += len(part.contents)
        add(".comment", _SHT_PROGBITS, 0, 0, offset, len(self.comment))
        tail += self.comment
        own = len(names)
        names += b".shstrtab\0"
        rows.append(ELF32_SHDR.pack(own, SHT_STRTAB, 0, 0, offset + len(tail), len(names), 0, 0, 1, 0))
        tail += names
        tail += bytes(-(offset + len(tail)) % _ALIGNMENT)
        shoff = offset + len(tail)
        return shoff, bytes(tail) + b"".join(rows), len(rows)


ELF32_SHDR = struct.Struct("<IIIIIIIIII")
