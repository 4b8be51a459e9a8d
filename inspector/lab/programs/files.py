"""Several files: sound programs and flawed ones, for execve's verdict and for a student's loader."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from inspector.elf.header import EHDR_SIZE, PF_R, PF_W, PF_X, PT_LOAD
from inspector.lab.programs.image import Image, Part, Segment
from inspector.lab.variant import Variant
from inspector.model.address import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.lab.draw import Draw

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_FIRST_BASE, _BASES = 0x0804_8000, 64
_EXIT = b"\xbb\0\0\0\0\xb8\1\0\0\0\xcd\x80"
_PHDR = 32
# Where fields lie in the file: Elf32_Ehdr, and of a program header from its start on.
_EI_CLASS, _EI_DATA, _E_TYPE, _E_MACHINE, _E_VERSION, _E_ENTRY = 4, 5, 16, 18, 20, 24
_E_PHENTSIZE, _E_PHNUM = 42, 44
_P_OFFSET, _P_FILESZ = 4, 16


class Verdicts(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="generator", tag="verdicts"
):
    """`files` files, each a sound program, one with a flaw that matters or does not, or no program at all."""

    files: Annotated[int, Meta(ge=1, le=16)] = 8

    def gives(self) -> frozenset[str]:
        """Return what questions may be about."""
        return frozenset({"several files"})

    def make(self, draw: Draw) -> Variant:
        """Return the files of one student, no two with the same flaw."""
        flaws = draw.branch("flaws").sample(_FLAWS, self.files)
        files = {}
        for letter, flaw in zip(_LETTERS, flaws, strict=False):
            own = draw.branch(letter)
            files[letter] = flaw(bytearray(_sound(own).build()), own)
        return Variant(files=files)


class Layouts(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="generator", tag="layouts"
):
    """`files` programs of all shapes that the student gets, and `hidden` more that only grading uses."""

    files: Annotated[int, Meta(ge=1, le=16)] = 4
    hidden: Annotated[int, Meta(ge=0, le=32)] = 8

    def gives(self) -> frozenset[str]:
        """Return what questions may be about."""
        return frozenset({"several files"})

    def make(self, draw: Draw) -> Variant:
        """Return the files of one student."""

        def some(prefix: str, count: int) -> dict[str, bytes]:
            return {
                f"{prefix}{number}": _any(draw.branch(f"{prefix}{number}")) for number in range(1, count + 1)
            }

        return Variant(files=some("given-", self.files), hidden=some("hidden-", self.hidden))


def _any(draw: Draw) -> bytes:
    """Return a program; one in five has a flaw."""
    contents = bytearray(_sound(draw, shapes=True).build())
    return draw.choice(_LOADER_FLAWS)(contents, draw) if draw.below(5) == 0 else bytes(contents)


def _sound(draw: Draw, *, shapes: bool = False) -> Image:
    """Return a program that only ends; with `shapes`, one whose areas may merge or be executable."""
    text = [
        Part(".note.lab", bytes(draw.below(256) for _ in range(16))),
        Part(".text", _EXIT + bytes(draw.between(0, 12_000))),
    ]
    data = [Part(".data", bytes(draw.between(4, 9000)))]
    if draw.below(4):
        data.append(Part(".bss", zeros=draw.between(1, 30_000)))
    flags = draw.choice((PF_R | PF_W, PF_R | PF_W, PF_R | PF_W | PF_X)) if shapes else PF_R | PF_W
    segments = [Segment(PF_R | PF_X, text)]
    if draw.below(2):
        constants = [Part(".rodata", bytes(draw.between(16, 9000)))]
        segments.append(Segment(PF_R, constants, gap_pages=draw.below(2)))
    segments.append(Segment(flags, data, gap_pages=draw.below(3)))
    stack = draw.choice((PF_R | PF_W, PF_R | PF_W, PF_R | PF_W | PF_X, None)) if shapes else PF_R | PF_W
    image = Image(_FIRST_BASE + draw.below(_BASES) * PAGE_SIZE, segments, stack_flags=stack)
    image.place()
    image.entry = image.addresses[".text"]
    return image


def _byte(at: int, value: int) -> Callable[[bytearray, Draw], bytes]:
    def change(contents: bytearray, draw: Draw) -> bytes:
        del draw
        contents[at] = value
        return bytes(contents)

    return change


def _half(at: int, *values: int) -> Callable[[bytearray, Draw], bytes]:
    def change(contents: bytearray, draw: Draw) -> bytes:
        struct.pack_into("<H", contents, at, draw.choice(values))
        return bytes(contents)

    return change


def _as_it_is(contents: bytearray, draw: Draw) -> bytes:
    del draw
    return bytes(contents)


def _more_in_file_than_in_memory(contents: bytearray, draw: Draw) -> bytes:
    at = EHDR_SIZE + _P_FILESZ
    filesz, memsz = struct.unpack_from("<II", contents, at)
    struct.pack_into("<II", contents, at, filesz, memsz - draw.between(1, 255))
    return bytes(contents)


def _not_congruent(contents: bytearray, draw: Draw) -> bytes:
    """Move the last loadable segment in the file, by less than a page."""
    (count,) = struct.unpack_from("<H", contents, _E_PHNUM)
    headers = [EHDR_SIZE + number * _PHDR for number in range(count)]
    at = max(each for each in headers if struct.unpack_from("<I", contents, each)[0] == PT_LOAD) + _P_OFFSET
    struct.pack_into("<I", contents, at, struct.unpack_from("<I", contents, at)[0] - draw.between(1, 0x40))
    return bytes(contents)


def _entry_in_the_kernel(contents: bytearray, draw: Draw) -> bytes:
    struct.pack_into("<I", contents, _E_ENTRY, 0xFFFF_E000 + draw.below(0x1000))
    return bytes(contents)


def _cut_in_headers(contents: bytearray, draw: Draw) -> bytes:
    return bytes(contents[: EHDR_SIZE + draw.between(1, _PHDR)])


def _words(contents: bytearray, draw: Draw) -> bytes:
    del contents
    return draw.choice((b"echo hello\n", b"#include <stdio.h>\n", b"A program is a cookbook.\n"))


def _empty(contents: bytearray, draw: Draw) -> bytes:
    del contents, draw
    return b""


def _script(contents: bytearray, draw: Draw) -> bytes:
    """Return a script whose interpreter is not there: a typing mistake, or a line end of another system."""
    del contents
    return draw.choice((b"#!/bin/shh\necho hello\n", b"#!/bin/sh\r\necho hello\r\n", b"#!/usr/lib/none\n"))


def _without_interpreter(contents: bytearray, draw: Draw) -> bytes:
    """Return a program that asks for an interpreter which is not there."""
    del contents
    name = draw.choice(("/lib/ld-linux.so.1", "/lib/none.so"))
    text = [Part(".interp", name.encode() + b"\0"), Part(".text", _EXIT + bytes(draw.between(0, 4000)))]
    image = Image(_FIRST_BASE, [Segment(PF_R | PF_X, text)], interpreter=name)
    image.place()
    image.entry = image.addresses[".text"]
    return image.build()


_LOADER_FLAWS: tuple[Callable[[bytearray, Draw], bytes], ...] = (
    _byte(1, ord("e")),
    _half(_E_MACHINE, 8, 40, 183),
    _half(_E_PHENTSIZE, 31, 40, 56),
    _half(_E_PHNUM, 0),
    _more_in_file_than_in_memory,
    _not_congruent,
    _byte(_EI_CLASS, 2),
)
_FLAWS: tuple[Callable[[bytearray, Draw], bytes], ...] = (
    _as_it_is,
    _byte(_EI_CLASS, 2),
    _byte(_EI_DATA, 2),
    _byte(_E_VERSION, 0),
    _byte(1, ord("e")),
    _half(_E_TYPE, 1, 4),
    _half(_E_MACHINE, 8, 40, 183),
    _half(_E_PHENTSIZE, 31, 40, 56),
    _half(_E_PHNUM, 0),
    _more_in_file_than_in_memory,
    _not_congruent,
    _entry_in_the_kernel,
    _cut_in_headers,
    _words,
    _empty,
    _script,
    _without_interpreter,
)
"""What matters to the kernel, and what does not."""
