"""What the fuzzer starts from, by target: inputs that get past gates which chance would not open."""

from __future__ import annotations

import os
import struct
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.elf.header import EHDR_SIZE, ELF64, EM_X86_64, ET_DYN, PT_INTERP, ElfHeader
from tests.elfwriter import Elf, Phdr, R, W, gnu_stack
from tests.fuzz.lab_target import seeds as lab_seeds
from tests.fuzz.targets import EVIDENCE, LAYOUT_3GB, OLDER_KERNEL, RANDOMIZED, WIDE_INTERPRETER
from tests.live.odd_programs import CHOSEN, OVER_THE_STRINGS
from tests.unit.model.real_documents import CHECK, OBSERVATION, PREDICTION, PROFILE

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_ELF = 1 << 16
_MI = Path(__file__).parents[1] / "golden" / "mi"
# Elf32_Shdr: sh_name sh_type sh_flags sh_addr sh_offset sh_size sh_link sh_info sh_addralign sh_entsize
_SHDR = struct.Struct("<IIIIIIIIII")
_SYM = struct.Struct("<IIIBBH")


def seeds(target: str) -> Iterator[bytes]:
    """Yield the seeds of one target."""
    return {
        "program": _programs,
        "symbols": _with_symbols,
        "document": _documents,
        "tree": _trees,
        "evidence": _evidence,
        "lab": lab_seeds,
    }[target]()


def _programs() -> Iterator[bytes]:
    chosen = [elf.contents() for elf in (*CHOSEN.values(), *OVER_THE_STRINGS.values())]
    many = Elf([Phdr(vaddr=0x08048000 + (i << 12), flags=i % 8) for i in range(200)])
    versions = cycle((0, OLDER_KERNEL, LAYOUT_3GB, RANDOMIZED))
    for image in (*chosen, Elf().build(), many.build()):
        data, size = image.rstrip(b"\xf4\0"), len(image)
        if len(data) > _LONGEST_ELF:
            continue
        # What was cut off becomes a hole, up to the next power of two.
        header = replace(ElfHeader.parse(data), flags=(size - 1).bit_length())
        yield replace(header, version=next(versions)).pack() + data[EHDR_SIZE:]
    yield from _wide_programs()
    yield from (b"", b"#!/bin/sh\n", b"#!", b"\x7fELF", b"\x7fELF\2\1\1".ljust(64, b"\0"))
    yield Elf(phnum=0xFFFF).build().rstrip(b"\0")


def _wide_programs() -> Iterator[bytes]:
    """Yield 64-bit programs, with and without an interpreter, ending in a hole of up to 16 KiB."""
    name = WIDE_INTERPRETER.encode() + b"\0"
    interp = Phdr(PT_INTERP, offset=0x200, vaddr=0, filesz=len(name))
    data = Phdr(offset=0x1000, vaddr=0x402000, memsz=0x3000, flags=R | W)
    fixed = Elf([Phdr(vaddr=0x400000), data, gnu_stack()], machine=EM_X86_64, entry=0x400100, layout=ELF64)
    movable = replace(fixed, type=ET_DYN, entry=0x100, phdrs=[Phdr(vaddr=0), replace(data, vaddr=0x2000)])
    named = {interp.offset: name}
    for elf in (fixed, movable):
        yield _ending_in_a_hole(elf, version=0)
        yield _ending_in_a_hole(replace(elf, phdrs=[interp, *elf.phdrs], contents=named), version=0)
        yield _ending_in_a_hole(elf, version=OLDER_KERNEL)


def _ending_in_a_hole(elf: Elf, *, version: int) -> bytes:
    image = elf.build()
    header = replace(ElfHeader.parse(image, ELF64), version=version, flags=(len(image) - 1).bit_length())
    return header.pack(ELF64) + image.rstrip(b"\0")[ELF64.ehdr.size :]


