"""A file as named fields, and two files as the list of fields in which they differ.

A change is described by what it did to the bytes, never by what meant to do it, so that a description is
true of whatever made the mutant, and a mutant can be put together from some of its changes:

    apply(original, changes(original, mutant)) == mutant
"""

from __future__ import annotations

import dataclasses
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.elf.header import (
    ELF32,
    ELF64,
    ELF_MAGIC,
    EM_X86_64,
    PT_INTERP,
    ElfHeader,
    parse_program_headers,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inspector.elf.header import ElfClass

_BLOCK_BYTES = 4096
_LARGEST_NUMBER_BYTES = 4
_MOST_SHOWN_BYTES = 24


@dataclass(frozen=True, slots=True)
class Field:
    """A named stretch of a file, in bytes."""

    name: str
    offset: int
    size: int

    @property
    def end(self) -> int:
        """Offset of the first byte behind it."""
        return self.offset + self.size


@dataclass(frozen=True, slots=True)
class Change:
    """One field that is not as it was; `offset` None is the file's size, as 8 bytes."""

    name: str
    offset: int | None
    old: bytes
    new: bytes

    def __str__(self) -> str:
        """`phdr[2].p_memsz 0x1000 -> 0xffffffff`; bytes that are no number are shown as such."""
        return f"{self.name} {_shown(self.old, self.new)} -> {_shown(self.new, self.old)}"


def _shown(value: bytes, other: bytes) -> str:
    if not value:
        return "nothing"
    if len(value) == len(other) and (len(value) <= _LARGEST_NUMBER_BYTES or len(value) == _SIZE.size):
        return f"{int.from_bytes(value, 'little'):#x}"
    text = repr(value[:_MOST_SHOWN_BYTES])[1:]
    return text if len(value) <= _MOST_SHOWN_BYTES else f"{text}... ({len(value)} bytes)"


_SIZE = struct.Struct("<Q")

_IDENT = (
    ("EI_MAG", 4),
    *((name, 1) for name in ("EI_CLASS", "EI_DATA", "EI_VERSION", "EI_OSABI", "EI_ABIVERSION")),
    ("EI_PAD", 7),
)
_CODE_BYTES = {"H": 2, "I": 4, "Q": 8}
"""Of the format characters of an ElfClass's structures."""


def class_of(data: bytes) -> ElfClass:
    """Return by whose structures the kernel reads a file: e_machine decides, EI_CLASS is not looked at."""
    return ELF64 if ElfHeader.parse(data).machine == EM_X86_64 else ELF32


def header_fields(layout: ElfClass) -> tuple[Field, ...]:
    """Return the fields of the ELF header."""
    codes = layout.ehdr.format.removeprefix("<16s")
    names = [f"e_{field.name}" for field in dataclasses.fields(ElfHeader) if field.name != "ident"]
    rest = zip(names, map(_CODE_BYTES.__getitem__, codes), strict=True)
    return tuple(_in_a_row(0, (*_IDENT, *rest)))


def program_header_fields(number: int, offset: int, layout: ElfClass) -> tuple[Field, ...]:
    """Return the fields of the program header `number`, which begins at `offset`."""
    codes = layout.phdr.format.removeprefix("<")
    names = [f"phdr[{number}].p_{name}" for name in layout.phdr_fields]
    return tuple(_in_a_row(offset, zip(names, map(_CODE_BYTES.__getitem__, codes), strict=True)))


def _in_a_row(offset: int, named: Iterable[tuple[str, int]]) -> Iterator[Field]:
    for name, size in named:
        yield Field(name, offset, size)
        offset += size


def fields_of(data: bytes) -> tuple[Field, ...]:
    """Return the named fields of an ELF file in ascending order, none overlapping; none of other files."""
    layout = class_of(data)
    if data[:4] != ELF_MAGIC or len(data) < layout.ehdr.size:
        return ()
    header = ElfHeader.parse(data, layout)
    fields = list(header_fields(layout))
    table = data[header.phoff : header.phoff + header.phnum * layout.phdr.size]
    for number, segment in enumerate(parse_program_headers(table, layout)):
        fields += program_header_fields(number, header.phoff + number * layout.phdr.size, layout)
        if segment.type == PT_INTERP:
            fields.append(Field("interpreter", segment.offset, segment.filesz))
    return tuple(_apart(fields, len(data)))


def _apart(fields: Iterable[Field], size: int) -> Iterator[Field]:
    """Yield those that lie in the file, apart from each other."""
    end = 0
    for field in sorted(fields, key=lambda field: field.offset):
        if field.offset >= end and field.size and field.end <= size:
            yield field
            end = field.end


def changes(original: bytes, mutant: bytes) -> tuple[Change, ...]:
    """Return how `mutant` differs from `original`: its size first, then the rest in ascending order."""
    found = []
    if len(original) != len(mutant):
        found.append(Change("file size", None, _SIZE.pack(len(original)), _SIZE.pack(len(mutant))))
    fields = (_line(original, mutant),) if mutant[:2] == b"#!" else fields_of(original)
    position = 0
    for field in fields:
        found += _bytes(original, mutant, position, field.offset)
        # Of a field that the mutant's end cuts, the rest is told by the file's size.
        new = mutant[field.offset : field.end]
        old = original[field.offset : field.offset + len(new)]
        if old != new:
            found.append(Change(field.name, field.offset, old, new))
        position = field.end
    found += _bytes(original, mutant, position, len(mutant))
    return tuple(found)


def _line(original: bytes, mutant: bytes) -> Field:
    """Return the first line of a script as a field."""
    end = mutant.find(b"\n") + 1
    return Field("first line", 0, end if 0 < end <= len(original) else min(len(mutant), len(original)))


def _bytes(original: bytes, mutant: bytes, start: int, end: int) -> Iterator[Change]:
    """Yield each run of changed bytes from `start` to `end`; beyond its end, the original counts as zeros."""
    end = min(end, len(mutant))
    for block in range(start, end, _BLOCK_BYTES):
        upto = min(block + _BLOCK_BYTES, end)
        new = mutant[block:upto]
        old = original[block:upto]
        padded = old.ljust(upto - block, b"\0")
        if new == padded:
            continue
        differing = [at for at in range(len(new)) if new[at] != padded[at]]
        for first, last in _runs(differing):
            place = block + first
            yield Change(f"bytes at {place:#x}", place, old[first:last], new[first:last])


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Yield consecutive numbers as half-open ranges."""
    first = 0
    for index in range(1, len(numbers) + 1):
        if index == len(numbers) or numbers[index] != numbers[index - 1] + 1:
            yield numbers[first], numbers[index - 1] + 1
            first = index


def apply(original: bytes, wanted: Iterable[Change]) -> bytes:
    """Return `original` with some of a mutant's changes made to it; what lies beyond its end is left out."""
    wanted = tuple(wanted)
    size = next((_SIZE.unpack(change.new)[0] for change in wanted if change.offset is None), len(original))
    data = bytearray(original[:size].ljust(size, b"\0"))
    for change in wanted:
        if change.offset is not None:
            fitting = change.new[: max(0, size - change.offset)]
            data[change.offset : change.offset + len(fitting)] = fitting
    return bytes(data)
