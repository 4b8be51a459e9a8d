"""Symbols by address, and by names that are nearly right."""

from __future__ import annotations

from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from inspector.elf.symbol_index import SymbolIndex
from tests.elfwriter import symbol_table_file

HELLO = Path(__file__).parents[2] / "fixtures" / "build" / "hello"


def test_an_address_is_in_the_symbol_that_reaches_to_it(tmp_path: Path) -> None:
    index = SymbolIndex(symbol_table_file(tmp_path, {"main": 0x8049000, "after": 0x8049020}))
    found = index.at(0x804900F)
    assert found is not None
    assert found.place(0x804900F) == "main+0xf"
    assert found.place(0x8049000) == "main"
    assert index.at(0x8049010) is None
    assert index.at(0x8048FFF) is None


def test_a_symbol_without_a_size_is_where_it_begins(tmp_path: Path) -> None:
    index = SymbolIndex(symbol_table_file(tmp_path, {"_start": 0x8049000}, size=0))
    found = index.at(0x8049000)
    assert found is not None
    assert found.name == "_start"
    assert index.at(0x8049001) is None


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


@pytest.mark.skipif(not HELLO.exists(), reason="fixtures not built")
def test_functions_are_where_pyelftools_has_them() -> None:
    index = SymbolIndex(str(HELLO))
    with HELLO.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        functions = [
            symbol
            for symbol in table.iter_symbols()
            if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_size"] > 1
        ]
        assert len(functions) > 500
        for symbol in functions:
            found = index.at(symbol["st_value"] + 1)
            assert found is not None
            assert (found.address, found.size) == (symbol["st_value"], symbol["st_size"])