def _with_symbols() -> Iterator[bytes]:
    strings = b"\0main\0_start\0"
    entries = b"".join(
        _SYM.pack(*fields)
        for fields in ((0, 0, 0, 0, 0, 0), (1, 0x08048100, 4, 0x12, 0, 1), (6, 0x08048104, 0, 0x10, 0, 1))
    )
    for kinds in ((2, 3), (11, 3), (2, 3, 11, 3)):
        table, body = bytearray(_SHDR.pack(*[0] * 10)), bytearray()
        for number, kind in enumerate(kinds, 1):
            data = strings if kind == 3 else entries
            table += _SHDR.pack(1, kind, 0, 0, 0x80 + len(body), len(data), number + 1, 1, 4, 16 % 13)
            body += data
        image = bytearray(Elf([Phdr(filesz=0x80, memsz=0x1000), gnu_stack()], size=0x80).build()) + body
        header = replace(
            ElfHeader.parse(bytes(image)), shoff=len(image), shnum=1 + len(kinds), shstrndx=2, shentsize=40
        )
        image[:52] = header.pack()
        yield bytes(image + table)
    yield many_sections()
    yield from (b"", b"\x7fELF", Elf().build()[:200])


def many_sections() -> bytes:
    """Return a file of some hundred bytes that has 65,533 sections, if it ends in a hole.

    Nearly all of them lie in the hole, and so are empty headers.
    """
    image = Elf([Phdr(filesz=0x80, memsz=0x1000), gnu_stack()], size=0x80).build()
    table = _SHDR.pack(*[0] * 10) + _SHDR.pack(1, 3, 0, 0, 0x80, 1, 0, 0, 1, 0)
    header = replace(
        ElfHeader.parse(image), shoff=len(image), shnum=0xFFFE, shstrndx=1, shentsize=_SHDR.size, flags=22
    )
    return header.pack() + image[EHDR_SIZE:] + table


def _documents() -> Iterator[bytes]:
    yield from (PREDICTION, OBSERVATION, PROFILE, CHECK, b"", b"{}")


def _trees() -> Iterator[bytes]:
    main, child = (
        b'[[module]]\nname = "%s"\nsize = %d\n%s\n' % each
        for each in ((b"main", 1024, b""), (b"A", 512, b'parent = "main"'))
    )
    yield from (b"", main, main + child, b"base = 0x8048000\n" + main + child, child, main + main)
    yield b"module = [{name = 'main', size = 1}, {name = 'A', size = 2, parent = 'main'}]"


def _evidence() -> Iterator[bytes]:
    examples = {
        "maps": [_read("maps")],
        "smaps": [_read("smaps")[:4000]],
        "status": [_read("status")],
        "stat": [_read("stat")],
        "auxv": [_read("auxv")],
        "pagemap": [struct.pack("<QQQ", 1 << 63 | 7, 0, 1 << 62 | 3)],
        "page runs": [struct.pack("<QQQ", 1 << 63 | 7, 0, 1 << 62 | 3)],
        "perf": [
            struct.pack("<IHHQIIQQ", 9, 2, 40, 0x8048000, 7, 7, 123, 0x8049000),
            struct.pack("<IHHIIIIQ", 7, 0, 32, 7, 6, 7, 6, 124) + bytes(16),
            struct.pack("<IHHII8sIIQ", 3, 1 << 13, 40, 7, 7, b"name", 7, 7, 125),
        ],
        "exits": [
            struct.pack("=IHHII IIIIHH", 76, 3, 0, 0, 0, 1, 1, 0, 0, 40, 0)
            + struct.pack("=IIQ iiIIii", 1 << 31, 0, 126, 7, 7, 0x1700, 17, 6, 6)
        ],
        "mi": [path.read_bytes()[:3000] for path in sorted(_MI.rglob("*.mi"))],
    }
    for number, kind in enumerate(EVIDENCE):
        yield from (bytes([number]) + example for example in examples[kind])


def _read(name: str) -> bytes:
    return Path(f"/proc/{os.getpid()}/{name}").read_bytes()
