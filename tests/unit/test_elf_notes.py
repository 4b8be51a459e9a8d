"""Notes, whatever they claim."""

from __future__ import annotations

import resource
import struct
from typing import TYPE_CHECKING

import pytest

from inspector.elf.file import ExecutableFile
from inspector.elf.header import PF_R, ProgramHeader
from inspector.elf.notes import MOST_NOTE_BYTES, PT_NOTE, Note, read_notes

if TYPE_CHECKING:
    from pathlib import Path


def note(owner: bytes, kind: int, description: bytes, *, size: int | None = None) -> bytes:
    name = owner + b"\0"
    head = struct.pack("<III", len(name), len(description) if size is None else size, kind)
    return (
        head
        + name.ljust(-(-len(name) // 4) * 4, b"\0")
        + description.ljust(-(-len(description) // 4) * 4, b"\0")
    )


def notes_of(path: Path, contents: bytes, *, offset: int = 64, filesz: int | None = None) -> tuple[Note, ...]:
    path.write_bytes(b"\0" * 64 + contents)
    size = len(contents) if filesz is None else filesz
    segment = ProgramHeader(PT_NOTE, offset, 0, 0, size, size, PF_R, 4)
    with ExecutableFile(str(path)) as file:
        return read_notes(file, (segment, segment))


BUILD_ID = note(b"GNU", 3, bytes(range(20)))


def test_notes_are_told_once_and_in_words(tmp_path: Path) -> None:
    contents = BUILD_ID + note(b"GNU", 1, struct.pack("<IIII", 0, 3, 2, 0)) + note(b"Go", 4, b"abc")
    assert notes_of(tmp_path / "file", contents) == (
        Note("GNU", "NT_GNU_BUILD_ID", bytes(range(20)).hex()),
        Note("GNU", "NT_GNU_ABI_TAG", "Linux 3.2.0"),
        Note("Go", "NT_GNU_GOLD_VERSION", "61 62 63"),
    )


@pytest.mark.parametrize(
    "contents",
    [
        note(b"GNU", 3, b"x" * 20, size=0xFFFF_FFF0),
        note(b"GNU", 1, b""),
        note(b"GNU", 5, b"\xff" * 7, size=7),
        note(b"\xff\xfe", 0x4649_4C45, b"\xff" * 40),
        struct.pack("<III", 0xFFFF_FFFF, 0, 1),
        b"\xff" * 100,
    ],
    ids=["endless", "no description", "cut property", "files", "endless name", "rubbish"],
)
def test_damaged_notes_end_their_segment(tmp_path: Path, contents: bytes) -> None:
    found = notes_of(tmp_path / "file", BUILD_ID + contents)
    assert found[0].kind == "NT_GNU_BUILD_ID"


def test_a_segment_that_claims_everything_is_read_as_far_as_a_limit(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = notes_of(tmp_path / "file", BUILD_ID * 10_000, filesz=0xFFFF_FFFF)
    assert found == (Note("GNU", "NT_GNU_BUILD_ID", bytes(range(20)).hex()),)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
    assert len(BUILD_ID) * 10_000 > MOST_NOTE_BYTES


def test_a_segment_behind_the_end_has_no_notes(tmp_path: Path) -> None:
    assert notes_of(tmp_path / "file", BUILD_ID, offset=1 << 31) == ()


def test_the_limit_is_one_for_all_segments(tmp_path: Path) -> None:
    count = MOST_NOTE_BYTES // len(BUILD_ID) // 2
    notes = [note(b"GNU", 3, struct.pack("<IIIII", each, 0, 0, 0, 0)) for each in range(3 * count)]
    path = tmp_path / "file"
    path.write_bytes(b"".join(notes))
    half = len(BUILD_ID) * count
    segments = [ProgramHeader(PT_NOTE, half * each, 0, 0, half, half, PF_R, 4) for each in range(3)]
    with ExecutableFile(str(path)) as file:
        assert 2 * count <= len(read_notes(file, segments)) < 2 * count + 2
