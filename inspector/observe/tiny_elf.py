"""Tiny i386 ELF programs, written byte by byte: no compiler is needed to launch or to probe.

A program is one readable and executable segment holding headers, code and data, plus any segments
the caller adds without contents in the file. The segment ends on a page: before elf_load() came, the
kernel cleared the rest of an interpreter's last page whether or not there was any .bss, and killed
the process where that page was not writable (fs/binfmt_elf.c:load_elf_interp()).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

_EHDR = struct.Struct("<16sHHIIIIIHHHHHH")
_PHDR = struct.Struct("<IIIIIIII")
_PT_NULL, _PT_LOAD, _PT_INTERP, _PT_GNU_STACK = 0, 1, 3, 0x6474E551
_R, _W, _X = 4, 2, 1
ET_EXEC, ET_DYN = 2, 3
_PAGE = 4096
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
        left = -self.here % _PAGE
        if left < size:
            self.code += b"\x90" * left

    def breakpoint(self) -> None:
        """Raise SIGTRAP (int3)."""
        self.code += b"\xcc"

    def read_byte(self, address: int) -> None:
        """Load the byte at `address`, so that its page is present (mov al, moffs8)."""
        self.code += b"\xa0" + struct.pack("<I", address)

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


def link(
    assembler: Assembler,
    entry: int,
    *,
    segments: tuple[Segment, ...] = (),
    elf_type: int = ET_EXEC,
    interpreter: tuple[int, int] | None = None,
    alignment: int = _PAGE,
    unused_headers: int = 0,
) -> bytes:
    """Return the ELF file whose first segment holds what `assembler` made.

    `interpreter` is the (address, size) of PT_INTERP's string within that segment, `alignment` the first
    segment's p_align. `unused_headers` are added as PT_NULL; the program headers then stand at the end.
    """
    contents = bytes(assembler.code)
    size = -(-(_HEADER_ROOM + len(contents)) // _PAGE) * _PAGE
    headers = [_PHDR.pack(_PT_LOAD, 0, assembler.base, assembler.base, size, size, _R | _X, alignment)]
    for segment in segments:
        flags = _R | (_W if segment.writable else 0)
        headers.append(
            _PHDR.pack(
                _PT_LOAD,
                segment.offset,
                segment.vaddr,
                segment.vaddr,
                segment.filesz,
                segment.memsz,
                flags,
                _PAGE,
            )
        )
    if interpreter is not None:
        at, length = interpreter
        headers.append(_PHDR.pack(_PT_INTERP, at - assembler.base, at, at, length, length, _R, 1))
    headers.append(_PHDR.pack(_PT_GNU_STACK, 0, 0, 0, 0, 0, _R | _W, 0x10))
    headers += [_PHDR.pack(_PT_NULL, 0, 0, 0, 0, 0, 0, 0)] * unused_headers
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    phoff = size if unused_headers else _EHDR.size
    ehdr = _EHDR.pack(
        ident, elf_type, 3, 1, entry, phoff, 0, 0, _EHDR.size, _PHDR.size, len(headers), 40, 0, 0
    )
    table = b"".join(headers)
    if unused_headers:
        return (ehdr.ljust(_HEADER_ROOM, b"\0") + contents).ljust(size, b"\0") + table
    return ((ehdr + table).ljust(_HEADER_ROOM, b"\0") + contents).ljust(size, b"\0")
