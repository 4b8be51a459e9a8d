"""ELF files no linker would make, written byte by byte."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inspector.elf.header import (
    EHDR_SIZE,
    EM_386,
    ET_DYN,
    ET_EXEC,
    PF_R,
    PF_W,
    PF_X,
    PHDR_SIZE,
    PT_DYNAMIC,
    PT_GNU_PROPERTY,
    PT_GNU_RELRO,
    PT_GNU_STACK,
    PT_INTERP,
    PT_LOAD,
    PT_NULL,
    PT_PHDR,
    PT_TLS,
    ProgramHeader,
    new_header,
)
from inspector.model.address import PAGE_SIZE as PAGE

R, W, X = PF_R, PF_W, PF_X


@dataclass(frozen=True)
class Segment:
    """One program header, in the order of its fields in the file."""

    type: int = PT_LOAD
    offset: int = 0
    vaddr: int = 0
    filesz: int = PAGE
    memsz: int = PAGE
    flags: int = R
    align: int = PAGE

    def packed(self) -> bytes:
        """Return the 32 bytes of the header; p_paddr is p_vaddr."""
        fields = (
            self.type,
            self.offset,
            self.vaddr,
            self.vaddr,
            self.filesz,
            self.memsz,
            self.flags,
            self.align,
        )
        return ProgramHeader(*(field % (1 << 32) for field in fields)).pack()


@dataclass(frozen=True)
class OddElf:
    """An ELF file: the header's fields that matter, the program headers, and the bytes around them."""

    segments: tuple[Segment, ...]
    type: int = ET_EXEC
    machine: int = EM_386
    entry: int = 0x08048000
    phoff: int = EHDR_SIZE
    phnum: int | None = None
    phentsize: int = PHDR_SIZE
    size: int = 4 * PAGE
    interpreter: bytes = b""
    interpreter_at: int = 0x800

    def contents(self) -> bytes:
        """Return the file."""
        ehdr = new_header(
            type=self.type,
            machine=self.machine,
            entry=self.entry,
            phoff=self.phoff,
            phentsize=self.phentsize,
            phnum=len(self.segments) if self.phnum is None else self.phnum,
        ).pack()
        data = bytearray(b"\xf4" * self.size)  # hlt
        phdrs = b"".join(segment.packed() for segment in self.segments)
        for at, part in ((self.interpreter_at, self.interpreter), (self.phoff, phdrs), (0, ehdr)):
            data[at : at + len(part)] = part
        return bytes(data)


TEXT = Segment(vaddr=0x08048000, flags=R | X)
DATA = Segment(offset=PAGE, vaddr=0x08049000, filesz=0x10, memsz=0x20, flags=R | W)
STACK = Segment(PT_GNU_STACK, 0, 0, 0, 0, R | W, 16)
FIXED = OddElf((TEXT, DATA, STACK))
MOVABLE = OddElf((replace(TEXT, vaddr=0), replace(DATA, vaddr=0x1000), STACK), type=ET_DYN, entry=0)


def _with(base: OddElf, *more: Segment) -> OddElf:
    return replace(base, segments=base.segments + more)


def _loads(*segments: Segment) -> OddElf:
    return OddElf((*segments, STACK), entry=segments[0].vaddr if segments else 0)


def with_interpreter(base: OddElf, name: bytes, size: int | None = None) -> OddElf:
    """Return `base` with a PT_INTERP of `size` bytes that names `name`."""
    length = len(name) if size is None else size
    header = Segment(PT_INTERP, base.interpreter_at, 0, length, length, R, 1)
    return replace(base, segments=(header, *base.segments), interpreter=name)


_HALF_OF_THE_ROOM = (0xF7FFE000 - 0x56554000) // 2
"""Between ELF_ET_DYN_BASE, aligned to two pages, and the mmap base of a stack limit of 8 MiB."""

