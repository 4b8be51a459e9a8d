"""Mutants: a program with one to four things done to it that a kernel must have an answer to.

A mutant is a function of the program's bytes, a seed and a number alone, so that any can be made again.
Values are drawn from the neighbourhood of what decides: page boundaries, the ends of the address space, other
segments' ends. Half of the addresses keep their place in the page, for the kernel maps no other.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.elf import header as elf
from inspector.elf.header import ProgramHeader
from inspector.fuzz.fields import header_fields
from inspector.fuzz.image import Image
from inspector.fuzz.values import (
    ELF_TYPES,
    FLAGS,
    INTERPRETERS,
    MACHINES,
    TYPES,
    header_counts,
    script_line,
    values_of,
)
from inspector.model.address import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_MUTATIONS = 4
_MOST_ADDED_BYTES = 0x3000
_HOLE_BYTES = 1 << 20
"""Added at once, so that an offset far behind the program is in the file."""


def mutant(original: bytes, seed: int, number: int) -> bytes:
    """Return mutant `number` of `original`: a file that is not the same."""
    chance = random.Random(f"{seed}:{number}")  # noqa: S311 - to be made again, not to be unguessable
    mutation = _Mutation(original, chance)
    if chance.random() < 0.03:  # noqa: PLR2004 - few: most of what a script can be lies in one line
        mutation.become_script()
    else:
        for _ in range(chance.randint(1, _MOST_MUTATIONS)):
            mutation.one()
    while mutation.image.data == original:
        mutation.one()
    return bytes(mutation.image.data)


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Return `data` with one thing done to it, or as it is where that cannot be done to it."""
    mutation = _Mutation(data, chance)
    mutation.one()
    return bytes(mutation.image.data)


