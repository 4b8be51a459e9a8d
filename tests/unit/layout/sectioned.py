"""ELF files with section headers of any kind, and what readelf says of them."""

from __future__ import annotations

import os
import re
import struct
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.elf.header import ElfHeader
from tests.elfwriter import Elf, Phdr

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SHDR = struct.Struct("<IIIIIIIIII")
PROGBITS, STRTAB, NOBITS = 1, 3, 8
WRITE, ALLOC, EXECUTE, TLS = 1, 2, 4, 0x400

Fields = tuple[str, int, int, int, int, int]
"""Name, sh_type, sh_flags, sh_addr, sh_offset, sh_size."""


def sectioned(phdrs: Sequence[Phdr], sections: Sequence[Fields]) -> bytes:
    """Return an ELF file with these segments and sections; their names come last, in .shstrtab."""
    names = bytearray(b"\0")
    rows = [(0,) * 10]
    for name, kind, flags, address, offset, size in sections:
        rows.append((len(names), kind, flags, address, offset, size, 0, 0, 1, 0))
        names += name.encode() + b"\0"
    image = bytearray(Elf(list(phdrs)).build())
    rows.append((len(names), STRTAB, 0, 0, len(image), len(names) + 10, 0, 0, 1, 0))
    names += b".shstrtab\0"
    image += names
    header = replace(
        ElfHeader.parse(bytes(image)),
        shoff=len(image),
        shnum=len(rows),
        shstrndx=len(rows) - 1,
        shentsize=_SHDR.size,
    )
    image[: len(header.pack())] = header.pack()
    return bytes(image) + b"".join(_SHDR.pack(*row) for row in rows)


def readelf_mapping(path: Path) -> list[list[str]]:
    """Return the names of the sections in each segment, as binutils has them."""
    done = subprocess.run(
        ["readelf", "-lW", path],
        capture_output=True,
        encoding="utf-8",
        errors="replace",  # an interpreter may be anything
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    _, _, listing = done.stdout.partition("Section to Segment mapping:")
    return [line.split()[1:] for line in listing.splitlines() if re.match(r" +\d\d+ ", line)]
