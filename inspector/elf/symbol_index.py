"""The symbols of a file by address, `main+0x12`, and those whose names are like a mistyped one.

An address lies in the last symbol that starts at or before it and is large enough to reach it; where there
is none, in the last that starts there and states no size, as labels of assembly do. Of several that start
together the one is taken that people would: a function, one that linkers show to others, one without
underscores in front.
"""

from __future__ import annotations

from bisect import bisect_right
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from inspector.elf.file import ExecutableFile
from inspector.elf.header import EHDR_SIZE, PF_X, PHDR_SIZE, PT_LOAD, ElfHeader, parse_program_headers
from inspector.elf.symbol_tables import SHN_ABS, SHN_UNDEF, SYM, TablesTooLarge, symbol_tables
from inspector.errors import CannotObserve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.elf.header import ProgramHeader
    from inspector.elf.symbol_tables import SymbolTable

_STT_NOTYPE, _STT_OBJECT, _STT_FUNC, _STT_GNU_IFUNC = 0, 1, 2, 10
_FUNCTIONS = frozenset({_STT_FUNC, _STT_GNU_IFUNC})
_NAMED = _FUNCTIONS | {_STT_NOTYPE, _STT_OBJECT}
"""Those whose value is an address."""
_STB_LOCAL = 0
_NO_PLACE = frozenset({SHN_UNDEF, SHN_ABS})
_MOST_SYMBOLS = 1 << 18
"""A file with more has no names: to put them in order would take seconds."""

_MOST_LOOKED_AT = 64
"""Symbols that lie in each other, or start together: people write far fewer."""

_LONGEST_NAME = 4096
"""Bytes; a longer name is cut."""

_LONGEST_LIKE = 256
_MOST_COMPARED = 20_000
"""Names that one is compared with to find those like it, and their length: a moment's work."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol that is somewhere."""

    address: int
    """In the file: a position-independent program's load bias is not added."""
    size: int
    """0: the file does not tell."""
    name: str

    def place(self, address: int) -> str:
        """Return `main+0x12`, or `main` for its first address."""
        distance = address - self.address
        return f"{self.name}+{distance:#x}" if distance else self.name


class _Entry(NamedTuple):
    """Sorts by value, and then from the least preferred to the most, but for its name."""

    value: int
    is_function: bool
    is_global: bool
    size: int
    name: int
    """Where its name begins, in the strings of `table`."""
    table: int


class SymbolIndex:
    """The symbols of one 32-bit ELF file: none if it is no such file, or its tables are too large."""

    def __init__(self, file: ExecutableFile | str) -> None:
        """Read the symbol tables of an open file, or of the one at a path; it is not kept."""
        self._strings: list[bytes] = []
        self._segments: tuple[ProgramHeader, ...] = ()
        entries: list[_Entry] = []
        with (
            suppress(OSError, CannotObserve, TablesTooLarge, ValueError),
            ExecutableFile(file) if isinstance(file, str) else nullcontext(file) as opened,
        ):
            tables = list(_tables(opened))
            self._strings = [table.strings for table in tables]
            entries = sorted(each for number, table in enumerate(tables) for each in _entries(number, table))
            self._segments = _code_first(opened)
        self._sized = [entry for entry in entries if entry.size]
        self._labels = [entry for entry in entries if not entry.size]
        self._reach = list(accumulate((each.value + each.size for each in self._sized), max))
        """How far the symbols up to each reach."""

    def at(self, address: int) -> Symbol | None:
        """Return the symbol that `address` of the file lies in.

        A label reaches no farther than its segment: outside of all, such as `_end`, it is where it starts.
        """
        inside = (s.vaddr for s in self._segments if s.vaddr <= address < s.vaddr + s.memsz)
        return self._find(address, next(inside, address))

    def place_in_file(self, offset: int) -> str | None:
        """Return `main+0x12` for the instruction `offset` bytes into the file; None if it has no name."""
        for segment in self._segments:
            if segment.offset <= offset < segment.offset + segment.filesz:
                address = offset - segment.offset + segment.vaddr
                symbol = self._find(address, segment.vaddr)
                return None if symbol is None else symbol.place(address)
        return None

    def like(self, name: str, most: int = 3) -> list[str]:
        """Return names close to `name`, the closest first."""
        from difflib import get_close_matches

        names = (self._name(entry, _LONGEST_LIKE) for entry in self._sized + self._labels)
        known = list(dict.fromkeys(names))[:_MOST_COMPARED]
        return get_close_matches(name[:_LONGEST_LIKE], known, n=most)

    def _find(self, address: int, lowest_label: int) -> Symbol | None:
        position = _last(self._sized, address)
        nearest = self._sized[position].value if position >= 0 else 0
        lowest = max(position - _MOST_LOOKED_AT, -1)
        while position > lowest and self._reach[position] > address:
            if self._sized[position].value + self._sized[position].size > address:
                return self._best(self._sized, position)
            position -= 1
        position = _last(self._labels, address)
        if position < 0 or self._labels[position].value < max(nearest, lowest_label):
            return None
        return self._best(self._labels, position)

    def _best(self, entries: Sequence[_Entry], position: int) -> Symbol:
        """Return the symbol there, by the name of one as good that has fewer underscores in front."""
        near = entries[max(position - _MOST_LOOKED_AT, 0) : position + 1]
        names = [self._name(entry) for entry in near if entry[:4] == near[-1][:4]]
        name = min(names, key=lambda name: (len(name) - len(name.lstrip("_")), name))
        return Symbol(near[-1].value, near[-1].size, name)

    def _name(self, entry: _Entry, longest: int = _LONGEST_NAME) -> str:
        name = self._strings[entry.table][entry.name : entry.name + longest].partition(b"\0")[0]
        return name.decode("utf-8", "backslashreplace")


def _last(entries: Sequence[_Entry], address: int) -> int:
    """Return the position of the last of `entries` that starts at or before `address`; -1: none does."""
    return bisect_right(entries, address, key=attrgetter("value")) - 1


def _code_first(file: ExecutableFile) -> tuple[ProgramHeader, ...]:
    """Return what is loaded of the file: where segments share a page of it, the code's comes first."""
    header = ElfHeader.parse(file.read(0, EHDR_SIZE))
    segments = parse_program_headers(file.read(header.phoff, header.phnum * PHDR_SIZE))
    loaded = [segment for segment in segments if segment.type == PT_LOAD]
    return tuple(sorted(loaded, key=lambda segment: not segment.flags & PF_X))


def _tables(file: ExecutableFile) -> Iterator[SymbolTable]:
    count = 0
    for table in symbol_tables(file):
        count += len(table.entries) // SYM.size
        if count > _MOST_SYMBOLS:
            raise TablesTooLarge
        yield table


def _entries(number: int, table: SymbolTable) -> Iterator[_Entry]:
    """Yield those that have a place and a name, which ends inside the strings."""
    last_name = table.strings.rfind(b"\0")
    for name, value, size, info, _, section in SYM.iter_unpack(table.entries):
        kind = info & 0xF
        if kind in _NAMED and section not in _NO_PLACE and 0 < name < last_name:
            is_global = info >> 4 != _STB_LOCAL
            yield _Entry(value, kind in _FUNCTIONS, is_global, size, name, number)
