"""A file as named fields, and two files as the list of fields in which they differ.

A change is described by what it did to the bytes, never by what meant to do it, so that a description is
true of whatever made the mutant, and a mutant can be put together from some of its changes:

    apply(original, changes(original, mutant)) == mutant
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.elf.header import EHDR_SIZE, ELF_MAGIC, PHDR_SIZE, PT_INTERP, ElfHeader, parse_program_headers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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

_HEADER = (
    ("EI_MAG", 4),
    *((name, 1) for name in ("EI_CLASS", "EI_DATA", "EI_VERSION", "EI_OSABI", "EI_ABIVERSION")),
    ("EI_PAD", 7),
    *((name, 2) for name in ("e_type", "e_machine")),
    *((name, 4) for name in ("e_version", "e_entry", "e_phoff", "e_shoff", "e_flags")),
    *((name, 2) for name in ("e_ehsize", "e_phentsize", "e_phnum", "e_shentsize", "e_shnum", "e_shstrndx")),
)
PROGRAM_HEADER = ("p_type", "p_offset", "p_vaddr", "p_paddr", "p_filesz", "p_memsz", "p_flags", "p_align")


def header_fields() -> tuple[Field, ...]:
    """Return the fields of Elf32_Ehdr."""
    fields, offset = [], 0
    for name, size in _HEADER:
        fields.append(Field(name, offset, size))
        offset += size
    return tuple(fields)


def program_header_fields(number: int, offset: int) -> tuple[Field, ...]:
    """Return the fields of the program header `number`, which begins at `offset`."""
    return tuple(
        Field(f"phdr[{number}].{name}", offset + 4 * place, 4) for place, name in enumerate(PROGRAM_HEADER)
    )


def fields_of(data: bytes) -> tuple[Field, ...]:
    """Return the named fields of an ELF file in ascending order, none overlapping; none of other files."""
    if data[:4] != ELF_MAGIC or len(data) < EHDR_SIZE:
        return ()
    header = ElfHeader.parse(data)
    fields = list(header_fields())
    table = data[header.phoff : header.phoff + header.phnum * PHDR_SIZE]
    segments = parse_program_headers(table)
    for number, segment in enumerate(segments):
        fields += program_header_fields(number, header.phoff + number * PHDR_SIZE)
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
