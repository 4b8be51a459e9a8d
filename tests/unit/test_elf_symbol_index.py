"""Symbols by address, and by names nearly right: held against pyelftools, and files that claim anything."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from inspector.elf import symbol_index
from inspector.elf.file import ExecutableFile
from inspector.elf.symbol_index import SymbolIndex
from tests.elfwriter import Elf, Phdr, R, X, symbol_table_file

FIXTURES = sorted(Path(__file__).parents[2].glob("fixtures/build/hello*"))
TEXT, CODE_AT = 0x08048000, 0x200
_SYM = struct.Struct("<IIIBBH")
FUNC, LABEL, OBJECT, FILE = 2, 0, 1, 4
GLOBAL, LOCAL = 1 << 4, 0


def functions(path: Path) -> list[tuple[int, int, str]]:
    """Return (file offset, size, name) of each sized function, as pyelftools reads them."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        loads = [s.header for s in elf.iter_segments() if s.header.p_type == "PT_LOAD"]
        found = []
        for section in elf.iter_sections():
            if not isinstance(section, SymbolTableSection):
                continue
            for symbol in section.iter_symbols():
                at, kind = symbol["st_value"], symbol["st_info"]["type"]
                load = next((h for h in loads if 0 <= at - h.p_vaddr < h.p_filesz), None)
                defined = symbol["st_shndx"] not in ("SHN_UNDEF", "SHN_ABS")
                if kind in ("STT_FUNC", "STT_LOOS") and symbol["st_size"] and load is not None and defined:
                    found.append((at - load.p_vaddr + load.p_offset, symbol["st_size"], symbol.name))
        return found


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_every_function_of_a_fixture_names_its_instructions(path: Path) -> None:
    known = functions(path)
    by_place: dict[int, set[str]] = {}
    for at, _, name in known:
        by_place.setdefault(at, set()).add(name)
    source = random.Random(1)  # noqa: S311
    with ExecutableFile(str(path)) as file:
        names = SymbolIndex(file)
        for at, size, _ in known:
            assert names.place_in_file(at) in by_place[at]
            inside = source.randrange(size)
            name, _, distance = (names.place_in_file(at + inside) or "").partition("+")
            start = at + inside - int(distance or "0", 16)
            assert name in by_place[start]


def written(directory: Path, *symbols: tuple[str, int, int, int]) -> Path:
    """Return a program with the symbols (name, value, size, info)."""
    strings, entries = b"\0", b""
    for name, value, size, info in symbols:
        entries += _SYM.pack(len(strings), value, size, info, 0, 1)
        strings += name.encode() + b"\0"
    text = Phdr(offset=0, vaddr=TEXT, filesz=0x1000, flags=R | X)
    elf = Elf([text], entry=TEXT + CODE_AT)
    strings_at, entries_at, headers_at = 0x1000, 0x1000 + len(strings), 0x1000 + len(strings) + len(entries)
    header = struct.Struct("<IIIIIIIIII")
    elf.contents = {
        strings_at: strings,
        entries_at: entries,
        headers_at: bytes(40)
        + header.pack(0, 3, 0, 0, strings_at, len(strings), 0, 0, 1, 0)
        + header.pack(0, 2, 0, 0, entries_at, len(entries), 1, 0, 4, 16),
    }
    data = bytearray(elf.build())
    struct.pack_into("<I", data, 32, headers_at)
    struct.pack_into("<HHH", data, 46, 40, 3, 0)
    path = directory / "program"
    path.write_bytes(data)
    return path


def name_at(path: Path, offset: int) -> str | None:
    with ExecutableFile(str(path)) as file:
        return SymbolIndex(file).place_in_file(offset)


def at(offset: int) -> int:
    return TEXT + offset


