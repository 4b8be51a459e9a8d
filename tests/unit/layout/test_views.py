"""Sections in segments in areas, and what merging them saves."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.elf.file import ExecutableFile
from inspector.elf.header import EM_X86_64, ElfHeader
from inspector.errors import InspectorError
from inspector.layout.document import layout_json
from inspector.layout.views import Views, image_of, read_image, views_of
from inspector.model.prediction import ExecVerdict, Outcome
from inspector.predict import predict
from tests.elfwriter import Elf, Phdr, R, W, X, gnu_stack
from tests.machines import PROFILE, write_program
from tests.unit.layout.sectioned import ALLOC, EXECUTE, NOBITS, PROGBITS, TLS, WRITE, sectioned

if TYPE_CHECKING:
    from pathlib import Path

BASE = 0x08048000
PHDRS = [
    Phdr(filesz=0x1804, flags=R | X),
    Phdr(offset=0x2800, vaddr=BASE + 0x3800, filesz=0x100, memsz=0x2900, flags=R | W),
    gnu_stack(),
]
SECTIONS = [
    (".init", PROGBITS, ALLOC | EXECUTE, BASE + 0x100, 0x100, 0x10),
    (".text", PROGBITS, ALLOC | EXECUTE, BASE + 0x110, 0x110, 0x16F4),
    (".tbss", NOBITS, ALLOC | WRITE | TLS, BASE + 0x3800, 0x2800, 0x1000),
    (".data", PROGBITS, ALLOC | WRITE, BASE + 0x3800, 0x2800, 0x100),
    (".bss", NOBITS, ALLOC | WRITE, BASE + 0x3900, 0x2900, 0x2800),
    (".comment", PROGBITS, 0, 0, 0x2900, 0x20),
]


def views(tmp_path: Path, image: bytes) -> Views:
    program = write_program(tmp_path, image)
    with ExecutableFile(program.path) as file:
        read = read_image(file)
    snapshots = predict(program, PROFILE, until="exec").snapshots
    return views_of(read, snapshots[0] if snapshots else None)


def test_every_section_is_in_its_area_or_nowhere(tmp_path: Path) -> None:
    seen = views(tmp_path, sectioned(PHDRS, SECTIONS))
    placed = {each.section.name: each for each in seen.placed}
    where = {name: (each.load, [vma.start for vma in each.vmas]) for name, each in placed.items()}
    data, bss = BASE + 0x3000, BASE + 0x4000
    assert where == {
        ".init": (0, [BASE]),
        ".text": (0, [BASE]),
        ".tbss": (None, []),
        ".data": (1, [data]),
        ".bss": (1, [data, bss]),
        ".comment": (None, []),
        ".shstrtab": (None, []),
    }
    assert [(vma.start, vma.perms) for vma in seen.own] == [(BASE, "r-xp"), (data, "rw-p"), (bss, "rw-p")]


def test_merging_saves_what_whole_pages_cost(tmp_path: Path) -> None:
    """.init 1 page and .text 2, together 2; .data 1 and .bss 3, together 4 for they begin inside a page."""
    seen = views(tmp_path, sectioned(PHDRS, SECTIONS))
    assert [(each.alone_pages, each.together_pages, each.saved_pages) for each in seen.savings] == [
        ((1, 2), 2, 1),
        ((1, 3), 4, 0),
    ]
    assert sum(vma.range.size_bytes for vma in seen.own) == 0x1000 * sum(
        each.together_pages for each in seen.savings
    )


def test_a_file_without_sections_has_an_execution_view(tmp_path: Path) -> None:
    seen = views(tmp_path, Elf().build())
    assert (seen.placed, [vma.start for vma in seen.own]) == ((), [BASE])
    assert [each.alone_pages for each in seen.savings] == [()]


def test_a_refused_file_has_a_link_view(tmp_path: Path) -> None:
    image = sectioned(PHDRS, SECTIONS)
    refused = replace(ElfHeader.parse(image), type=1).pack() + image[52:]
    seen = views(tmp_path, refused)
    assert (seen.vmas, seen.own) == (None, ())
    assert [each.section.name for each in seen.placed if each.load == 1] == [".data", ".bss"]


def test_the_document_says_the_same(tmp_path: Path) -> None:
    seen = views(tmp_path, sectioned(PHDRS, SECTIONS))
    document = json.loads(layout_json("p", ExecVerdict(Outcome.RUNS), seen))
    assert document["schema"] == "inspector.layout/1"
    assert [segment["sections"] for segment in document["segments"]] == [
        [".init", ".text"],
        [".data", ".bss"],
        [],
    ]
    bss = next(section for section in document["sections"] if section["name"] == ".bss")
    assert (bss["load"], bss["vmas"]) == (1, ["0x804b000", "0x804c000"])
    assert document["saved_pages"] == 1


def test_what_is_not_for_i386_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InspectorError, match="e_machine is 62"):
        views(tmp_path, Elf(machine=EM_X86_64).build())


def test_no_file_is_taken_apart_for_minutes(tmp_path: Path) -> None:
    seen = views(tmp_path, sectioned(PHDRS, SECTIONS)).image
    with pytest.raises(InspectorError, match="too many to be told apart"):
        image_of("p", seen.header, seen.segments * 1000, seen.sections * 1000)


@pytest.mark.parametrize("fields", [{"phnum": 2049}, {"phentsize": 56}])
def test_program_headers_that_no_kernel_reads_are_none(fields: dict[str, int], tmp_path: Path) -> None:
    image = sectioned(PHDRS, SECTIONS)
    header = replace(ElfHeader.parse(image), **fields)  # type: ignore[arg-type]
    seen = views(tmp_path, header.pack() + image[52:] + bytes(1 << 17))
    assert (seen.image.segments, seen.savings, seen.vmas) == ((), (), None)
    assert len(seen.placed) == len(SECTIONS) + 1