CHOSEN: dict[str, OddElf] = {
    "fixed": FIXED,
    "movable": MOVABLE,
    # PT_LOAD: order, overlap, size
    "unsorted": _loads(DATA, TEXT),
    "unsorted movable": OddElf((replace(DATA, vaddr=0x3000), replace(TEXT, vaddr=0), STACK), ET_DYN, entry=0),
    "the same segment twice": _loads(TEXT, TEXT),
    "second covers the first": _loads(TEXT, replace(TEXT, memsz=3 * PAGE, filesz=3 * PAGE, flags=R | W)),
    "second cuts the first in two": _loads(
        replace(TEXT, filesz=3 * PAGE, memsz=3 * PAGE),
        replace(DATA, vaddr=0x08049000, filesz=PAGE, memsz=PAGE),
    ),
    "bss over earlier text": _loads(replace(TEXT, vaddr=0x0804A000), replace(DATA, memsz=3 * PAGE)),
    "two on one page": _loads(
        replace(TEXT, filesz=0x100, memsz=0x100), replace(DATA, offset=0x200, vaddr=0x08048200)
    ),
    "no file part": _loads(TEXT, replace(DATA, filesz=0)),
    "no file part, first": _loads(replace(DATA, filesz=0), replace(TEXT, vaddr=0x0804B000)),
    "no file part, movable": OddElf((replace(DATA, vaddr=0, filesz=0, offset=0), STACK), ET_DYN, entry=0),
    "nothing at all": _loads(TEXT, replace(DATA, filesz=0, memsz=0)),
    "nothing at all, first": _loads(replace(DATA, filesz=0, memsz=0), replace(TEXT, vaddr=0x0804B000)),
    "huge bss": _loads(TEXT, replace(DATA, memsz=0x60000000)),
    "bss up to the stack": _loads(TEXT, replace(DATA, memsz=0xF0000000)),
    "bss ends on a page": _loads(TEXT, replace(DATA, memsz=PAGE)),
    "file part ends on a page": _loads(TEXT, replace(DATA, filesz=PAGE, memsz=PAGE + 1)),
    "mergeable neighbours": _loads(
        TEXT, replace(TEXT, offset=PAGE, vaddr=0x08049000), replace(TEXT, offset=2 * PAGE, vaddr=0x0804A000)
    ),
    "neighbours with a hole in the file": _loads(TEXT, replace(TEXT, offset=2 * PAGE, vaddr=0x08049000)),
    "bss beside bss": _loads(DATA, replace(DATA, offset=0x2000, vaddr=0x0804A000, filesz=0)),
    # Permissions
    "tail of a read-only segment": _loads(TEXT, replace(DATA, flags=R)),
    "tail of a text segment": _loads(replace(TEXT, filesz=0x800)),
    "tail and bss of a text segment": _loads(replace(TEXT, filesz=0x800, memsz=3 * PAGE)),
    "no permission": _loads(replace(TEXT, flags=0)),
    "tail of a segment without permission": _loads(TEXT, replace(DATA, flags=0)),
    "write only": _loads(TEXT, replace(DATA, flags=W)),
    "execute only": _loads(replace(TEXT, flags=X)),
    "write and execute": _loads(replace(TEXT, flags=W | X, filesz=0x900)),
    "everything": _loads(replace(TEXT, flags=7, memsz=5 * PAGE)),
    "foreign flag bits": _loads(replace(TEXT, flags=0xFFF00005)),
    "no stack header": OddElf((TEXT, DATA)),
    "no stack header, movable": OddElf(MOVABLE.segments[:2], ET_DYN, entry=0),
    "executable stack": OddElf((TEXT, DATA, replace(STACK, flags=7))),
    "stack header without permission": OddElf((TEXT, DATA, replace(STACK, flags=0))),
    "two stack headers": OddElf((replace(STACK, flags=7), TEXT, DATA, STACK)),
    "two stack headers, the last executable": OddElf((STACK, TEXT, DATA, replace(STACK, flags=7))),
    # Alignment
    "not congruent": _loads(TEXT, replace(DATA, offset=0x1004)),
    "inside a page": _loads(replace(TEXT, offset=0x34, vaddr=0x08048034, filesz=0xF00, memsz=0xF00)),
    "alignment 0": _loads(replace(TEXT, align=0)),
    "alignment 3": _loads(replace(TEXT, align=3)),
    "movable, alignment 3": OddElf((replace(TEXT, vaddr=0, align=3), STACK), ET_DYN, entry=0),
    "movable, alignment 0": OddElf((replace(TEXT, vaddr=0, align=0), STACK), ET_DYN, entry=0),
    "movable, alignment 1": OddElf((replace(TEXT, vaddr=0, align=1), STACK), ET_DYN, entry=0),
    "movable, 2 MiB": OddElf((replace(TEXT, vaddr=0, align=1 << 21), STACK), ET_DYN, entry=0),
    "movable, 1 GiB": OddElf((replace(TEXT, vaddr=0, align=1 << 30), STACK), ET_DYN, entry=0),
    "movable, 2 GiB": OddElf((replace(TEXT, vaddr=0, align=1 << 31), STACK), ET_DYN, entry=0),
    "movable, the second is aligned": OddElf(
        (replace(TEXT, vaddr=0), replace(DATA, vaddr=0x1000, align=1 << 16), STACK), ET_DYN, entry=0
    ),
    "movable, aligned, not at 0": OddElf(
        (replace(TEXT, vaddr=0x12345000, align=1 << 16), STACK), ET_DYN, entry=0x12345000
    ),
    "movable, not at 0": OddElf((replace(TEXT, vaddr=0x6FFFD000), STACK), ET_DYN, entry=0),
    "movable, alignment of a PT_TLS": OddElf(
        (replace(TEXT, vaddr=0), Segment(PT_TLS, 0, 0, 0, 0, R, 1 << 22), STACK), ET_DYN, entry=0
    ),
    # Places
    "address 0": _loads(replace(TEXT, vaddr=0)),
    "lowest mappable": _loads(replace(TEXT, vaddr=0x10000)),
    "below the lowest mappable": _loads(replace(TEXT, vaddr=0x1000)),
    "at the top of the mmap area": _loads(replace(TEXT, vaddr=0xF7FFD000)),
    "where the vdso would be": _loads(replace(TEXT, vaddr=0xF7FF8000, filesz=2 * PAGE, memsz=2 * PAGE)),
    "over the stack": _loads(replace(TEXT, vaddr=0xFFFFD000)),
    "below the stack": _loads(replace(TEXT, vaddr=0xFFFDC000)),
    "in the stack's gap": _loads(replace(TEXT, vaddr=0xFFFD0000)),
    "second over the stack": _loads(TEXT, replace(DATA, vaddr=0xFFFFC000)),
    "low memory is all that is free": _loads(replace(TEXT, vaddr=0x18000, flags=7, memsz=0xFEFE8000)),
    "less than low memory is free": _loads(replace(TEXT, vaddr=0x17000, flags=7, memsz=0xFEFE9000)),
    "heap starts inside the bss": OddElf(
        (replace(DATA, vaddr=0, offset=0, memsz=0xB0000000, flags=7), STACK), ET_DYN, entry=0
    ),
    "at the 3 GB line": _loads(replace(TEXT, vaddr=0xBFFFF000)),
    "over the 3 GB line": _loads(replace(TEXT, vaddr=0xC0000000)),
    "end of the address space": _loads(replace(TEXT, vaddr=0xFFFFE000)),
    "size wraps": _loads(TEXT, replace(DATA, memsz=0xFFFFFFFF)),
    "size wraps, movable": OddElf(
        (replace(DATA, vaddr=0, offset=0, memsz=0xFFFFFFFF), STACK), ET_DYN, entry=0
    ),
    "file size over memory size": _loads(TEXT, replace(DATA, filesz=0x30)),
    "heap under another segment": _loads(replace(TEXT, vaddr=0x09000000), DATA),
    "one page table each": _loads(*(replace(TEXT, vaddr=0x08000000 + (i << 22)) for i in range(30))),
    "one top-level entry each": _loads(
        *(replace(DATA, vaddr=(i << 30) + (1 << 29), memsz=0x2000) for i in range(3))
    ),
    # File
    "beyond the end of the file": _loads(TEXT, replace(DATA, offset=0x10000, filesz=PAGE)),
    "tail beyond the end of the file": _loads(TEXT, replace(DATA, offset=0x10000)),
    "tail page partly in the file": replace(_loads(TEXT, replace(DATA, offset=0x3000)), size=0x3008),
    "offset near 4 GiB": _loads(TEXT, replace(DATA, offset=0xFFFFF000)),
    "headers at the end": replace(FIXED, phoff=0x3000, size=0x3000 + 3 * PHDR_SIZE),
    "headers cut": replace(FIXED, phoff=0x3000, size=0x3000 + 3 * PHDR_SIZE - 1),
    "headers in no segment": replace(FIXED, phoff=0x2100),
    "headers in the second segment": replace(
        FIXED, phoff=0x1100, segments=(TEXT, replace(DATA, filesz=0x400, memsz=0x400), STACK)
    ),
    "headers in two segments": replace(FIXED, segments=(TEXT, replace(TEXT, vaddr=0x09000000), STACK)),
    "header only": OddElf((TEXT,), size=EHDR_SIZE + PHDR_SIZE),
    "short header": OddElf((), phnum=0, size=40),
    "no headers": OddElf((), phnum=0),
    "only a stack header": OddElf((STACK,)),
    "only a stack header, movable": OddElf((STACK,), ET_DYN),
    "phentsize 56": replace(FIXED, phentsize=56),
    "phnum 2047": replace(FIXED, segments=(TEXT, DATA, STACK) + 2044 * (Segment(PT_NULL),), size=1 << 17),
    "phnum 2048": replace(FIXED, segments=(TEXT, DATA, STACK) + 2045 * (Segment(PT_NULL),), size=1 << 17),
    "phnum 2049": replace(FIXED, segments=(TEXT, DATA, STACK) + 2046 * (Segment(PT_NULL),), size=1 << 17),
    "phnum 65535": replace(FIXED, phnum=0xFFFF, size=1 << 22),
    "machine 486": replace(FIXED, machine=6),
    "machine 0": replace(FIXED, machine=0),
    "type relocatable": replace(FIXED, type=1),
    "type core": replace(FIXED, type=4),
    # Other headers
    "PT_PHDR that lies": _with(FIXED, Segment(PT_PHDR, 52, 0x09000000, 32, 32)),
    "PT_TLS only beside text": OddElf((TEXT, Segment(PT_TLS, 0x100, 0x08048100, 8, 5000, R, 32), STACK)),
    "PT_DYNAMIC nowhere": _with(FIXED, Segment(PT_DYNAMIC, 0x100000, 0x10, 8, 8)),
    "PT_GNU_RELRO over all": _with(FIXED, Segment(PT_GNU_RELRO, 0, 0x08048000, 0x10000, 0x10000)),
    "PT_GNU_PROPERTY": _with(FIXED, Segment(PT_GNU_PROPERTY, 0x100, 0x08048100, 0x20, 0x20)),
    # Entry
    "entry 0": replace(FIXED, entry=0),
    "entry in nothing": replace(FIXED, entry=0x40000000),
    "entry at the end of the address space": replace(FIXED, entry=0xFFFFE000),
    "entry at the last byte": replace(FIXED, entry=0xFFFFDFFF),
    "movable, entry wraps": replace(MOVABLE, entry=0xFFFFFFFF),
    # Interpreter: the tests put the file `interp` beside the program
    "interpreter": with_interpreter(FIXED, b"interp\0"),
    "interpreter of a movable": with_interpreter(MOVABLE, b"interp\0"),
    "interpreter in its own directory": with_interpreter(FIXED, b"./interp\0"),
    "interpreter, then other bytes": with_interpreter(FIXED, b"interp\0garbage\0"),
    "interpreter fixed": with_interpreter(FIXED, b"interp-fixed\0"),
    "interpreter fixed over the program": with_interpreter(FIXED, b"interp-over\0"),
    "interpreter fixed, movable program": with_interpreter(MOVABLE, b"interp-fixed\0"),
    "interpreter aligned": with_interpreter(MOVABLE, b"interp-aligned\0"),
    "interpreter not at 0": with_interpreter(FIXED, b"interp-high\0"),
    "interpreter asks for the second page": with_interpreter(FIXED, b"interp-low\0"),
    "interpreter asks for an address above the task": with_interpreter(FIXED, b"interp-top\0"),
    "interpreter asks for what is taken": with_interpreter(FIXED, b"interp-taken\0"),
    "interpreter with bss": with_interpreter(MOVABLE, b"interp-bss\0"),
    "interpreter without segments": with_interpreter(FIXED, b"interp-empty\0"),
    "interpreter with an interpreter": with_interpreter(FIXED, b"interp-interp\0"),
    "interpreter wants an executable stack": with_interpreter(FIXED, b"interp-execstack\0"),
    "interpreter is relocatable": with_interpreter(FIXED, b"interp-rel\0"),
    "interpreter missing": with_interpreter(FIXED, b"nothing\0"),
    "interpreter is a directory": with_interpreter(FIXED, b"/\0"),
    "interpreter is text": with_interpreter(FIXED, b"text\0"),
    "interpreter is a script": with_interpreter(FIXED, b"script\0"),
    "interpreter is 64-bit": with_interpreter(FIXED, b"/bin/true\0"),
    "interpreter not executable": with_interpreter(FIXED, b"interp-0644\0"),
    "interpreter short": with_interpreter(FIXED, b"interp-short\0"),
    "interpreter not terminated": with_interpreter(FIXED, b"interp"),
    "interpreter empty": with_interpreter(FIXED, b"\0"),
    "interpreter empty, two bytes": with_interpreter(FIXED, b"\0\0"),
    "interpreter too long": with_interpreter(FIXED, b"interp\0", 4097),
    "interpreter beyond the end of the file": replace(
        with_interpreter(FIXED, b"interp\0"), interpreter_at=0x4000, size=0x4000
    ),
    "two interpreters": with_interpreter(with_interpreter(FIXED, b"interp\0"), b"interp\0"),
    # The one is loaded right below the other, and goes on where that one ends in the file.
    "its own interpreter": with_interpreter(
        OddElf(
            (
                replace(TEXT, vaddr=0, offset=PAGE, align=2 * PAGE),
                replace(TEXT, vaddr=_HALF_OF_THE_ROOM - PAGE),
                STACK,
            ),
            ET_DYN,
            entry=0,
        ),
        b"program\0",
    ),
    "movable program's alignment with an interpreter": with_interpreter(
        OddElf((replace(TEXT, vaddr=0, align=1 << 21), STACK), ET_DYN, entry=0), b"interp\0"
    ),
    "movable at the base of movables": with_interpreter(
        OddElf((replace(TEXT, vaddr=0x56555000), STACK), ET_DYN, entry=0), b"interp\0"
    ),
    "movable too large for its base": with_interpreter(
        OddElf((replace(DATA, vaddr=0, offset=0, memsz=0xA9000000), STACK), ET_DYN, entry=0), b"interp\0"
    ),
}

