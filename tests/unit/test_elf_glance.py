"""What a person would see at a path that does not run; the kernel's verdict is not asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from inspector.elf.glance import Glance, Kind, glance
from inspector.elf.header import EM_X86_64
from tests.elfwriter import Elf, Phdr

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "contents", "kind"),
    [
        ("a.c", b"int main;", Kind.C_SOURCE),
        ("a.c", b"\x00\x01", None),
        ("a.c", b"", None),
        ("a.txt", b"int main;", None),
        ("a.o", Elf(type=1, phnum=0).build(), Kind.OBJECT),
        ("a.o", Elf(type=1, machine=EM_X86_64, phnum=0).build(), Kind.OBJECT_64),
        ("a.c", Elf(machine=EM_X86_64).build(), Kind.PROGRAM_64),
        ("a", Elf(machine=40).build()[:60], None),
        ("a", Elf().build(), None),
        ("a", b"\x7fELF", None),
    ],
)
def test_a_file_is_what_its_first_bytes_and_its_name_tell(
    tmp_path: Path, name: str, contents: bytes, kind: Kind | None
) -> None:
    (tmp_path / name).write_bytes(contents)
    seen = glance(str(tmp_path / name))
    assert (seen.exists, seen.kind) == (True, kind)


@pytest.mark.parametrize("size", [60, 0x2FFF])
def test_a_program_that_was_cut_short_lacks_what_its_headers_speak_of(tmp_path: Path, size: int) -> None:
    whole = Elf([Phdr(), Phdr(offset=0x2000, vaddr=0x0804A000)]).build()
    (tmp_path / "a").write_bytes(whole[:size])
    seen = glance(str(tmp_path / "a"))
    assert (seen.kind, seen.size_bytes) == (Kind.CUT_SHORT, size)
    assert seen.needed_bytes == (0x3000 if size > 116 else 52 + 2 * 32)


def test_beside_a_path_that_leads_nowhere_the_nearest_names_are_found(tmp_path: Path) -> None:
    for name in ("hello", "hello_pie", "unlike"):
        (tmp_path / name).touch()
    assert glance(f"{tmp_path}/helo") == Glance(exists=False, similar=("hello", "hello_pie"))
    assert glance(f"{tmp_path}/qqq") == Glance(exists=False)


def test_a_name_alone_is_looked_for_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hello").touch()
    monkeypatch.chdir(tmp_path)
    assert glance("helo").similar == ("hello",)


@pytest.mark.parametrize("path", ["", "/", "/nonexistent/below", "a\0b", "x" * 5000, "/etc/passwd/below"])
def test_no_path_is_an_error(path: str) -> None:
    assert glance(path).kind is None


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.c")
    assert glance(str(tmp_path / "fifo.c")) == Glance(exists=True)
