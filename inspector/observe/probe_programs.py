"""The tiny programs the probe looks at. Each is stopped at exec; none executes an instruction.

Every one of them is written so that it can be loaded by every kernel: what a kernel is asked about
stands in one program of its own, whose refusal or death is an answer.
"""

from __future__ import annotations

import os
from dataclasses import replace

from inspector.elf.header import EHDR_SIZE, ELF64, EM_X86_64, ET_DYN, ET_EXEC, ElfHeader
from inspector.model.address import PAGE_SIZE
from inspector.observe.tiny_elf import Assembler, Segment, link

FIXED_BASE = 0x08048000
DATA = 0x40000000
UNUSUAL_ALIGNMENT = 4 << 20
"""No address that falls to a program by itself is a multiple of it."""
ONE_PAGE_OF_HEADERS = PAGE_SIZE // 32
_BEYOND = 1 << 20
"""No file of ours is as long."""
_FILLED_END = 0xFF000000
"""Above it remains room for a vdso, below the stack."""


def fixed() -> bytes:
    """Return a program at a fixed address, with a cleared tail and a page of .bss up to its heap.

    They are far from code and stack: its page tables tell the geometries apart.
    """
    return link(*_code(FIXED_BASE), segments=(Segment(DATA, memsz=2 * PAGE_SIZE, filesz=64),))


def position_independent(*, alignment: int = PAGE_SIZE) -> bytes:
    """Return a program that is its own loader, or another's."""
    return link(*_code(0), elf_type=ET_DYN, alignment=alignment)


def interpreted(interpreter: str, *, base: int = 0) -> bytes:
    """Return a program that names its interpreter: at `base`, or position-independent."""
    asm, _ = _code(base)
    elf_type = ET_EXEC if base else ET_DYN
    return link(asm, asm.start, elf_type=elf_type, interpreter=_name(asm, interpreter))


def tail(*, writable: bool) -> bytes:
    """Return a program whose last file page cannot be cleared: it is read-only, or lies beyond the file."""
    offset = _BEYOND if writable else 0
    segment = Segment(DATA, memsz=128, filesz=64, offset=offset, writable=writable)
    return link(*_code(FIXED_BASE), segments=(segment,))


def early_bss() -> bytes:
    """Return a program with a page of .bss, at DATA + PAGE_SIZE, below another segment."""
    return link(*_code(FIXED_BASE), segments=_early_bss(DATA))


def interpreter_with_early_bss() -> bytes:
    """Return an interpreter with a page of .bss, two pages into its image, below another segment."""
    return link(*_code(0), segments=_early_bss(PAGE_SIZE), elf_type=ET_DYN)


def _early_bss(base: int) -> tuple[Segment, ...]:
    # The other one comes first: a kernel that makes one .bss for the whole file has passed it by then.
    return (
        Segment(base + 2 * PAGE_SIZE, memsz=PAGE_SIZE, filesz=PAGE_SIZE, writable=False),
        Segment(base, memsz=2 * PAGE_SIZE, filesz=PAGE_SIZE),
    )


def long_program_headers() -> bytes:
    """Return a program with more than a page of program headers."""
    return link(*_code(FIXED_BASE), unused_headers=ONE_PAGE_OF_HEADERS)


def native(interpreter: str | None = None) -> bytes:
    """Return a 64-bit program: at a fixed address, or position-independent with an interpreter."""
    asm, _ = _code(FIXED_BASE if interpreter is None else 0)
    if interpreter is None:
        return link(asm, asm.start, layout=ELF64)
    return link(asm, asm.start, elf_type=ET_DYN, interpreter=_name(asm, interpreter), layout=ELF64)


def native_loader() -> bytes:
    """Return a 64-bit program that is another's interpreter."""
    return link(*_code(0), elf_type=ET_DYN, layout=ELF64)


def x32() -> bytes:
    """Return a program of 32-bit structures for the 64-bit instruction set."""
    program = fixed()
    header = ElfHeader.parse(program)
    return replace(header, machine=EM_X86_64).pack() + program[EHDR_SIZE:]


def with_low_hole(end: int, interpreter: str) -> bytes:
    """Return a program that leaves free what lies below `end`, and what lies above _FILLED_END."""
    return _filling(end, _FILLED_END, interpreter)


def with_high_hole(lowest: int, start: int, interpreter: str) -> bytes:
    """Return a program that fills all from `lowest` to `start`; the stack comes next."""
    return _filling(lowest, start - PAGE_SIZE, interpreter)


def interpreter_at(hint: int) -> bytes:
    """Return an interpreter that asks for an address, but takes any."""
    return link(*_code(hint), elf_type=ET_DYN)


def _filling(start: int, end: int, interpreter: str) -> bytes:
    asm, _ = _code(end)
    filling = Segment(start, memsz=end - start, filesz=end - start, writable=False)
    return link(asm, asm.start, segments=(filling,), interpreter=_name(asm, interpreter))


def _code(base: int) -> tuple[Assembler, int]:
    asm = Assembler(base)
    asm.exit(0)
    return asm, asm.start


def _name(asm: Assembler, path: str) -> tuple[int, int]:
    name = os.fsencode(path) + b"\0"
    return asm.data(name), len(name)
