"""Random ELF files from a seed, legal and odd."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.elf.header import EHDR_SIZE, ET_DYN, ET_EXEC, PHDR_SIZE, PT_GNU_RELRO, PT_LOAD, PT_PHDR, PT_TLS
from inspector.model.address import PAGE_SIZE as PAGE
from tests.live.odd_programs import INTERPRETERS, STACK, OddElf, R, Segment, W, X, with_interpreter

if TYPE_CHECKING:
    import random


def random_file(source: random.Random) -> bytes:
    """Return a random ELF, one in four with a few bytes of its headers changed."""
    elf = random_elf(source)
    contents = bytearray(elf.contents())
    if source.random() < 0.25:
        headers = [*range(EHDR_SIZE), *range(elf.phoff, elf.phoff + len(elf.segments) * PHDR_SIZE)]
        for at in source.choices([at for at in headers if at < len(contents)], k=source.randrange(1, 5)):
            contents[at] = source.choice((0, 1, 0x7F, 0x80, 0xFF, contents[at] ^ 1 << source.randrange(8)))
    return bytes(contents)


def random_elf(source: random.Random) -> OddElf:
    """Return an ELF whose parts are each legal or odd, by chance; most of them are mapped."""
    choose = source.choice
    movable = source.random() < 0.5
    at = (
        choose((0, 0, 0, 0x10000, 0x6FFFD000, 0xF0000000))
        if movable
        else choose((0x08048000, 0x08048000, 0x10000, 0xB7FF0000))
    )
    first, segments = at, []
    for _ in range(choose((1, 1, 2, 2, 3, 4, 6))):
        in_page = choose((0, 0, 0x10, 0x34, 0xFFC, source.randrange(PAGE)))
        offset = choose((0, PAGE, 2 * PAGE, 3 * PAGE, 0x10000)) + in_page
        filesz = choose((0, 1, 0x20, PAGE - in_page, PAGE, 2 * PAGE, source.randrange(3 * PAGE)))
        memsz = filesz + choose((0, 0, 0, 1, 0x20, PAGE, 5 * PAGE, source.randrange(1 << 16)))
        if source.random() < 0.03:
            offset, filesz = source.randrange(1 << 15), source.randrange(1 << 15)
        if source.random() < 0.03:
            memsz = filesz + source.randrange(1 << source.randrange(17, 32))
        if source.random() < 0.03:
            at = (
                choose((source.randrange(1 << 20) << 12, 0xC0000000, 0xFFFFE000, 0xF7FFE000, 0xB8000000))
                - PAGE
            )
        segment = Segment(
            PT_LOAD,
            offset,
            at + in_page,
            filesz,
            memsz,
            choose((R, R | W, R | X, R | X, R | W, 7, 0, X, W, W | X, source.randrange(8))),
            choose((PAGE, PAGE, PAGE, 0, 1, 3, 0x10000, 0x20000, 1 << 21, 1 << 22)),
        )
        segments.append(segment)
        at = (segment.vaddr + memsz + PAGE - 1) & -PAGE
        at += choose(
            (0, 0, 0, PAGE, PAGE, 0x10000, -PAGE, -2 * PAGE, 1 << 21, 1 << 30, source.randrange(64) << 12)
        )
        at %= 1 << 32
    if source.random() < 0.15:
        source.shuffle(segments)
    if source.random() < 0.8:
        segments.insert(source.randrange(len(segments) + 1), replace(STACK, flags=choose((6, 6, 6, 7, 4, 0))))
    if source.random() < 0.1:
        segments.append(
            Segment(choose((PT_TLS, PT_PHDR, PT_GNU_RELRO)), 0, first, 8, 8, R, choose((4, 1 << 24)))
        )
    elf = OddElf(
        tuple(segments),
        type=ET_DYN if movable else ET_EXEC,
        entry=choose((first, first + 0x10, segments[-1].vaddr, source.randrange(1 << 32))),
        phoff=choose((52, 52, 52, 0x1100, 0x2FFC, 53)),
        size=choose((4 * PAGE, 4 * PAGE, 0x2010, 0x3800, 3 * PAGE + 1)),
    )
    if source.random() < 0.3:
        elf = with_interpreter(elf, choose(tuple(INTERPRETERS)).encode() + b"\0")
    return elf