OVER_THE_STRINGS: dict[str, OddElf] = {
    "bss over the strings": _loads(TEXT, replace(DATA, vaddr=0xFFFFD000, filesz=0, memsz=PAGE)),
    "bss over the strings, 3 GB": _loads(TEXT, replace(DATA, vaddr=0xBFFFF000, filesz=0, memsz=PAGE)),
    "file over the strings": _loads(TEXT, replace(DATA, vaddr=0xFFFFD000, filesz=PAGE)),
    "cleared file page over the strings": _loads(
        TEXT, replace(DATA, vaddr=0xFFFFD000, filesz=16, memsz=PAGE)
    ),
    "read-only over the strings": _loads(
        TEXT, replace(DATA, vaddr=0xFFFFD000, flags=R, filesz=0, memsz=PAGE)
    ),
    "write-only over the strings": _loads(
        TEXT, replace(DATA, vaddr=0xFFFFD000, flags=W, filesz=0, memsz=PAGE)
    ),
}
"""Segments that replace part of the initial stack. A prediction may say that it does not model that."""

_LOADER = replace(
    MOVABLE, segments=(replace(TEXT, vaddr=0), replace(DATA, vaddr=0x1000, filesz=PAGE, memsz=PAGE), STACK)
)
INTERPRETERS: dict[str, bytes] = {
    "interp": _LOADER.contents(),
    "interp-0644": _LOADER.contents(),
    "interp-fixed": _loads(replace(TEXT, vaddr=0x06000000), replace(DATA, vaddr=0x06001000)).contents(),
    "interp-over": _loads(TEXT, replace(DATA, flags=7)).contents(),
    "interp-aligned": replace(_LOADER, segments=(replace(TEXT, vaddr=0, align=1 << 21), STACK)).contents(),
    "interp-high": replace(
        _LOADER, segments=(replace(TEXT, vaddr=0x40000000), STACK), entry=0x40000000
    ).contents(),
    "interp-low": replace(_LOADER, segments=(replace(TEXT, vaddr=0x1000), STACK), entry=0).contents(),
    "interp-top": replace(_LOADER, segments=(replace(TEXT, vaddr=0xFFFFE000), STACK), entry=0).contents(),
    "interp-taken": replace(_LOADER, segments=(replace(TEXT, vaddr=0x08049000), STACK), entry=0).contents(),
    "interp-bss": replace(
        MOVABLE, segments=(replace(TEXT, vaddr=0), replace(DATA, vaddr=0x1000, memsz=0x5000))
    ).contents(),
    "interp-empty": OddElf((STACK,), ET_DYN).contents(),
    "interp-interp": with_interpreter(MOVABLE, b"nothing\0").contents(),
    "interp-execstack": replace(
        MOVABLE, segments=(*MOVABLE.segments[:2], replace(STACK, flags=7))
    ).contents(),
    "interp-rel": replace(MOVABLE, type=1).contents(),
    "interp-short": MOVABLE.contents()[:40],
    "text": b"plain text\n" * 10,
    "script": b"#!/bin/sh\n" + b"\n" * 100,
}
"""Files the tests put beside the program, for PT_INTERP to name."""