class _Mutation:
    """What is done to one file."""

    def __init__(self, original: bytes, chance: random.Random) -> None:
        self.chance = chance
        self.image = Image(original)
        self.values = values_of(self.image.layout)

    def one(self) -> None:
        """Do one thing to the file, or nothing where it has not what it takes."""
        self.chance.choices(_MUTATIONS, _WEIGHTS)[0](self)

    # --- anywhere ---------------------------------------------------------------------------------

    def flip_bits(self) -> None:
        """Flip one to three bits of the headers, or now and then of the rest."""
        for _ in range(self.chance.randint(1, 3)):
            place = self._place()
            if place is not None:
                self.image.data[place] ^= 1 << self.chance.randrange(8)

    def set_bytes(self) -> None:
        """Set up to four neighbouring bytes."""
        place = self._place()
        if place is not None:
            count = min(self.chance.randint(1, 4), len(self.image.data) - place)
            self.image.write(
                place, self.chance.choice((bytes(count), b"\xff" * count, self.chance.randbytes(count)))
            )

    def _place(self) -> int | None:
        size = len(self.image.data)
        end = size if self.chance.random() < 0.1 else min(self.image.table_end, size)  # noqa: PLR2004
        return self.chance.randrange(end) if end else None

    def resize(self) -> None:
        """Cut the file short, or add to it."""
        image, chance = self.image, self.chance
        now = len(image.data)
        edges = [image.table, image.table_end, image.layout.ehdr.size]
        for segment in image.segments:
            edges += (segment.offset, segment.offset + segment.filesz)
        size = chance.choice(
            (
                chance.choice(edges),
                chance.choice(edges) & -PAGE_SIZE,
                chance.randrange(now + 1),
                now + chance.randint(1, _MOST_ADDED_BYTES),
            )
        )
        size = max(0, min(size + chance.choice((0, 0, -1, 1)), now + _MOST_ADDED_BYTES))
        image.resize(now + _HOLE_BYTES if chance.random() < 0.1 else size)  # noqa: PLR2004

    # --- the ELF header ---------------------------------------------------------------------------

    def set_header_field(self) -> None:
        """Give a field of the ELF header another value."""
        fields = header_fields(self.image.layout)
        weights = [8 if field.name in _READ_BY_THE_KERNEL else 1 for field in fields]
        field = self.chance.choices(fields, weights)[0]
        match field.name:
            case "e_type":
                value = self.chance.choice(ELF_TYPES)
            case "e_machine":
                value = self.chance.choice(MACHINES)
            case "e_phentsize":
                value = self.chance.choice(self.values.header_sizes)
            case "e_phnum":
                value = self.chance.choice(header_counts(self.image.layout, len(self.image.segments)))
            case "e_entry" if self.chance.random() < 0.3:  # noqa: PLR2004
                value = self.chance.choice(self.values.ends)
            case _:
                value = self._address(0)
        self.image.store(field, value)

    # --- program headers --------------------------------------------------------------------------

    def set_segment_field(self) -> None:
        """Give a field of a program header another value."""
        number = self._some_segment()
        if number is None:
            return
        name = self.chance.choices(*zip(*_SEGMENT_WEIGHTS.items(), strict=True))[0]
        field = self.image.segment_field(number, name)
        match name:
            case "p_type":
                value = self.chance.choice(TYPES)
            case "p_flags":
                value = self.chance.choice(FLAGS)
            case "p_align":
                value = self.chance.choice(self.values.alignments)
            case _:
                value = self._address(self.image.load(field))
        self.image.store(field, value)

    def duplicate(self) -> None:
        """Put one program header in another's place."""
        target, source = self._some_segment(), self._some_segment()
        if target is not None and source is not None:
            self.image.put(target, self.image.segment(source))

    def swap(self) -> None:
        """Exchange two program headers."""
        one, other = self._some_segment(), self._some_segment()
        if one is not None and other is not None:
            first, second = self.image.segment(one), self.image.segment(other)
            self.image.put(one, second)
            self.image.put(other, first)

    def overlap(self) -> None:
        """Move a segment onto another, or right beside it."""
        moved, onto = self._some_load(), self._some_load()
        if moved is None or onto is None:
            return
        target = self.image.segment(onto)
        edge = self.chance.choice((target.vaddr, target.vaddr + target.filesz, target.vaddr + target.memsz))
        edge += self.chance.choice((-2, -1, 0, 0, 1, 2)) * PAGE_SIZE
        self.image.change(moved, vaddr=self._in_place(edge, self.image.segment(moved).vaddr))

    def place(self) -> None:
        """Put a few pages where the address space ends, or something of the kernel's lies."""
        number = self._some_segment()
        if number is None:
            return
        size = self.chance.choice((1, PAGE_SIZE, 2 * PAGE_SIZE, 5 * PAGE_SIZE, 0x2_1000))
        where = self.chance.choice(self.values.ends) - self.chance.randint(0, 3) * PAGE_SIZE
        self.image.change(
            number,
            type=elf.PT_LOAD,
            vaddr=self._in_place(where, self.image.segment(number).offset),
            filesz=self.chance.choice((size, size, 0, 1, size // 2)),
            memsz=size,
            flags=self.chance.choice((6, 6, 7, 4, 5, 0, 2)),
        )

    def stretch(self) -> None:
        """Give a segment another size."""
        number = self._some_load()
        if number is None:
            return
        old = self.image.segment(number)
        filesz = self.chance.choice(
            (0, 1, old.filesz // 2, old.filesz & -PAGE_SIZE, old.filesz + PAGE_SIZE, old.memsz)
        )
        memsz = self.chance.choice(
            (filesz, filesz + 1, filesz + PAGE_SIZE, old.memsz, old.memsz + 0x10000, filesz * 3)
        )
        self.image.change(number, filesz=filesz, memsz=memsz)

    def move_all(self) -> None:
        """Move every segment by the same distance, and the entry with them."""
        image = self.image
        lowest = min((segment.vaddr for segment in image.segments), default=0)
        distance = self.chance.choice(self.values.ends) - lowest & -PAGE_SIZE
        distance += self.chance.choice((0, 0, PAGE_SIZE, -PAGE_SIZE, -(self.chance.randrange(1 << 12) << 12)))
        for number in range(len(image.segments)):
            image.change(number, vaddr=image.segment(number).vaddr + distance)
        image.store(image.header_field("e_entry"), image.header.entry + distance)

    def add_segment(self) -> None:
        """Add a program header: the table, with one more, goes to the end of the file."""
        number = self._some_segment()
        if number is None:
            return
        source = self.image.segment(number)
        added = ProgramHeader(
            type=self.chance.choice((elf.PT_LOAD, source.type)),
            offset=source.offset & -PAGE_SIZE,
            vaddr=self._address(source.vaddr),
            paddr=source.paddr,
            filesz=self.chance.choice((0, 1, PAGE_SIZE, source.filesz)),
            memsz=self.chance.choice((0, PAGE_SIZE, 0x10000, source.memsz)),
            flags=self.chance.randrange(8),
            align=PAGE_SIZE,
        )
        self.image.extend_table([added], self.chance.randrange(len(self.image.segments) + 1))

    def multiply(self) -> None:
        """Add dozens of program headers, each a page or so above the last."""
        number = self._some_load()
        if number is None:
            return
        source = self.image.segment(number)
        count, step = self.chance.choice((10, 30, 60)), self.chance.choice((1, 1, 2, 3, -1)) * PAGE_SIZE
        start = self.chance.choice((source.vaddr, 0x2000_0000, self._address(source.vaddr)))
        ahead = self.chance.choice((0, step))
        flags = self.chance.choice(((6,), (4,), (6, 4), (6, 7), (5, 4), (2, 6)))
        filesz, memsz = self.chance.choice(
            ((PAGE_SIZE, PAGE_SIZE), (0, PAGE_SIZE), (1, 3 * PAGE_SIZE), (PAGE_SIZE // 2, PAGE_SIZE), (0, 1))
        )
        first = ProgramHeader(
            elf.PT_LOAD, source.offset, start, paddr=0, filesz=filesz, memsz=memsz, flags=0, align=PAGE_SIZE
        )
        added = [
            replace(
                first,
                offset=first.offset + turn * ahead,
                vaddr=self._in_place(start + turn * step, source.offset),
                flags=flags[turn % len(flags)],
            )
            for turn in range(count)
        ]
        self.image.extend_table(added, self.chance.randrange(len(self.image.segments) + 1))

    # --- the interpreter --------------------------------------------------------------------------

    def name_interpreter(self) -> None:
        """Have the program ask for another interpreter: in PT_INTERP's string, or a PT_INTERP of its own."""
        ends = (b"\0", b"\0", b"\0", b"", b"\n\0", b"x\0")
        name = self.chance.choice(INTERPRETERS) + self.chance.choice(ends)
        place = self.image.interpreter
        if place is not None and self.chance.random() < 0.7:  # noqa: PLR2004
            filled = name[: place.size].ljust(place.size, self.chance.choice((b"\0", b"x")))
            self.image.write(place.offset, filled)
            return
        number = self._some_segment()
        if number is not None:
            offset = len(self.image.data)
            self.image.data += name
            size = self.chance.choice((len(name),) * 4 + (0, 1, 2, 4096, 4097))
            self.image.change(number, type=elf.PT_INTERP, offset=offset, filesz=size)

    # --- scripts ----------------------------------------------------------------------------------

    def become_script(self) -> None:
        """Begin with an interpreter line; the rest of the file stays, is cut, or is all there was."""
        line = script_line(self.chance)
        self.image.data[: len(line)] = line
        if self.chance.random() < 0.7:  # noqa: PLR2004
            self.image.resize(len(line))

    # --- values -----------------------------------------------------------------------------------

    def _address(self, old: int) -> int:
        """Return an address, offset or size near one that matters."""
        near = [0, PAGE_SIZE, old, len(self.image.data), *self.values.ends]
        for segment in self.image.segments:
            near += (segment.vaddr, segment.vaddr + segment.memsz, segment.offset, segment.filesz)
        value = self.chance.choice(near) + self.chance.choice(
            (0, 0, 0, 1, -1, PAGE_SIZE, -PAGE_SIZE, 0x10000)
        )
        if self.chance.random() < 0.05:  # noqa: PLR2004
            value = self.chance.randrange(self.image.layout.word)
        keeps = self.chance.random() < 0.5  # noqa: PLR2004
        return self._in_place(value, old) if keeps else value & self.image.word

    def _in_place(self, value: int, old: int) -> int:
        """Return `value` with the place in its page that `old` has."""
        return (value & -PAGE_SIZE | old % PAGE_SIZE) & self.image.word

    def _some_segment(self) -> int | None:
        return self.chance.randrange(len(self.image.segments)) if self.image.segments else None

    def _some_load(self) -> int | None:
        loads = self.image.loads
        return self.chance.choice(loads) if loads else None


_READ_BY_THE_KERNEL = ("EI_MAG", "e_type", "e_machine", "e_entry", "e_phoff", "e_phentsize", "e_phnum")
_SEGMENT_WEIGHTS = {
    "p_type": 2,
    "p_offset": 4,
    "p_vaddr": 6,
    "p_paddr": 1,
    "p_filesz": 5,
    "p_memsz": 5,
    "p_flags": 3,
    "p_align": 2,
}
_WEIGHTED: dict[Callable[[_Mutation], None], int] = {
    _Mutation.set_segment_field: 40,
    _Mutation.set_header_field: 10,
    _Mutation.overlap: 8,
    _Mutation.place: 6,
    _Mutation.stretch: 8,
    _Mutation.move_all: 3,
    _Mutation.duplicate: 4,
    _Mutation.swap: 4,
    _Mutation.add_segment: 6,
    _Mutation.multiply: 2,
    _Mutation.name_interpreter: 5,
    _Mutation.flip_bits: 6,
    _Mutation.set_bytes: 3,
    _Mutation.resize: 5,
}
_MUTATIONS, _WEIGHTS = tuple(_WEIGHTED), tuple(_WEIGHTED.values())
