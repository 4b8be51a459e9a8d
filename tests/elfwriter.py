"""Tiny ELF files built in memory: what a test is about stands in the test, not in a binary beside it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inspector.elf.header import (
    ELF32,
    ELF_MAGIC,
    EM_386,
    ET_EXEC,
    PF_R,
    PF_W,
    PF_X,
    PT_GNU_STACK,
    PT_LOAD,
    ElfClass,
    ProgramHeader,
    new_header,
)

if TYPE_CHECKING:
    from pathlib import Path

R, W, X = PF_R, PF_W, PF_X


@dataclass
class Phdr:
    type: int = PT_LOAD
    offset: int = 0
    vaddr: int = 0x08048000
    filesz: int = 0x1000
    memsz: int | None = None
    flags: int = R | X
    align: int = 0x1000

    def pack(self, layout: ElfClass = ELF32) -> bytes:
        memsz = self.filesz if self.memsz is None else self.memsz
        return ProgramHeader(
            self.type, self.offset, self.vaddr, self.vaddr, self.filesz, memsz, self.flags, self.align
        ).pack(layout)


def gnu_stack(flags: int = R | W) -> Phdr:
    return Phdr(type=PT_GNU_STACK, vaddr=0, filesz=0, flags=flags, align=16)


@dataclass
class Elf:
    """An ELF file, i386 unless told otherwise; every header field can be set to nonsense."""

    phdrs: list[Phdr] = field(default_factory=lambda: [Phdr(), gnu_stack()])
    type: int = ET_EXEC
    machine: int = EM_386
    entry: int = 0x08048100
    phoff: int | None = None
    phentsize: int | None = None
    phnum: int | None = None
    magic: bytes = ELF_MAGIC
    size: int = 0x4000
    contents: dict[int, bytes] = field(default_factory=dict)
    layout: ElfClass = ELF32

    def build(self) -> bytes:
        header = new_header(
            type=self.type,
            machine=self.machine,
            entry=self.entry,
            phoff=self.phoff,
            phentsize=self.phentsize,
            phnum=len(self.phdrs) if self.phnum is None else self.phnum,
            magic=self.magic,
            layout=self.layout,
        ).pack(self.layout)
        image = bytearray(header + b"".join(phdr.pack(self.layout) for phdr in self.phdrs))
        image.extend(bytes(max(0, self.size - len(image))))
        for offset, data in self.contents.items():
            image[offset : offset + len(data)] = data
        return bytes(image)


def symbol_table_file(directory: Path, symbols: dict[str, int], size: int = 0x10) -> str:
    """Write an ELF file of functions at these addresses, `size` bytes each; return its path."""
    names, entries = b"\0", struct.pack("<IIIBBH", 0, 0, 0, 0, 0, 0)
    for name, address in symbols.items():
        entries += struct.pack("<IIIBBH", len(names), address, size, 0x12, 0, 1)
        names += name.encode() + b"\0"
    strings_at, symbols_at, headers_at = 0x1000, 0x2000, 0x3000
    headers = b"".join(
        struct.pack("<IIIIIIIIII", 0, kind, 0, 0, offset, length, link, 0, 4, 16)
        for kind, offset, length, link in (
            (0, 0, 0, 0),
            (3, strings_at, len(names), 0),
            (2, symbols_at, len(entries), 1),
        )
    )
    image = bytearray(Elf(contents={strings_at: names, symbols_at: entries, headers_at: headers}).build())
    struct.pack_into("<I", image, 32, headers_at)
    struct.pack_into("<HHH", image, 46, 40, 3, 0)
    path = directory / "symbols"
    path.write_bytes(image)
    return str(path)
