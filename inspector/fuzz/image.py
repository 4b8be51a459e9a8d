"""A file in the making: bytes, and its headers by name, of either class.

What lies outside the file is neither read nor written, so that headers may point anywhere.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from inspector.elf import header as elf
from inspector.elf.header import ProgramHeader
from inspector.fuzz.fields import class_of, fields_of, header_fields, program_header_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.fuzz.fields import Field

_HALF = (1 << 32) - 1
_NARROW = ("type", "flags")
"""The fields of a program header that are no address."""


class Image:
    """The file. Its headers are found where the original has them, unless they were moved since."""

    def __init__(self, original: bytes) -> None:
        """Begin with `original`, whatever it is; what is no ELF file has no segments."""
        self.data = bytearray(original)
        self.layout = class_of(original)
        self.header = elf.ElfHeader.parse(original, self.layout)
        """The original's."""
        count = self.header.phnum if original[:4] == elf.ELF_MAGIC else 0
        table = original[self.header.phoff : self.header.phoff + count * self.layout.phdr.size]
        self.segments = elf.parse_program_headers(table, self.layout)
        """The original's."""
        self.table = self.header.phoff
        """Where the program headers are now."""
        self.interpreter = next((field for field in fields_of(original) if field.name == "interpreter"), None)

    @property
    def word(self) -> int:
        """The largest address."""
        return self.layout.word - 1

    @property
    def table_end(self) -> int:
        """Offset of the first byte behind the program headers."""
        return self.table + len(self.segments) * self.layout.phdr.size

    @property
    def loads(self) -> list[int]:
        """The numbers of the PT_LOADs."""
        return [number for number, segment in enumerate(self.segments) if segment.type == elf.PT_LOAD]

    def header_field(self, name: str) -> Field:
        """Return a field of the ELF header: `e_entry`."""
        return next(field for field in header_fields(self.layout) if field.name == name)

    def segment_field(self, number: int, name: str) -> Field:
        """Return a field of a program header: `p_vaddr`."""
        fields = program_header_fields(number, self._place(number), self.layout)
        return next(field for field in fields if field.name.endswith(f".{name}"))

    def load(self, field: Field) -> int:
        """Return the number in a field."""
        return int.from_bytes(self.data[field.offset : field.offset + field.size], "little")

    def store(self, field: Field, value: int) -> None:
        """Put a number into a field, reduced to its size."""
        self.write(field.offset, (value % (1 << 8 * field.size)).to_bytes(field.size, "little"))

    def segment(self, number: int) -> ProgramHeader:
        """Return a program header as it is now; what lies outside the file counts as zeros."""
        size = self.layout.phdr.size
        start = self._place(number)
        (found,) = elf.parse_program_headers(
            bytes(self.data[start : start + size]).ljust(size, b"\0"), self.layout
        )
        return found

    def put(self, number: int, header: ProgramHeader) -> None:
        """Put a program header in the place of the one with this number, its values reduced to their size."""
        self.write(self._place(number), self._packed(header))

    def change(self, number: int, **values: int) -> None:
        """Give some fields of a program header other values."""
        self.put(number, replace(self.segment(number), **values))

    def extend_table(self, added: Sequence[ProgramHeader], position: int) -> None:
        """Move the table to the end of the file, with headers added in front of the one at `position`."""
        table = self.data[self.table : self.table_end]
        if len(table) < len(self.segments) * self.layout.phdr.size:
            return
        self.data.extend(bytes(-len(self.data) % 8))
        where = len(self.data)
        cut = position * self.layout.phdr.size
        self.data += table[:cut] + b"".join(map(self._packed, added)) + table[cut:]
        self.table = where
        self.store(self.header_field("e_phoff"), where)
        self.store(self.header_field("e_phnum"), len(self.segments) + len(added))

    def resize(self, size: int) -> None:
        """Cut the file, or add zeros to it."""
        self.data[:] = self.data[:size].ljust(size, b"\0")

    def write(self, offset: int, contents: bytes) -> None:
        """Write what lies within the file."""
        fitting = contents[: max(0, len(self.data) - offset)]
        if fitting:
            self.data[offset : offset + len(fitting)] = fitting

    def _place(self, number: int) -> int:
        return self.table + number * self.layout.phdr.size

    def _packed(self, header: ProgramHeader) -> bytes:
        reduced = {
            name: value & (_HALF if name in _NARROW else self.word) for name, value in asdict(header).items()
        }
        return ProgramHeader(**reduced).pack(self.layout)
