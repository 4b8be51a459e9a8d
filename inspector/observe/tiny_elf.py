"""Tiny i386 ELF programs, written byte by byte: no compiler is needed to launch or to probe.

A program is one readable and executable segment holding headers, code and data, plus any segments
the caller adds without contents in the file. The segment ends on a page: before elf_load() came, the
kernel cleared the rest of an interpreter's last page whether or not there was any .bss, and killed
the process where that page was not writable (fs/binfmt_elf.c:load_elf_interp()).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from inspector.elf.header import (
    ELF32,
    EM_386,
    EM_X86_64,
    ET_EXEC,
    PF_R,
    PF_W,
    PF_X,
    PT_GNU_STACK,
    PT_INTERP,
    PT_LOAD,
    PT_NULL,
    ElfClass,
    ProgramHeader,
    new_header,
)
from inspector.model.address import PAGE_SIZE, page_up

_HEADER_ROOM = 0x100
"""Bytes kept for the ELF header and up to six program headers; the code follows."""


@dataclass(slots=True)
class Assembler:
    """Straight-line i386 code with its data behind it."""

    base: int
    """Virtual address of the file's first byte."""
    code: bytearray = field(default_factory=bytearray)

    @property
    def start(self) -> int:
        """Virtual address of the first instruction."""
        return self.base + _HEADER_ROOM

    @property
    def here(self) -> int:
        """Virtual address of the next byte."""
        return self.base + _HEADER_ROOM + len(self.code)

    def syscall(self, number: int, *arguments: int) -> None:
        """Make system call `number` by int 0x80; the answer is left in eax."""
        # mov imm32 to ebx, ecx, edx, esi, edi; then eax; int 0x80.
        for opcode, value in zip(b"\xbb\xb9\xba\xbe\xbf", arguments, strict=False):
            self.code += bytes([opcode]) + struct.pack("<I", value & 0xFFFF_FFFF)
        self.code += b"\xb8" + struct.pack("<I", number) + b"\xcd\x80"

    def exit_unless_zero_or_more(self, status: int) -> None:
        """End the program with `status` if eax is negative, that is, an error."""
        # test eax, eax; jns over: mov ebx, status; mov eax, 1; int 0x80; over:
        self.code += b"\x85\xc0\x79\x0c" + self._exit(status)

    def exit_unless_equal(self, value: int, status: int) -> None:
        """End the program with `status` unless eax is `value`."""
        self.code += b"\x3d" + struct.pack("<I", value) + b"\x74\x0c" + self._exit(status)

    @staticmethod
    def _exit(status: int) -> bytes:
        return b"\xbb" + struct.pack("<I", status) + b"\xb8\x01\0\0\0\xcd\x80"

    def exit(self, status: int) -> None:
        """End the program with `status`."""
        self.code += self._exit(status)

    def keep_on_one_page(self, size: int) -> None:
        """Pad with nops so that the next `size` bytes do not cross a page."""
        left = -self.here % PAGE_SIZE
        if left < size:
            self.code += b"\x90" * left

    def breakpoint(self) -> None:
        """Raise SIGTRAP (int3)."""
        self.code += b"\xcc"

    def read_byte(self, address: int) -> None:
        """Load the byte at `address`, so that its page is present (mov al, moffs8)."""
        self.code += b"\xa0" + struct.pack("<I", address)

    def write_byte(self, address: int) -> None:
        """Store al at `address` (mov moffs8, al)."""
        self.code += b"\xa2" + struct.pack("<I", address)

    def data(self, contents: bytes) -> int:
        """Append data and return its virtual address."""
        address = self.here
        self.code += contents
        return address


@dataclass(frozen=True, slots=True)
class Segment:
    """A further PT_LOAD whose file part, if any, is `filesz` bytes of the file from `offset` on."""

    vaddr: int
    memsz: int
    filesz: int = 0
    offset: int = 0
    writable: bool = True

    @property
    def header(self) -> ProgramHeader:
        """Its program header."""
        flags = PF_R | PF_W if self.writable else PF_R
        return ProgramHeader(
            PT_LOAD, self.offset, self.vaddr, self.vaddr, self.filesz, self.memsz, flags, PAGE_SIZE
        )


def link(
    assembler: Assembler,
    entry: int,
    *,
    segments: tuple[Segment, ...] = (),
    elf_type: int = ET_EXEC,
    interpreter: tuple[int, int] | None = None,
    alignment: int = PAGE_SIZE,
    unused_headers: int = 0,
    layout: ElfClass = ELF32,
) -> bytes:
    """Return the ELF file whose first segment holds what `assembler` made.

    `interpreter` is the (address, size) of PT_INTERP's string within that segment, `alignment` the first
    segment's p_align. `unused_headers` are added as PT_NULL; the program headers then stand at the end. With
    ELF64 it is a 64-bit program, whose code is not for it: one to be stopped at exec.
    """
    contents = bytes(assembler.code)
    size = page_up(_HEADER_ROOM + len(contents))
    base = assembler.base
    headers = [ProgramHeader(PT_LOAD, 0, base, base, size, size, PF_R | PF_X, alignment)]
    headers += [segment.header for segment in segments]
    if interpreter is not None:
        at, length = interpreter
        headers.append(ProgramHeader(PT_INTERP, at - base, at, at, length, length, PF_R, 1))
    headers.append(ProgramHeader(PT_GNU_STACK, 0, 0, 0, 0, 0, PF_R | PF_W, 0x10))
    headers += [ProgramHeader(PT_NULL, 0, 0, 0, 0, 0, 0, 0)] * unused_headers
    phoff = size if unused_headers else layout.ehdr.size
    machine = EM_386 if layout is ELF32 else EM_X86_64
    ehdr = new_header(
        type=elf_type, machine=machine, entry=entry, phoff=phoff, phnum=len(headers), layout=layout
    ).pack(layout)
    table = b"".join(header.pack(layout) for header in headers)
    if unused_headers:
        return (ehdr.ljust(_HEADER_ROOM, b"\0") + contents).ljust(size, b"\0") + table
    return ((ehdr + table).ljust(_HEADER_ROOM, b"\0") + contents).ljust(size, b"\0")
