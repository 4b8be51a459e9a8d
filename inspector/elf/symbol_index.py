"""The symbols of a file by address, and those whose names are like a mistyped one."""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from inspector.elf.file import ExecutableFile
from inspector.elf.symbol_tables import TablesTooLarge, symbol_tables
from inspector.errors import CannotObserve

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENTRY = struct.Struct("<IIIBBH")
"""Elf32_Sym: st_name, st_value, st_size, st_info, st_other, st_shndx."""
_SHN_UNDEF, _SHN_ABS = 0, 0xFFF1
_PLACED_TYPES = frozenset({0, 1, 2, 10})
"""STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_GNU_IFUNC: those whose value is an address."""
_LONGEST_NAME = 256
_MOST_COMPARED = 20_000
"""Names that one is compared with to find those like it: a moment's work."""


@dataclass(frozen=True, slots=True, order=True)
class Symbol:
    """A symbol that is somewhere."""

    address: int
    """In the file: a position-independent program's load bias is not added."""
    size: int
    name: str

    def place(self, address: int) -> str:
        """Return `main+0x12`, or `main` for its first address."""
        distance = address - self.address
        return f"{self.name}+{distance:#x}" if distance else self.name


class SymbolIndex:
    """The symbols of one file. A file that has none, damaged or too many has an empty index."""

    def __init__(self, path: str) -> None:
        """Read the symbol tables of `path`."""
        symbols: list[Symbol] = []
        with suppress(OSError, CannotObserve, TablesTooLarge), ExecutableFile(path) as file:
            symbols.extend(_symbols(file))
        self._symbols = sorted(symbols)
        self._addresses = [symbol.address for symbol in self._symbols]

    def at(self, address: int) -> Symbol | None:
        """Return the symbol that `address` is in; one without a size, as in assembly, only where it begins.

        Of several, that which begins last and is shortest.
        """
        end = bisect_right(self._addresses, address)
        nearest = None
        for symbol in reversed(self._symbols[max(end - _OVERLAPPING, 0) : end]):
            if address < symbol.address + max(symbol.size, 1) and (
                nearest is None or (symbol.address, -symbol.size) > (nearest.address, -nearest.size)
            ):
                nearest = symbol
        return nearest

    def like(self, name: str, most: int = 3) -> list[str]:
        """Return names close to `name`, the closest first."""
        names = list(dict.fromkeys(symbol.name for symbol in self._symbols))[:_MOST_COMPARED]
        return get_close_matches(name[:_LONGEST_NAME], names, n=most)


_OVERLAPPING = 64
"""How many symbols in front of an address are looked at: those that lie in a larger one are passed over."""


def _symbols(file: ExecutableFile) -> Iterator[Symbol]:
    for table in symbol_tables(file):
        for offset, value, size, info, _, section in _ENTRY.iter_unpack(table.entries):
            if section in (_SHN_UNDEF, _SHN_ABS) or info & 0xF not in _PLACED_TYPES or not value:
                continue
            name = table.strings[offset : offset + _LONGEST_NAME].partition(b"\0")[0]
            if name:
                yield Symbol(value, size, os.fsdecode(name))
