"""Mutants: a program with one to four things done to it that a kernel must have an answer to.

A mutant is a function of the program's bytes, a seed and a number alone, so that any can be made again.
Values are drawn from the neighbourhood of what decides: page boundaries, the ends of the address space, other
segments' ends. Half of the addresses keep their place in the page, for the kernel maps no other.
"""

from __future__ import annotations

import enum
import random
import struct
from typing import TYPE_CHECKING

from inspector.elf import header as elf
from inspector.fuzz.fields import fields_of, header_fields, program_header_fields
from inspector.model.address import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inspector.elf.header import ProgramHeader
    from inspector.fuzz.fields import Field

_MOST_MUTATIONS = 4
_INTERPRETERS_SHARE = 1 / 8
_MOST_ADDED_BYTES = 0x3000
_WORD = 0xFFFF_FFFF

_ENDS = (
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
)
_TYPES = (
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
_INTERPRETERS = (
    b"/lib/ld-linux.so.2",
    b"/proc/self/fd/900",  # itself
    b"/proc/self/fd/901",  # the program that it is a mutant of
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


class Role(enum.Enum):
    """What a mutant is to the kernel."""

    PROGRAM = "program"
    INTERPRETER = "interpreter"
    """A sound program names it in its PT_INTERP."""


def role(seed: int, number: int) -> Role:
    """Return what mutant `number` is tried as, of whatever program it is made."""
    chance = random.Random(f"role:{seed}:{number}")  # noqa: S311 - as below
    return Role.INTERPRETER if chance.random() < _INTERPRETERS_SHARE else Role.PROGRAM


def mutant(original: bytes, seed: int, number: int) -> bytes:
    """Return mutant `number` of `original`."""
    chance = random.Random(f"{seed}:{number}")  # noqa: S311 - to be made again, not to be unguessable
    file = _File(original, chance)
    if chance.random() < 0.03:  # noqa: PLR2004 - few: most of what a script can be lies in one line
        file.become_script()
        return bytes(file.data)
    for _ in range(chance.randint(1, _MOST_MUTATIONS)):
        chance.choices(_MUTATIONS, _WEIGHTS)[0](file)
    return bytes(file.data)


class _File:
    """A file in the making."""

    def __init__(self, original: bytes, chance: random.Random) -> None:
        self.chance = chance
        self.data = bytearray(original)
        self.header = elf.ElfHeader.parse(original)
        table = original[self.header.phoff : self.header.phoff + self.header.phnum * elf.PHDR_SIZE]
        self.segments = elf.parse_program_headers(table) if original[:4] == elf.ELF_MAGIC else ()
        self.table = self.header.phoff
        """Where the program headers are now."""
        self.interpreter = next((field for field in fields_of(original) if field.name == "interpreter"), None)

    # --- anywhere ---------------------------------------------------------------------------------

    def flip_bits(self) -> None:
        """Flip one to three bits of the headers, or now and then of the rest."""
        for _ in range(self.chance.randint(1, 3)):
            place = self._place()
            if place is not None:
                self.data[place] ^= 1 << self.chance.randrange(8)

    def set_bytes(self) -> None:
        """Set up to four neighbouring bytes."""
        place = self._place()
        if place is not None:
            count = min(self.chance.randint(1, 4), len(self.data) - place)
            self.data[place : place + count] = self.chance.choice(
                (bytes(count), b"\xff" * count, self.chance.randbytes(count))
            )

    def _place(self) -> int | None:
        headers = self.table + len(self.segments) * elf.PHDR_SIZE
        end = len(self.data) if self.chance.random() < 0.1 else min(headers, len(self.data))  # noqa: PLR2004
        return self.chance.randrange(end) if end else None

    def resize(self) -> None:
        """Cut the file short, or add to it."""
        edges = [self.table, self.table + len(self.segments) * elf.PHDR_SIZE, elf.EHDR_SIZE]
        edges += [
            edge for segment in self.segments for edge in (segment.offset, segment.offset + segment.filesz)
        ]
        size = self.chance.choice(
            (
                self.chance.choice(edges),
                self.chance.choice(edges) & -PAGE_SIZE,
                self.chance.randrange(len(self.data) + 1),
                len(self.data) + self.chance.randint(1, _MOST_ADDED_BYTES),
            )
        )
        size = max(0, min(size + self.chance.choice((0, 0, -1, 1)), len(self.data) + _MOST_ADDED_BYTES))
        self.data[:] = self.data[:size].ljust(size, b"\0")

    # --- the ELF header ---------------------------------------------------------------------------

    def set_header_field(self) -> None:
        """Give a field of the ELF header another value."""
        field = self.chance.choices(_HEADER_FIELDS, _HEADER_WEIGHTS)[0]
        values = {
            "e_type": (0, 1, elf.ET_EXEC, elf.ET_DYN, elf.ET_EXEC, elf.ET_DYN, 4, 0xFF00),
            "e_machine": (0, elf.EM_386, elf.EM_486, 7, 8, 40, elf.EM_X86_64, 183),
            "e_phentsize": (0, 31, 32, 33, 56),
            "e_phnum": (0, 1, 2, len(self.segments) - 1, len(self.segments) + 1, 2047, 2048, 2049, 0xFFFF),
        }.get(field.name)
        if field.name == "e_entry" and self.chance.random() < 0.3:  # noqa: PLR2004
            values = _ENDS
        value = self._address(0) if values is None else self.chance.choice(values)
        self._store(field, value)

    # --- program headers --------------------------------------------------------------------------

    def set_segment_field(self) -> None:
        """Give a field of a program header another value."""
        number = self._some_segment()
        if number is None:
            return
        place = self.chance.choices(range(8), (2, 4, 6, 1, 5, 5, 3, 2))[0]
        field = program_header_fields(number, self.table + number * elf.PHDR_SIZE)[place]
        old = self._load(field)
        match field.name.partition(".")[2]:
            case "p_type":
                value = self.chance.choice(_TYPES)
            case "p_flags":
                value = self.chance.choice((*range(8), *range(8), _WORD, 1 << 31))
            case "p_align":
                value = self.chance.choice(
                    (0, 1, 2, 3, 16, 0x1000, 0x1001, 0x10000, 0x20_0000, 1 << 31, _WORD)
                )
            case _:
                value = self._address(old)
        self._store(field, value)

    def duplicate(self) -> None:
        """Put one program header in another's place."""
        target, source = self._some_segment(), self._some_segment()
        if target is not None and source is not None:
            self._put(target, self._header(source))

    def swap(self) -> None:
        """Exchange two program headers."""
        one, other = self._some_segment(), self._some_segment()
        if one is not None and other is not None:
            first, second = self._header(one), self._header(other)
            self._put(one, second)
            self._put(other, first)

    def overlap(self) -> None:
        """Move a segment onto another, or right beside it."""
        moved, onto = self._some_load(), self._some_load()
        if moved is None or onto is None:
            return
        target = self._segment(onto)
        edge = self.chance.choice((target.vaddr, target.vaddr + target.filesz, target.vaddr + target.memsz))
        edge += self.chance.choice((-2, -1, 0, 0, 1, 2)) * PAGE_SIZE
        self._change(moved, vaddr=self._in_place(edge, self._segment(moved).vaddr))

    def place(self) -> None:
        """Put a few pages where the address space ends, or something of the kernel's lies."""
        number = self._some_segment()
        if number is None:
            return
        size = self.chance.choice((1, PAGE_SIZE, 2 * PAGE_SIZE, 5 * PAGE_SIZE, 0x2_1000))
        where = self.chance.choice(_ENDS) - self.chance.randint(0, 3) * PAGE_SIZE
        segment = self._segment(number)
        self._change(
            number,
            type=elf.PT_LOAD,
            vaddr=self._in_place(where, segment.offset),
            filesz=self.chance.choice((size, size, 0, 1, size // 2)),
            memsz=size,
            flags=self.chance.choice((6, 6, 7, 4, 5, 0, 2)),
        )

    def stretch(self) -> None:
        """Give a segment another size."""
        number = self._some_load()
        if number is None:
            return
        segment = self._segment(number)
        filesz = self.chance.choice(
            (
                0,
                1,
                segment.filesz // 2,
                segment.filesz & -PAGE_SIZE,
                segment.filesz + PAGE_SIZE,
                segment.memsz,
            )
        )
        memsz = self.chance.choice(
            (filesz, filesz + 1, filesz + PAGE_SIZE, segment.memsz, segment.memsz + 0x10000, filesz * 3)
        )
        self._change(number, filesz=filesz, memsz=memsz)

    def move_all(self) -> None:
        """Move every segment by the same distance, and the entry with them."""
        distance = self.chance.choice(_ENDS) - min((s.vaddr for s in self.segments), default=0) & -PAGE_SIZE
        distance += self.chance.choice((0, 0, PAGE_SIZE, -PAGE_SIZE, -(self.chance.randrange(1 << 12) << 12)))
        for number in range(len(self.segments)):
            self._change(number, vaddr=self._segment(number).vaddr + distance & _WORD)
        self._store(_FIELD["e_entry"], self.header.entry + distance)

    def add_segment(self) -> None:
        """Add a program header: the table, with one more, goes to the end of the file."""
        source = self._some_segment()
        if source is not None:
            self._extend_table([self._new_header(self._segment(source))])

    def multiply(self) -> None:
        """Add dozens of program headers, each a page or so above the last."""
        number = self._some_load()
        if number is None:
            return
        source = self._segment(number)
        count, step = self.chance.choice((10, 30, 60)), self.chance.choice((1, 1, 2, 3, -1)) * PAGE_SIZE
        start = self.chance.choice((source.vaddr, 0x2000_0000, self._address(source.vaddr)))
        ahead = self.chance.choice((0, step))
        flags = self.chance.choice(((6,), (4,), (6, 4), (6, 7), (5, 4), (2, 6)))
        filesz, memsz = self.chance.choice(
            ((PAGE_SIZE, PAGE_SIZE), (0, PAGE_SIZE), (1, 3 * PAGE_SIZE), (PAGE_SIZE // 2, PAGE_SIZE), (0, 1))
        )
        self._extend_table(
            [
                struct.pack(
                    "<8I",
                    elf.PT_LOAD,
                    (source.offset + turn * ahead) & _WORD,
                    self._in_place(start + turn * step, source.offset),
                    0,
                    filesz,
                    memsz,
                    flags[turn % len(flags)],
                    PAGE_SIZE,
                )
                for turn in range(count)
            ]
        )

    def _new_header(self, source: ProgramHeader) -> bytes:
        kind = self.chance.choice((elf.PT_LOAD, source.type))
        return struct.pack(
            "<8I",
            kind,
            source.offset & -PAGE_SIZE,
            self._address(source.vaddr),
            source.paddr,
            self.chance.choice((0, 1, PAGE_SIZE, source.filesz)),
            self.chance.choice((0, PAGE_SIZE, 0x10000, source.memsz)),
            self.chance.randrange(8),
            PAGE_SIZE,
        )

    def _extend_table(self, added: Sequence[bytes]) -> None:
        """Move the table to the end of the file and put `added` somewhere between its headers."""
        count = len(self.segments)
        table = self.data[self.table : self.table + count * elf.PHDR_SIZE]
        if len(table) < count * elf.PHDR_SIZE:
            return
        self.data.extend(bytes(-len(self.data) % 4))
        where = len(self.data)
        position = self.chance.randrange(count + 1) * elf.PHDR_SIZE
        self.data += table[:position] + b"".join(added) + table[position:]
        self.table = where
        self._store(_FIELD["e_phoff"], where)
        self._store(_FIELD["e_phnum"], count + len(added))

    # --- the interpreter --------------------------------------------------------------------------

    def name_interpreter(self) -> None:
        """Have the program ask for another interpreter: in PT_INTERP's string, or a PT_INTERP of its own."""
        name = self.chance.choice(_INTERPRETERS) + self.chance.choice(
            (b"\0", b"\0", b"\0", b"", b"\n\0", b"x\0")
        )
        if self.interpreter is not None and self.chance.random() < 0.7:  # noqa: PLR2004
            room = self.interpreter.size
            self._write(self.interpreter.offset, name[:room].ljust(room, self.chance.choice((b"\0", b"x"))))
            return
        number = self._some_segment()
        if number is not None:
            offset = len(self.data)
            self.data += name
            size = self.chance.choice((len(name),) * 4 + (0, 1, 2, 4096, 4097))
            self._change(number, type=elf.PT_INTERP, offset=offset, filesz=size)

    # --- scripts ----------------------------------------------------------------------------------

    def become_script(self) -> None:
        """Begin with an interpreter line; the rest of the file stays, is cut, or is all there was."""
        interpreter = self.chance.choice(_INTERPRETERS)
        if self.chance.random() < 0.3:  # noqa: PLR2004
            long = _BUFFER_BYTES - 2 - len(interpreter) + self.chance.randint(-3, 3)
            interpreter = b"/" * max(0, long) + interpreter
        line = b"#!" + self.chance.choice(_BLANKS) + interpreter + self.chance.choice(_LINE_ENDS)
        if self.chance.random() < 0.2:  # noqa: PLR2004
            line += self.chance.choice((b"x", b" ", b"\0")) * self.chance.choice((200, 254, 300))
        self.data[: len(line)] = line
        if self.chance.random() < 0.7:  # noqa: PLR2004
            del self.data[len(line) :]

    # --- values -----------------------------------------------------------------------------------

    def _address(self, old: int) -> int:
        """Return an address, offset or size near one that matters."""
        near = [0, PAGE_SIZE, old, len(self.data), *_ENDS]
        for segment in self.segments:
            near += (segment.vaddr, segment.vaddr + segment.memsz, segment.offset, segment.filesz)
        value = self.chance.choice(near) + self.chance.choice(
            (0, 0, 0, 1, -1, PAGE_SIZE, -PAGE_SIZE, 0x10000)
        )
        if self.chance.random() < 0.05:  # noqa: PLR2004
            value = self.chance.randrange(1 << 32)
        return self._in_place(value, old) if self.chance.random() < 0.5 else value & _WORD  # noqa: PLR2004

    @staticmethod
    def _in_place(value: int, old: int) -> int:
        """Return `value` with the place in its page that `old` has."""
        return (value & -PAGE_SIZE | old % PAGE_SIZE) & _WORD

    def _some_segment(self) -> int | None:
        return self.chance.randrange(len(self.segments)) if self.segments else None

    def _some_load(self) -> int | None:
        loads = [number for number, segment in enumerate(self.segments) if segment.type == elf.PT_LOAD]
        return self.chance.choice(loads) if loads else None

    # --- bytes ------------------------------------------------------------------------------------

    def _header(self, number: int) -> bytes:
        start = self.table + number * elf.PHDR_SIZE
        return bytes(self.data[start : start + elf.PHDR_SIZE].ljust(elf.PHDR_SIZE, b"\0"))

    def _segment(self, number: int) -> ProgramHeader:
        return elf.parse_program_headers(self._header(number))[0]

    def _put(self, number: int, header: bytes) -> None:
        self._write(self.table + number * elf.PHDR_SIZE, header)

    def _change(self, number: int, **values: int) -> None:
        places = {
            field.name.partition(".p_")[2]: field for field in program_header_fields(number, self.table)
        }
        for name, value in values.items():
            field = places[name]
            self._write(field.offset + number * elf.PHDR_SIZE, struct.pack("<I", value & _WORD))

    def _load(self, field: Field) -> int:
        return int.from_bytes(self.data[field.offset : field.end], "little")

    def _store(self, field: Field, value: int) -> None:
        mask = (1 << 8 * field.size) - 1
        self._write(field.offset, (value & mask).to_bytes(field.size, "little"))

    def _write(self, offset: int, contents: bytes) -> None:
        """Write what lies within the file."""
        fitting = contents[: max(0, len(self.data) - offset)]
        self.data[offset : offset + len(fitting)] = fitting


_HEADER_FIELDS = header_fields()
_READ_BY_THE_KERNEL = ("EI_MAG", "e_type", "e_machine", "e_entry", "e_phoff", "e_phentsize", "e_phnum")
_HEADER_WEIGHTS = [8 if field.name in _READ_BY_THE_KERNEL else 1 for field in _HEADER_FIELDS]
_FIELD = {field.name: field for field in _HEADER_FIELDS}
_MUTATIONS: tuple[Callable[[_File], None], ...] = (
    _File.set_segment_field,
    _File.set_header_field,
    _File.overlap,
    _File.place,
    _File.stretch,
    _File.move_all,
    _File.duplicate,
    _File.swap,
    _File.add_segment,
    _File.multiply,
    _File.name_interpreter,
    _File.flip_bits,
    _File.set_bytes,
    _File.resize,
)
_WEIGHTS = (40, 10, 8, 6, 8, 3, 4, 4, 6, 2, 5, 6, 3, 5)
