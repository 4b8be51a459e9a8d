"""A program that touches pages of its own in an order of chance, and then ends, or does what it must not."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from inspector.elf.header import PF_R, PF_W, PF_X
from inspector.lab.programs.image import HEADERS, Image, Part, Segment
from inspector.lab.variant import Variant
from inspector.model.address import PAGE_SIZE, page_down, page_up
from inspector.observe.tiny_elf import Assembler

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.lab.draw import Draw

PROGRAM = "prog"
_BASES = (0x0804_8000, 0x0805_0000, 0x0806_2000, 0x0840_0000, 0x0A00_0000)
_CODE_ROOM = 0x400
_BRK, _MMAP2 = 45, 192
_PROT_READ_WRITE, _MAP_PRIVATE_ANONYMOUS = 3, 0x22
_WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")


class Touches(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="generator", tag="touches"
):
    """A program of two or three segments; `touches` is how many times it reads or writes a page.

    With `heap` it enlarges its heap and writes to it, with `stack` it writes below its stack pointer, with
    `map` it maps anonymous memory. With `arguments` it is given some, drawn from a list.
    """

    touches: Annotated[int, Meta(ge=0, le=24)] = 6
    end: Literal["exit", "illegal"] = "exit"
    heap: bool = False
    stack: bool = False
    map: bool = False
    arguments: bool = False

    def gives(self) -> frozenset[str]:
        """Return what questions may be about."""
        return frozenset({"files", "sections", "entry", "data", "bss", "page-a", "page-b"})

    def make(self, draw: Draw) -> Variant:
        """Return the program of one student."""
        image = _image(draw.branch("layout"))
        image.place()
        touched = _Touched(image, draw.branch("touches"))
        code = self._code(image, touched, draw)
        _put_code(image, code, draw.branch("entry"))
        data = image.segments[-1]
        marks = {
            "entry": image.entry,
            "data": data.vaddr,
            "bss": data.vaddr + data.filesz,
            **touched.marks(),
        }
        arguments = tuple(_arguments(draw.branch("arguments"))) if self.arguments else ()
        return Variant(files={PROGRAM: image.build()}, program=PROGRAM, arguments=arguments, marks=marks)

    def _code(self, image: Image, touched: _Touched, draw: Draw) -> Callable[[Assembler], None]:
        def write(code: Assembler) -> None:
            order = draw.branch("order")
            for address, writes in touched.accesses(self.touches):
                (code.write_byte if writes else code.read_byte)(address)
            if self.stack:
                _write_below_stack(code, order.between(1, 60) * PAGE_SIZE)
            if self.map:
                size = order.between(1, 8) * PAGE_SIZE
                code.syscall(_MMAP2, 0, size, _PROT_READ_WRITE, _MAP_PRIVATE_ANONYMOUS, -1)
            if self.heap:
                _grow_heap(code, order.between(1, 12) * PAGE_SIZE)
            if self.end == "illegal":
                _break_rules(code, image, order)
            code.exit(0)

        return write


def _image(draw: Draw) -> Image:
    """Return an image of two or three segments, not yet placed; its code is a blank."""
    text_size = _CODE_ROOM + draw.between(0, 5 * PAGE_SIZE)
    key = bytes(draw.below(256) for _ in range(16))
    text = [
        Part(".note.lab", key),
        Part(".init", bytes(draw.between(1, 4) * 16)),
        Part(".text", bytes(text_size)),
        Part(".fini", bytes(draw.between(1, 4) * 16)),
    ]
    constants = [Part(".rodata", bytes(draw.between(16, 2 * PAGE_SIZE))), Part(".eh_frame", bytes(64))]
    data = [
        Part(".init_array", bytes(4)),
        Part(".data", bytes(draw.between(16, 3 * PAGE_SIZE))),
        Part(".bss", zeros=draw.between(1, 5 * PAGE_SIZE)),
    ]
    if draw.below(2):
        segments = [
            Segment(PF_R | PF_X, text),
            Segment(PF_R, constants, gap_pages=draw.below(2)),
            Segment(PF_R | PF_W, data, gap_pages=draw.below(3)),
        ]
    else:
        segments = [
            Segment(PF_R | PF_X, [*text, *constants]),
            Segment(PF_R | PF_W, data, gap_pages=draw.below(3)),
        ]
    return Image(draw.choice(_BASES), segments)


class _Touched:
    """Pages to touch, and in which order."""

    def __init__(self, image: Image, draw: Draw) -> None:
        self._draw = draw
        data, text = image.segments[-1], image.segments[0]
        writable = range(page_down(data.vaddr), page_up(data.end), PAGE_SIZE)
        readable = range(page_down(text.vaddr), page_up(text.end), PAGE_SIZE)
        self._places = [(page, True) for page in writable]
        self._places += [(page, False) for page in (*readable, *writable)]
        self._limits = {page: (max(page, data.vaddr), min(page + PAGE_SIZE, data.end)) for page in writable}
        self._limits |= {page: (page, min(page + PAGE_SIZE, text.end)) for page in readable}
        # Data and .bss may share their only page: then the code's last one is the other.
        asked = list(writable) if len(writable) > 1 else [*writable, readable[-1]]
        self._asked = [(page, bool(draw.below(2)) and page in writable) for page in draw.sample(asked, 2)]

    def marks(self) -> dict[str, int]:
        """Return the two pages that are asked about, in an order that tells nothing."""
        pages = sorted(page for page, _ in self._asked)
        return {"page-a": pages[0], "page-b": pages[1]}

    def accesses(self, count: int) -> list[tuple[int, bool]]:
        """Return addresses with whether they are written; both asked pages are among them."""
        draw = self._draw.branch("accesses")
        chosen = [draw.choice(self._places) for _ in range(max(0, count - len(self._asked)))]
        chosen += self._asked[:count]
        mixed = draw.sample(chosen, len(chosen))
        return [
            (draw.between(self._limits[page][0], self._limits[page][1] - 1), writes) for page, writes in mixed
        ]


def _put_code(image: Image, write: Callable[[Assembler], None], draw: Draw) -> None:
    """Put the code somewhere in .text, and the entry on its first instruction."""
    text = next(part for part in image.segments[0].parts if part.name == ".text")
    at = image.addresses[".text"] + draw.below((len(text.contents) - _CODE_ROOM) // 16 + 1) * 16
    code = Assembler(at - HEADERS)
    write(code)
    assert code.start == at  # noqa: S101 - what the assembler takes its room for headers to be
    assert len(code.code) <= _CODE_ROOM  # noqa: S101 - 24 touches of 5 bytes and the rest fit
    start = at - image.addresses[".text"]
    contents = text.contents[:start] + bytes(code.code) + text.contents[start + len(code.code) :]
    parts = image.segments[0].parts
    parts[parts.index(text)] = Part(".text", contents)
    image.entry = at


def _write_below_stack(code: Assembler, distance: int) -> None:
    code.code += b"\xc6\x84\x24" + struct.pack("<i", -distance) + b"\1"  # movb $1, -distance(%esp)


def _grow_heap(code: Assembler, size: int) -> None:
    """Move the break up by `size` bytes and write to the last of them."""
    code.syscall(_BRK, 0)
    code.code += b"\x89\xc3\x81\xc3" + struct.pack("<I", size)  # mov %eax, %ebx; add $size, %ebx
    code.code += b"\xb8" + struct.pack("<I", _BRK) + b"\xcd\x80"  # mov $45, %eax; int $0x80
    code.code += b"\xc6\x40\xff\1"  # movb $1, -1(%eax)


def _break_rules(code: Assembler, image: Image, draw: Draw) -> None:
    """Do something that a process is killed for."""
    text, data = image.segments[0], image.segments[-1]
    inside = text.vaddr + draw.below(text.filesz)
    beyond = page_up(data.end) + draw.between(1, 200) * PAGE_SIZE + draw.below(PAGE_SIZE)
    kind = draw.below(5)
    if kind == 0:
        code.write_byte(inside)
    elif kind == 1:
        code.read_byte(draw.below(PAGE_SIZE))
    elif kind == 2:  # noqa: PLR2004 - one of five
        code.code += (
            b"\xb8" + struct.pack("<I", data.vaddr + draw.below(data.filesz)) + b"\xff\xe0"
        )  # jmp *%eax
    elif kind == 3:  # noqa: PLR2004
        code.write_byte(beyond)
    else:
        code.read_byte(0xFFFF_F000 + draw.below(PAGE_SIZE))


def _arguments(draw: Draw) -> list[str]:
    return [draw.choice(_WORDS) * draw.between(1, 4) for _ in range(draw.between(1, 5))]
