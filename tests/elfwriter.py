"""Tiny ELF files built in memory: what a test is about stands in the test, not in a binary beside it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

PT_LOAD, PT_INTERP, PT_GNU_STACK = 1, 3, 0x6474E551
R, W, X = 4, 2, 1
EHDR_SIZE, PHDR_SIZE = 52, 32


@dataclass
class Phdr:
    type: int = PT_LOAD
    offset: int = 0
    vaddr: int = 0x08048000
    filesz: int = 0x1000
    memsz: int | None = None
    flags: int = R | X
    align: int = 0x1000

    def pack(self) -> bytes:
        memsz = self.filesz if self.memsz is None else self.memsz
        return struct.pack(
            "<8I", self.type, self.offset, self.vaddr, self.vaddr, self.filesz, memsz, self.flags, self.align
        )


def gnu_stack(flags: int = R | W) -> Phdr:
    return Phdr(type=PT_GNU_STACK, vaddr=0, filesz=0, flags=flags, align=16)


@dataclass
class Elf:
    """An i386 ELF file; every header field can be set to nonsense."""

    phdrs: list[Phdr] = field(default_factory=lambda: [Phdr(), gnu_stack()])
    type: int = 2
    machine: int = 3
    entry: int = 0x08048100
    phoff: int = EHDR_SIZE
    phentsize: int = PHDR_SIZE
    phnum: int | None = None
    magic: bytes = b"\x7fELF"
    size: int = 0x4000
    contents: dict[int, bytes] = field(default_factory=dict)

    def build(self) -> bytes:
        ident = (self.magic + b"\1\1\1").ljust(16, b"\0")
        phnum = len(self.phdrs) if self.phnum is None else self.phnum
        header = struct.pack(
            "<16sHHIIIIIHHHHHH",
            ident, self.type, self.machine, 1, self.entry, self.phoff, 0, 0,
            EHDR_SIZE, self.phentsize, phnum, 40, 0, 0,
        )  # fmt: skip
        image = bytearray(header + b"".join(phdr.pack() for phdr in self.phdrs))
        image.extend(bytes(max(0, self.size - len(image))))
        for offset, data in self.contents.items():
            image[offset : offset + len(data)] = data
        return bytes(image)
