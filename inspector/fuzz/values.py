"""The values that decide something, by class: ends of address spaces, types, names, lines of scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.elf import header as elf

if TYPE_CHECKING:
    import random

    from inspector.elf.header import ElfClass

ITSELF = b"/proc/self/fd/900"
"""What the mutant can be called by whoever executes it (observe/exec_stage.py)."""
ORIGINAL = b"/proc/self/fd/901"
"""The program that it is a mutant of."""


@dataclass(frozen=True, slots=True)
class Values:
    """What is worth trying in files of one class."""

    ends: tuple[int, ...]
    """Where the address space ends, or the kernel begins something, with ASLR off."""
    alignments: tuple[int, ...]
    header_sizes: tuple[int, ...]
    """Of e_phentsize."""


_ALIGNMENTS = (0, 1, 2, 3, 16, 0x1000, 0x1001, 0x2000, 0x10000, 0x20_0000, 1 << 31, 0xFFFF_FFFF)
_OF_CLASS = {
    elf.ELF32.number: Values(
        ends=(
            0x10000,  # vm.mmap_min_addr
            0x5655_5000,  # ELF_ET_DYN_BASE
            0x7FFF_FFFF,
            0x8000_0000,
            0xC000_0000,  # the task size of a 32-bit kernel
            0xF7FF_E000,  # the mmap base under the ordinary stack limit
            0xFFFD_D000,  # the initial stack
            0xFFFF_D000,  # its last page
            0xFFFF_E000,  # the task size
            0xFFFF_FFFF,
        ),
        alignments=_ALIGNMENTS,
        header_sizes=(0, 31, 32, 33, 56),
    ),
    elf.ELF64.number: Values(
        ends=(
            0x10000,
            0xFFFF_FFFF,
            1 << 32,
            0x5555_5555_4000,
            0x7FFF_F7FF_F000,
            0x7FFF_FFFD_E000,
            0x7FFF_FFFF_E000,
            0x7FFF_FFFF_F000,
            1 << 47,
            (1 << 63) - 1,  # the largest offset
            1 << 63,
            0xFFFF_FFFF_FF60_0000,  # [vsyscall]
            (1 << 64) - 0x1000,  # from here on an address is an errno
            (1 << 64) - 1,
        ),
        alignments=(*_ALIGNMENTS, 1 << 32, 1 << 46, 1 << 63),
        header_sizes=(0, 32, 55, 56, 57),
    ),
}

TYPES = (
    elf.PT_NULL,
    elf.PT_LOAD,
    elf.PT_LOAD,
    elf.PT_DYNAMIC,
    elf.PT_INTERP,
    elf.PT_PHDR,
    elf.PT_TLS,
    elf.PT_GNU_STACK,
    elf.PT_GNU_RELRO,
    elf.PT_GNU_PROPERTY,
)
FLAGS = (*range(8), *range(8), 0xFFFF_FFFF, 1 << 31)
ELF_TYPES = (0, 1, elf.ET_EXEC, elf.ET_DYN, elf.ET_EXEC, elf.ET_DYN, 4, 0xFF00)
MACHINES = (0, elf.EM_386, elf.EM_486, 7, 8, 40, elf.EM_X86_64, 183)
INTERPRETERS = (
    b"/lib/ld-linux.so.2",
    b"/lib64/ld-linux-x86-64.so.2",
    ITSELF,
    ORIGINAL,
    b"/bin/true",
    b"/etc/passwd",
    b"/etc/passwd/",
    b"/no/such/interpreter",
    b"/usr",
    b"/dev/null",
    b"relative",
    b".",
    b"",
)
_BLANKS = (b"", b" ", b"\t", b"  \t ")
_LINE_ENDS = (b"\n", b"", b"\r\n", b" \n", b"\t\n", b"\0", b"\0\n", b" -e\n", b" -e", b" a b\tc \n")
_BUFFER_BYTES = 256
"""BINPRM_BUF_SIZE: as much of a script as the kernel reads."""
_HEADER_BYTES = 1 << 16
"""As many bytes of program headers as a kernel reads at most (fs/binfmt_elf.c:load_elf_phdrs())."""


def values_of(layout: ElfClass) -> Values:
    """Return what is worth trying in files of this class."""
    return _OF_CLASS[layout.number]


def header_counts(layout: ElfClass, count: int) -> tuple[int, ...]:
    """Return what e_phnum may say of `count` program headers: one off, none, around the most there can be."""
    most = _HEADER_BYTES // layout.phdr.size
    return (0, 1, 2, count - 1, count + 1, most - 1, most, most + 1, 0xFFFF)


def script_line(chance: random.Random) -> bytes:
    """Return the first line of a script, in one of the forms that it can have, now and then too long."""
    interpreter = chance.choice(INTERPRETERS)
    if chance.random() < 0.3:  # noqa: PLR2004
        long = _BUFFER_BYTES - 2 - len(interpreter) + chance.randint(-3, 3)
        interpreter = b"/" * max(0, long) + interpreter
    line = b"#!" + chance.choice(_BLANKS) + interpreter + chance.choice(_LINE_ENDS)
    if chance.random() < 0.2:  # noqa: PLR2004
        line += chance.choice((b"x", b" ", b"\0")) * chance.choice((200, 254, 300))
    return line
