"""`inspector layout` at the command line: what it shows, and what it says of files that have no sections."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from inspector.elf.header import ElfHeader
from tests.elfwriter import Elf, Phdr
from tests.unit.layout.sectioned import ALLOC, PROGBITS, sectioned

IMAGE = sectioned([Phdr()], [(".text", PROGBITS, ALLOC, 0x08048100, 0x100, 0x10)])


def run(*words: object) -> subprocess.CompletedProcess[str]:
    inspector = Path(sys.executable).with_name("inspector")
    return subprocess.run([inspector, *map(str, words)], capture_output=True, text=True, check=False)


def file(directory: Path, contents: bytes) -> Path:
    path = directory / "program"
    path.write_bytes(contents)
    path.chmod(0o755)
    return path


def test_both_views_stand_beside_each_other(tmp_path: Path) -> None:
    done = run("layout", file(tmp_path, IMAGE))
    assert (done.returncode, done.stderr) == (0, "")
    row = next(line for line in done.stdout.splitlines() if line.lstrip().startswith(".text"))
    assert row.split() == [".text", "08048100", "0x10", "00", "r-x", "08048000-08049000", "r-xp", "1"]
    assert "00 LOAD r-x  .text" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_json_is_one_object(tmp_path: Path) -> None:
    document = json.loads(run("layout", "--json", "-", file(tmp_path, IMAGE)).stdout)
    assert (document["schema"], document["execve"]) == ("inspector.layout/1", "runs")
    assert document["savings"] == [{"segment": 0, "alone_pages": [1], "together_pages": 1, "saved_pages": 0}]


def test_what_does_not_run_has_no_execution_view(tmp_path: Path) -> None:
    done = run("layout", file(tmp_path, replace(ElfHeader.parse(IMAGE), type=1).pack() + IMAGE[52:]))
    assert done.returncode == 0
    assert "There is no execution view (execve: refused: ENOEXEC): nothing is mapped." in done.stdout
    assert "not mapped" in done.stdout


def test_sections_are_not_needed(tmp_path: Path) -> None:
    done = run("layout", file(tmp_path, Elf().build()))
    assert done.returncode == 0
    assert "It has no section headers: the kernel needs none." in done.stdout
    assert "08048000-08049000 r-xp" in done.stdout


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "not an ELF file"),
        (b"#!/bin/sh\n", "not an ELF file"),
        (Elf(machine=62).build(), "e_machine is 62"),
        (replace(ElfHeader.parse(IMAGE), shnum=9).pack() + IMAGE[52:], "claims 9 section headers"),
        (replace(ElfHeader.parse(IMAGE), shentsize=1).pack() + IMAGE[52:], "e_shentsize says 1"),
        (replace(ElfHeader.parse(IMAGE), shstrndx=77).pack() + IMAGE[52:], "section 77"),
    ],
)
def test_what_cannot_be_laid_out_is_one_line_and_a_hint(
    contents: bytes, message: str, tmp_path: Path
) -> None:
    done = run("layout", file(tmp_path, contents))
    assert (done.returncode, done.stdout) == (3, "")
    first, second = done.stderr.splitlines()
    assert message in first
    assert second.startswith("  ")


def test_a_script_names_whose_sections_there_may_be(tmp_path: Path) -> None:
    assert "inspector layout /bin/sh" in run("layout", file(tmp_path, b"#!/bin/sh\n")).stderr


def test_a_link_that_leads_nowhere_says_so(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("missing")
    done = run("layout", tmp_path / "link")
    assert (done.returncode, done.stderr.count("\n")) == (2, 2)
    assert "No such file or directory" in done.stderr
