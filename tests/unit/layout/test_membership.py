"""Which sections lie in which segments: binutils is the judge, of the fixtures and of files at random."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from inspector.elf.file import ExecutableFile
from inspector.elf.header import PT_LOAD, PT_TLS
from inspector.layout.views import ElfImage, read_image
from tests.elfwriter import Phdr
from tests.unit.layout.sectioned import ALLOC, NOBITS, PROGBITS, TLS, WRITE, readelf_mapping, sectioned

FIXTURES = sorted(Path(__file__).parents[3].glob("fixtures/build/*"))
PROGRAMS = [path for path in FIXTURES if path.suffix == ""]
SEGMENT_TYPES = (0, 1, 1, 1, 2, 3, 4, 6, 7, 0x6474E550, 0x6474E551, 0x6474E552, 0x6474E553, 0x6474E556, 99)

needs_readelf = pytest.mark.skipif(shutil.which("readelf") is None, reason="there is no readelf")


def image_of(path: Path) -> ElfImage:
    with ExecutableFile(str(path)) as file:
        return read_image(file)


def mapping(path: Path) -> list[list[str]]:
    return [[section.name for section in members] for members in image_of(path).members]


@needs_readelf
@pytest.mark.skipif(not PROGRAMS, reason="fixtures not built")
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_a_fixture_is_taken_apart_as_readelf_does(path: Path) -> None:
    assert any(mapping(path))
    assert mapping(path) == readelf_mapping(path)


@needs_readelf
@pytest.mark.parametrize("seed", range(60))
def test_a_file_at_random_is_taken_apart_as_readelf_does(seed: int, tmp_path: Path) -> None:
    """Small numbers, so that ends meet: empty sections, .tbss, empty segments, whatever lies at an edge."""
    source = random.Random(seed)  # noqa: S311 - can be repeated
    places = (0, 0x10, 0x20, 0x30, 0x40)
    sizes = (0, 0, 1, 0x10, 0x20)
    phdrs = [
        Phdr(
            type=source.choice(SEGMENT_TYPES),
            offset=source.choice(places),
            vaddr=source.choice(places),
            filesz=source.choice(sizes),
            memsz=source.choice(sizes),
        )
        for _ in range(15)
    ]
    sections = [
        (
            f".s{number}",
            source.choice((PROGBITS, PROGBITS, NOBITS, 7)),
            source.choice((0, ALLOC, ALLOC | WRITE, ALLOC | TLS, TLS)),
            source.choice(places),
            source.choice(places),
            source.choice(sizes),
        )
        for number in range(30)
    ]
    path = tmp_path / "random"
    path.write_bytes(sectioned(phdrs, sections))
    assert mapping(path) == readelf_mapping(path)


def test_zeros_of_thread_local_storage_lie_in_their_own_segment_alone(tmp_path: Path) -> None:
    """And what has their address in the PT_LOAD lies there."""
    path = tmp_path / "tls"
    path.write_bytes(
        sectioned(
            [Phdr(PT_LOAD, 0x100, 0x1100, 0x20, 0x40), Phdr(PT_TLS, 0x100, 0x1100, 0x10, 0x30)],
            [
                (".tdata", PROGBITS, ALLOC | WRITE | TLS, 0x1100, 0x100, 0x10),
                (".tbss", NOBITS, ALLOC | WRITE | TLS, 0x1110, 0x110, 0x20),
                (".data", PROGBITS, ALLOC | WRITE, 0x1110, 0x110, 0x10),
            ],
        )
    )
    assert mapping(path) == [[".tdata", ".data"], [".tdata", ".tbss"]]
