"""The page cache, settled before a run: the files a program will map are in it, and none is read ahead.

Which pages of a file are mapped around a fault depends on the cache: an absent page is left out, and so is
the one that read-ahead has marked (mm/filemap.c:next_uptodate_folio()), until a fault of its own removes the
mark. Of a file that someone has read a moment ago, or no one for long, a program takes more faults than of
one that programs have mapped before; and of the first reading from a disk, major ones.

A program that is staged lies in memory. Its interpreter and its libraries do not.
"""

from __future__ import annotations

import mmap
import re
import subprocess
from contextlib import suppress
from pathlib import PurePath
from typing import TYPE_CHECKING

from inspector.elf.file import ExecutableFile
from inspector.elf.header import EHDR_SIZE, PHDR_SIZE, PT_INTERP, ElfHeader, parse_program_headers
from inspector.elf.script import executable_behind
from inspector.errors import CannotObserve

if TYPE_CHECKING:
    from inspector.model.program import Program

_CACHE_OF_LIBRARIES = "/etc/ld.so.cache"
"""What glibc's dynamic linker maps to find the libraries."""
_LINKERS = ("ld-", "ld.so")
"""How the names of the dynamic linkers begin that list what they would map (`--list`)."""
_LISTED = re.compile(r"^\t(?:.* => )?(/.*) \(0x[0-9a-f]+\)$", re.MULTILINE)
_LIST_SECONDS = 5.0
_PATH_MAX = 4096
LARGEST_READ_IN = 256 << 20
"""Bytes; of a larger file little will be mapped."""


def settle(program: Program) -> list[str]:
    """Read into the page cache, whole, what `program` will map as it starts: code, interpreter, libraries.

    Returns their paths. Raises nothing: what cannot be read or listed is left as it is, and the kernel has
    the last word on it.
    """
    paths = code_files(program)
    if len(paths) > 1:
        executable, interpreter = paths
        paths += _libraries(interpreter, executable, program)
    for path in paths:
        _read_in(path)
    return paths


def code_files(program: Program) -> list[str]:
    """Return what every start of `program` maps: the file whose code runs, and its interpreter, if any."""
    executable = executable_behind(program.path, program.cwd)
    interpreter = _interpreter(executable)
    return [executable] if interpreter is None else [executable, interpreter]


def _interpreter(path: str) -> str | None:
    """Return the path in PT_INTERP of the file at `path`; None if it has none, or cannot be read."""
    with suppress(OSError, CannotObserve), ExecutableFile(path) as file:
        header = ElfHeader.parse(file.read(0, EHDR_SIZE))
        for segment in parse_program_headers(file.read(header.phoff, header.phnum * PHDR_SIZE)):
            if segment.type == PT_INTERP:
                name = file.read(segment.offset, min(segment.filesz, _PATH_MAX)).partition(b"\0")[0]
                return name.decode(errors="surrogateescape") or None
    return None


def _libraries(interpreter: str, executable: str, program: Program) -> list[str]:
    """Return the files that the dynamic linker would map for `executable`, as it says itself.

    It maps and relocates them for this, and runs none of them. Another kind of interpreter is not asked.
    """
    name = PurePath(interpreter)
    if not name.is_absolute() or not name.name.startswith(_LINKERS):
        return []
    try:
        listing = subprocess.run(  # noqa: S603 - execve runs the same file in a moment
            [interpreter, "--list", executable],
            env=dict(each.split("=", 1) for each in program.envp if "=" in each),
            cwd=program.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIST_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return []
    text = listing.stdout.decode(errors="surrogateescape")
    return [_CACHE_OF_LIBRARIES, *_LISTED.findall(text)]


def _read_in(path: str) -> None:
    """Fault in every page of the file at `path`, which takes the marks of read-ahead away."""
    with suppress(OSError, ValueError, CannotObserve), ExecutableFile(path) as file:
        if file.size > LARGEST_READ_IN:
            return
        flags = mmap.MAP_PRIVATE | mmap.MAP_POPULATE
        mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ).close()