@pytest.mark.parametrize(
    ("symbols", "offset", "name"),
    [
        ([("f", at(0x200), 16, GLOBAL | FUNC)], 0x200, "f"),
        ([("f", at(0x200), 16, GLOBAL | FUNC)], 0x20F, "f+0xf"),
        ([("f", at(0x200), 16, GLOBAL | FUNC)], 0x210, None),
        ([("f", at(0x200), 16, GLOBAL | FUNC)], 0x1FF, None),
        # A label inside a function is not where one is.
        ([("f", at(0x200), 16, FUNC), (".L3", at(0x208), 0, LABEL)], 0x209, "f+0x9"),
        ([("f", at(0x200), 4, FUNC), ("after", at(0x208), 0, LABEL)], 0x209, "after+0x1"),
        # Nor is one before a function that has ended.
        ([("before", at(0x1F0), 0, LABEL), ("f", at(0x200), 4, FUNC)], 0x209, None),
        # A function may lie inside another.
        ([("outer", at(0x200), 64, FUNC), ("inner", at(0x210), 4, FUNC)], 0x220, "outer+0x20"),
        ([("outer", at(0x200), 64, FUNC), ("inner", at(0x210), 4, FUNC)], 0x212, "inner+0x2"),
        # Of several names, the one that people use.
        ([("_IO_puts", at(0x200), 4, GLOBAL | FUNC), ("puts", at(0x200), 4, GLOBAL | FUNC)], 0x200, "puts"),
        ([("code", at(0x200), 4, GLOBAL | OBJECT), ("f", at(0x200), 4, LOCAL | FUNC)], 0x200, "f"),
        ([("a.c", at(0x200), 0, FILE)], 0x200, None),
        ([], 0x200, None),
    ],
)
def test_which_symbol(
    symbols: list[tuple[str, int, int, int]], offset: int, name: str | None, tmp_path: Path
) -> None:
    assert name_at(written(tmp_path, *symbols), offset) == name


def test_what_is_not_loaded_has_no_name(tmp_path: Path) -> None:
    assert name_at(written(tmp_path, ("f", at(0x200), 0x9000, FUNC)), 0x1800) is None


@pytest.mark.parametrize("damage", [b"", b"no ELF", b"\x7fELF" + b"\xff" * 200])
def test_a_file_that_is_no_program_has_no_names(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(damage)
    assert name_at(tmp_path / "file", 0) is None


def test_a_file_with_too_many_symbols_has_no_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, *[("f", at(0x200), 4, FUNC)] * 3)
    assert name_at(path, 0x200) == "f"
    monkeypatch.setattr(symbol_index, "_MOST_SYMBOLS", 2)
    assert name_at(path, 0x200) is None


def test_an_address_is_in_the_symbol_that_reaches_to_it(tmp_path: Path) -> None:
    index = SymbolIndex(symbol_table_file(tmp_path, {"main": 0x8049000, "after": 0x8049020}))
    found = index.at(0x804900F)
    assert found is not None
    assert found.place(0x804900F) == "main+0xf"
    assert found.place(0x8049000) == "main"
    assert index.at(0x8049010) is None
    assert index.at(0x8048FFF) is None


def test_outside_the_segments_a_label_is_only_where_it_starts(tmp_path: Path) -> None:
    index = SymbolIndex(symbol_table_file(tmp_path, {"_end": 0x8049000}, size=0))
    found = index.at(0x8049000)
    assert found is not None
    assert found.name == "_end"
    assert index.at(0x8049001) is None


def test_a_label_reaches_to_the_end_of_its_segment(tmp_path: Path) -> None:
    index = SymbolIndex(str(written(tmp_path, ("_start", at(0x200), 0, GLOBAL | LABEL))))
    found = index.at(at(0xFFF))
    assert found is not None
    assert found.place(at(0xFFF)) == "_start+0xdff"
    assert index.at(at(0x1000)) is None


def test_the_longest_name_is_cut(tmp_path: Path) -> None:
    path = written(tmp_path, ("f" * 5000, at(0x200), 4, FUNC))
    assert name_at(path, 0x200) == "f" * 4096
    assert SymbolIndex(str(path)).like("f" * 5000) == ["f" * 256]


def test_names_like_a_mistyped_one_are_found(tmp_path: Path) -> None:
    index = SymbolIndex(symbol_table_file(tmp_path, {"counter": 0x8050000, "main": 0x8049000}))
    assert index.like("cuonter") == ["counter"]
    assert index.like("\udcff" * 1000) == []


@pytest.mark.parametrize("contents", [b"", b"\x7fELF", b"\x7fELF" + b"\xff" * 100])
def test_a_file_without_symbols_has_none(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(contents)
    assert SymbolIndex(str(path)).at(0x8049000) is None
    assert SymbolIndex(str(tmp_path / "nowhere")).like("main") == []
