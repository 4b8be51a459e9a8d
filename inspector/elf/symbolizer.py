"""The name of an instruction: the symbol that an address of a file lies in, `main+0x12`.

It is the last that starts at or before the address and is large enough to reach it; where there is none, the
last that starts there and states no size, as labels of assembly do. Of several that start together the one is
taken that people would: a function, one that linkers show to others, one without underscores in front.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from contextlib import suppress
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from inspector.elf.header import EHDR_SIZE, PF_X, PHDR_SIZE, PT_LOAD, ElfHeader, parse_program_headers
from inspector.elf.symbol_tables import TablesTooLarge, symbol_tables
from inspector.errors import CannotObserve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.elf.file import ExecutableFile
    from inspector.elf.header import ProgramHeader
    from inspector.elf.symbol_tables import SymbolTable

_ENTRY = struct.Struct("<IIIBBH")
"""Elf32_Sym: st_name, st_value, st_size, st_info, st_other, st_shndx."""
_STT_NOTYPE, _STT_OBJECT, _STT_FUNC, _STT_GNU_IFUNC = 0, 1, 2, 10
_FUNCTIONS = frozenset({_STT_FUNC, _STT_GNU_IFUNC})
_NAMED = _FUNCTIONS | {_STT_NOTYPE, _STT_OBJECT}
_STB_LOCAL = 0
_SHN_UNDEF, _SHN_ABS = 0, 0xFFF1
_NO_PLACE = frozenset({_SHN_UNDEF, _SHN_ABS})
_MOST_SYMBOLS = 1 << 18
"""A file with more has no names: to put them in order would take seconds."""

_MOST_LOOKED_AT = 64
"""Symbols that lie in each other, or start together: people write far fewer."""


class _Symbol(NamedTuple):
    """Sorts by value, and then from the least preferred to the most, but for its name."""

    value: int
    is_function: bool
    is_global: bool
    size: int
    name: int
    """Where its name begins, in the strings of `table`."""
    table: int


class Symbolizer:
    """The symbols of one file, by address."""

    def __init__(self, file: ExecutableFile) -> None:
        """Read them; what is no 32-bit ELF file, or has damaged or too large tables, has none."""
        self._strings: list[bytes] = []
        self._segments: tuple[ProgramHeader, ...] = ()
        symbols: list[_Symbol] = []
        with suppress(CannotObserve, TablesTooLarge, ValueError):
            self._segments = _code_first(file)
            tables = list(_tables(file))
            self._strings = [table.strings for table in tables]
            symbols = sorted(each for number, table in enumerate(tables) for each in _symbols(number, table))
        self._sized = [symbol for symbol in symbols if symbol.size]
        self._labels = [symbol for symbol in symbols if not symbol.size]
        self._reach = list(accumulate((each.value + each.size for each in self._sized), max))
        """How far the symbols up to each reach."""

    def name(self, offset: int) -> str | None:
        """Return the name of the instruction that is `offset` bytes into the file; None if it has none."""
        segment = next((s for s in self._segments if s.offset <= offset < s.offset + s.filesz), None)
        if segment is None:
            return None
        address = offset - segment.offset + segment.vaddr
        symbols, position = self._sized, _last(self._sized, address)
        nearest = symbols[position].value if position >= 0 else 0
        lowest = max(position - _MOST_LOOKED_AT, -1)
        while position > lowest and self._reach[position] > address:
            if symbols[position].value + symbols[position].size > address:
                break
            position -= 1
        else:
            symbols, position = self._labels, _last(self._labels, address)
            if position < 0 or symbols[position].value < max(nearest, segment.vaddr):
                return None
        distance = address - symbols[position].value
        return self._best_name(symbols, position) + (f"+{distance:#x}" if distance else "")

    def _best_name(self, symbols: Sequence[_Symbol], position: int) -> str:
        """Return the name of the symbol there, or of one as good that has fewer underscores in front."""
        near = symbols[max(position - _MOST_LOOKED_AT, 0) : position + 1]
        names = [self._name(symbol) for symbol in near if symbol[:4] == near[-1][:4]]
        return min(names, key=lambda name: (len(name) - len(name.lstrip("_")), name))

    def _name(self, symbol: _Symbol) -> str:
        strings = self._strings[symbol.table]
        name = strings[symbol.name : strings.find(b"\0", symbol.name)]
        return name.decode("utf-8", "backslashreplace")


def _last(symbols: Sequence[_Symbol], address: int) -> int:
    """Return the position of the last of `symbols` that starts at or before `address`; -1: none does."""
    return bisect_right(symbols, address, key=attrgetter("value")) - 1


def _code_first(file: ExecutableFile) -> tuple[ProgramHeader, ...]:
    """Return what is loaded of the file: where segments share a page of it, the code's comes first."""
    header = ElfHeader.parse(file.read(0, EHDR_SIZE))
    segments = parse_program_headers(file.read(header.phoff, header.phnum * PHDR_SIZE))
    loaded = [segment for segment in segments if segment.type == PT_LOAD]
    return tuple(sorted(loaded, key=lambda segment: not segment.flags & PF_X))


def _tables(file: ExecutableFile) -> Iterator[SymbolTable]:
    count = 0
    for table in symbol_tables(file):
        count += len(table.entries) // _ENTRY.size
        if count > _MOST_SYMBOLS:
            raise TablesTooLarge
        yield table


def _symbols(number: int, table: SymbolTable) -> Iterator[_Symbol]:
    """Yield those that have a place and a name, which ends inside the strings."""
    last_name = table.strings.rfind(b"\0")
    for name, value, size, info, _, section in _ENTRY.iter_unpack(table.entries):
        kind = info & 0xF
        if kind in _NAMED and section not in _NO_PLACE and 0 < name < last_name:
            is_global = info >> 4 != _STB_LOCAL
            yield _Symbol(value, kind in _FUNCTIONS, is_global, size, name, number)
