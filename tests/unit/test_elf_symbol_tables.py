"""Symbols of files whose section headers claim anything: found where they are, and little is read."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from inspector.elf import symbol_tables as tables
from inspector.elf.file import ExecutableFile
from inspector.elf.header import ElfHeader
from inspector.elf.sections import SHT_DYNSYM, SHT_STRTAB, SHT_SYMTAB
from inspector.elf.stops import plan_stops
from inspector.elf.symbol_tables import TablesTooLarge, symbol_tables
from inspector.elf.symbols import find_symbol, resolve_stop
from inspector.errors import UnknownSymbol
from tests.elfwriter import Elf

if TYPE_CHECKING:
    from collections.abc import Sequence

FIXTURES = sorted(Path(__file__).parents[2].glob("fixtures/build/hello*"))
_SHDR = struct.Struct("<IIIIIIIIII")
_SYM = struct.Struct("<IIIBBH")
STRINGS_AT, SYMBOLS_AT, HEADERS_AT = 0x1000, 0x2000, 0x3000
STRINGS = b"\0main\0_start\0"
MAIN, START, UNDEFINED = (
    _SYM.pack(1, 0x08048100, 4, 0x12, 0, 1),
    _SYM.pack(6, 0x08048104, 0, 0x10, 0, 1),
    _SYM.pack(1, 0x1234, 0, 0x12, 0, 0),
)


@dataclass(frozen=True)
class Section:
    type: int
    offset: int
    size: int
    link: int = 0

    def pack(self) -> bytes:
        return _SHDR.pack(1, self.type, 0, 0, self.offset, self.size, self.link, 0, 4, 16)


NOTHING = Section(0, 0, 0)
NAMES = Section(SHT_STRTAB, STRINGS_AT, len(STRINGS))
TABLE = Section(SHT_SYMTAB, SYMBOLS_AT, 48, link=1)


def write(
    directory: Path,
    headers: Sequence[Section] = (NOTHING, NAMES, TABLE),
    *,
    count: int | None = None,
    size: int | None = None,
    shentsize: int = 40,
    symbols: bytes = UNDEFINED + MAIN + START,
) -> str:
    """Write a program with these section headers, that ends in a hole up to `size`; return its path."""
    contents = {STRINGS_AT: STRINGS, SYMBOLS_AT: symbols}
    image = bytearray(Elf(size=HEADERS_AT, contents=contents).build())
    image += b"".join(header.pack() for header in headers)
    header = replace(
        ElfHeader.parse(bytes(image)),
        shoff=HEADERS_AT,
        shnum=len(headers) if count is None else count,
        shentsize=shentsize,
    )
    image[:52] = header.pack()
    path = directory / "program"
    path.write_bytes(image)
    if size is not None:
        os.truncate(path, size)
    return str(path)


@pytest.mark.skipif(not FIXTURES, reason="the fixtures are not built")
def test_the_tables_are_those_that_another_reader_finds() -> None:
    for path in FIXTURES:
        with path.open("rb") as stream:
            theirs = [
                (section.data(), section.stringtable.data())
                for section in ELFFile(stream).iter_sections()
                if isinstance(section, SymbolTableSection)
            ]
        with ExecutableFile(str(path)) as file:
            ours = [(table.entries, table.strings) for table in symbol_tables(file)]
        assert ours == theirs, path


def test_a_symbol_is_found_by_its_name_if_it_is_defined(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert find_symbol(path, "main") == 0x08048100
    assert find_symbol(path, "_start") == resolve_stop(path, "_start") == 0x08048104
    # The tail of a name is a name, as linkers have it; its beginning is not.
    assert find_symbol(path, "ain") is None
    assert find_symbol(path, "mai") is None
    assert find_symbol(write(tmp_path, symbols=UNDEFINED.ljust(48, b"\0")), "main") is None


def test_a_damaged_table_is_passed_over_and_the_next_one_found(tmp_path: Path) -> None:
    dynamic = replace(TABLE, type=SHT_DYNSYM)
    for damaged in (
        replace(TABLE, link=99),
        replace(TABLE, link=0),
        replace(TABLE, offset=0xFFFFFF00, size=0xFFFFFFFF),
        replace(TABLE, size=0),
    ):
        assert find_symbol(write(tmp_path, [NOTHING, NAMES, damaged, dynamic]), "main") == 0x08048100
    # Cut short: the entries that are whole count.
    assert find_symbol(write(tmp_path, [NOTHING, NAMES, replace(TABLE, size=40)]), "main") == 0x08048100
    assert find_symbol(write(tmp_path, [NOTHING, NAMES, replace(TABLE, size=40)]), "_start") is None


def test_a_count_that_does_not_fit_stands_in_the_first_header(tmp_path: Path) -> None:
    first = replace(NOTHING, size=3)
    assert find_symbol(write(tmp_path, [first, NAMES, TABLE], count=0), "main") == 0x08048100


@pytest.mark.parametrize("entry", [0, 39, 64, 0xFFFF])
def test_headers_of_another_size_are_not_read(tmp_path: Path, entry: int) -> None:
    assert find_symbol(write(tmp_path, shentsize=entry), "main") is None


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the bytes of each read that is made, and each that is asked for."""
    sizes: list[int] = []
    honest = os.pread

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        sizes.append(size)
        return honest(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    return sizes


HOSTILE = {
    "four billion sections": ([replace(NOTHING, size=0xFFFFFFFF)], 0),
    "a table of 4 GiB": ([NOTHING, NAMES, replace(TABLE, size=0xFFFFFFF0)], None),
    "strings of 4 GiB": ([NOTHING, replace(NAMES, size=0xFFFFFFFF), TABLE], None),
    "65,533 tables of 4 KiB": ([NOTHING, NAMES, *[replace(TABLE, size=4096)] * 65533], None),
}


@pytest.mark.parametrize(("headers", "count"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_too_large_is_not_read_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, headers: list[Section], count: int | None
) -> None:
    path = write(tmp_path, headers, count=count, size=16 << 30)
    sizes = counted(monkeypatch)
    # The 65,533 tables are read one after the other, so the bound is their sum's.
    assert find_symbol(path, "nowhere") is None
    assert sum(sizes) < tables.LARGEST_TABLES + (4 << 20)
    with pytest.raises(UnknownSymbol, match="too large to be searched for 'nowhere'"):
        resolve_stop(path, "nowhere")
    assert plan_stops(path, ("0x8048100",), None).breakpoints["0x8048100"] == 0x08048100


def test_what_a_size_claims_beyond_the_file_is_not_even_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read makes room for all that it asks for, before it learns that there is less."""
    path = write(tmp_path, [NOTHING, replace(NAMES, size=0xFFFFFFFF), replace(TABLE, size=0xFFFFFFFF)])
    sizes = counted(monkeypatch)
    assert find_symbol(path, "main") == 0x08048100
    assert max(sizes) < 0x4000


def test_the_bound_is_the_sum_of_all_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, [NOTHING, NAMES, TABLE, TABLE])
    monkeypatch.setattr(tables, "LARGEST_TABLES", 2 * (48 + len(STRINGS)))
    with ExecutableFile(path) as file:
        assert len(list(symbol_tables(file))) == 2
    monkeypatch.setattr(tables, "LARGEST_TABLES", 2 * (48 + len(STRINGS)) - 1)
    with ExecutableFile(path) as file, pytest.raises(TablesTooLarge):
        list(symbol_tables(file))
