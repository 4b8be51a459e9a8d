"""A glance at a path that execve does not run: what a person would see of it at once. Nothing is judged here.

The kernel's verdict says why a file is refused; this says what the file is, for those who meant another.
"""

from __future__ import annotations

import enum
import os
import struct
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath

from inspector.elf.file import ExecutableFile
from inspector.elf.header import (
    EHDR_SIZE,
    ELF_MAGIC,
    EM_386,
    EM_486,
    EM_X86_64,
    PHDR_SIZE,
    ElfHeader,
    parse_program_headers,
)
from inspector.errors import CannotObserve

_ET_REL = 1
_MOST_NAMES = 10_000
"""In a folder of more, no name is looked for."""
_MOST_SIMILAR = 3
_TEXT_BYTES = 4096


class Kind(enum.Enum):
    """What a file is, as far as its first bytes and its name tell without doubt."""

    C_SOURCE = "C source"
    OBJECT = "object file"
    """ET_REL: what a compiler hands to the linker."""
    OBJECT_64 = "64-bit object file"
    PROGRAM_64 = "64-bit program"
    CUT_SHORT = "cut short"
    """An i386 program whose headers speak of more bytes than there are."""


@dataclass(frozen=True, slots=True)
class Glance:
    """What is at a path."""

    exists: bool
    similar: tuple[str, ...] = ()
    """Where nothing is: names in the same folder that come near, the nearest first."""
    kind: Kind | None = None
    """None: none of those, or it could not be read."""
    size_bytes: int = 0
    needed_bytes: int = 0
    """What the headers of an i386 program speak of, at least."""


def glance(path: str) -> Glance:
    """Look at `path`; what cannot be looked at is left out, and nothing is raised."""
    try:
        if not os.path.lexists(path):
            return Glance(exists=False, similar=_similar(path))
        with ExecutableFile(path) as file:
            return _at_file(path, file)
    except (OSError, ValueError, CannotObserve):
        return Glance(exists=True)


def _similar(path: str) -> tuple[str, ...]:
    """Return the names in the same folder that come near that of `path`."""
    from difflib import get_close_matches

    folder, name = os.path.split(path)
    try:
        with os.scandir(folder or ".") as entries:
            names = [entry.name for entry in islice(entries, _MOST_NAMES + 1)]
    except (OSError, ValueError):
        return ()
    if not name or len(names) > _MOST_NAMES:
        return ()
    return tuple(get_close_matches(name, sorted(names), n=_MOST_SIMILAR))


def _at_file(path: str, file: ExecutableFile) -> Glance:
    start = file.read(0, _TEXT_BYTES)
    if not start.startswith(ELF_MAGIC):
        is_source = PurePath(path).suffix == ".c" and start != b"" and b"\0" not in start
        return Glance(exists=True, kind=Kind.C_SOURCE if is_source else None)
    header = ElfHeader.parse(start)
    wide = header.machine == EM_X86_64
    if header.type == _ET_REL:
        return Glance(exists=True, kind=Kind.OBJECT_64 if wide else Kind.OBJECT)
    if wide:
        return Glance(exists=True, kind=Kind.PROGRAM_64)
    if header.machine not in (EM_386, EM_486):
        return Glance(exists=True)
    needed = _needed_bytes(header, file)
    kind = Kind.CUT_SHORT if needed > file.size else None
    return Glance(exists=True, kind=kind, size_bytes=file.size, needed_bytes=needed)


def _needed_bytes(header: ElfHeader, file: ExecutableFile) -> int:
    """Return how long the file must be to hold what its headers place in it."""
    ends = [EHDR_SIZE]
    if header.phnum:
        ends.append(header.phoff + header.phnum * PHDR_SIZE)
    if header.shoff:
        ends.append(header.shoff + header.shnum * header.shentsize)
    try:
        segments = parse_program_headers(file.read(header.phoff, header.phnum * PHDR_SIZE))
    except (OSError, OverflowError, struct.error):
        segments = ()
    return max(*ends, *(segment.offset + segment.filesz for segment in segments))


__all__ = ["Glance", "Kind", "glance"]
