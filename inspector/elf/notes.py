"""Notes: what compiler and linker wrote down beside a program (PT_NOTE), read by pyelftools.

A note may claim any size, and pyelftools believes it. So it is given a little file of its own, made of one
header and the bytes of the segment, which it cannot leave.
"""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inspector.elf.header import EHDR_SIZE, PHDR_SIZE, new_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from elftools.construct.lib.container import Container

    from inspector.elf.file import ExecutableFile
    from inspector.elf.header import ProgramHeader

PT_NOTE = 4
MOST_NOTE_BYTES = 1 << 16
_MOST_SHOWN_BYTES = 16
_CONTENTS = EHDR_SIZE + PHDR_SIZE


@dataclass(frozen=True, slots=True)
class Note:
    """One note."""

    owner: str
    """Who defines what it means: GNU."""
    kind: str
    """Its type's name, such as NT_GNU_BUILD_ID, or its number."""
    text: str
    """What it says, for people."""


def read_notes(file: ExecutableFile, segments: Sequence[ProgramHeader]) -> tuple[Note, ...]:
    """Return the notes in the PT_NOTE segments of an i386 file, in their first MOST_NOTE_BYTES all together.

    Damaged notes end their segment. Each note is told once, though segments may overlap.
    """
    found: dict[Note, None] = {}
    left = MOST_NOTE_BYTES
    for segment in segments:
        if segment.type == PT_NOTE and left:
            contents = file.read(segment.offset, min(segment.filesz, left))
            found |= dict.fromkeys(_notes_in(segment, contents))
            left -= len(contents)
    return tuple(found)


def _notes_in(segment: ProgramHeader, contents: bytes) -> Iterator[Note]:
    # pyelftools takes longer to import than all else that most commands do.
    from elftools.common.exceptions import ELFError
    from elftools.construct import ConstructError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.segments import NoteSegment

    header = new_header(entry=0, phnum=1)
    alone = replace(segment, offset=_CONTENTS, filesz=len(contents), memsz=len(contents))
    with suppress(ELFError, ConstructError, ValueError, KeyError, UnicodeDecodeError):
        found = ELFFile(io.BytesIO(header.pack() + alone.pack() + contents)).get_segment(0)
        if isinstance(found, NoteSegment):
            for note in found.iter_notes():
                if len(note["n_descdata"]) < note["n_descsz"]:
                    return
                yield Note(str(note["n_name"] or ""), str(note["n_type"]), _text(note))


def _text(note: Container) -> str:
    description = note["n_desc"]
    match note["n_type"]:
        case "NT_GNU_BUILD_ID":
            return str(description)
        case "NT_GNU_ABI_TAG":
            system = str(description["abi_os"]).removeprefix("ELF_NOTE_OS_").capitalize()
            return f"{system} {description['abi_major']}.{description['abi_minor']}.{description['abi_tiny']}"
        case "NT_GNU_PROPERTY_TYPE_0":
            return ", ".join(str(each["pr_type"]).removeprefix("GNU_PROPERTY_") for each in description)
    data: bytes = note["n_descdata"]
    return data[:_MOST_SHOWN_BYTES].hex(" ") + ("..." if len(data) > _MOST_SHOWN_BYTES else "")
