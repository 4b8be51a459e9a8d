"""What the bare-ptrace witness saw of a program at exec, and the building of the witness.

Shares nothing with `inspector.observe`: its own launcher in C, its own reading of maps and pagemap.
"""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspector.model.program import Program

SOURCE = Path(__file__).parent / "witness" / "stop_at_exec.c"
TRIES = 4

_MAPS_LINE = re.compile(
    rb"([0-9a-f]+)-([0-9a-f]+) (....) ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) (\d+) *([^\n]*)\n"
)
_VM_FLAGS = re.compile(rb"^VmFlags:(.*)$", re.MULTILINE)
_PAGE_FILE, _PAGE_EXCLUSIVE = 1 << 61, 1 << 56


class WitnessFailed(Exception):
    """The witness could not look."""


@dataclass(frozen=True)
class Area:
    """One line of maps, column by column."""

    start: int
    end: int
    perms: str
    offset: int
    device: tuple[int, int]
    inode: int
    name: str
    flags: str
    """Those of smaps' VmFlags that a prediction knows: `ac`, `gd`."""

    def __str__(self) -> str:
        major, minor = self.device
        columns = (
            f"{self.start:#x}-{self.end:#x} {self.perms} {self.offset:#x} {major:x}:{minor:x} {self.inode}"
        )
        return f"{columns} {self.name!r} {self.flags}"


@dataclass(frozen=True)
class Witnessed:
    """A program at the return of execve. Only `verdict` is set unless it is `runs`."""

    verdict: str
    """`runs`, `refused: ENOEXEC` or `killed: SIGSEGV`."""
    registers: dict[str, int]
    areas: tuple[Area, ...] = ()
    pages: tuple[tuple[int, str], ...] = ()
    """(address, kind) of each resident page."""
    minor_faults: int = 0
    major_faults: int = 0
    page_table_bytes: int = 0
    start_brk: int = 0
    auxv: tuple[tuple[int, int], ...] = ()
    stack: bytes = b""


def build_witness(directory: Path) -> Path:
    """Compile the witness into `directory`. Raises OSError or CalledProcessError."""
    witness = directory / "stop_at_exec"
    command = ["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", str(SOURCE), "-o", str(witness)]
    subprocess.run(command, check=True)
    return witness


def witness_exec(witness: Path, program: Program, *options: str) -> Witnessed:
    """Stop `program` at exec; `options` come last, so they overrule what the program says.

    A page read from disk for the first time is a major fault, every later time a minor one: the
    program is started until no fault is major.
    """
    seen = _look(witness, program, options)
    for _ in range(TRIES - 1):
        if not seen.major_faults:
            break
        seen = _look(witness, program, options)
    return seen


def _look(witness: Path, program: Program, options: tuple[str, ...]) -> Witnessed:
    command = [os.fspath(witness), "--personality", f"{program.personality.value:x}"]
    limit = program.limits.stack
    command += ["--stack-limit", "unlimited" if limit == (1 << 64) - 1 else str(limit), "--cwd", program.cwd]
    for variable in program.envp:
        command += ["--env", variable]
    command += [*options, "--", program.path, *program.argv]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if result.returncode:
        raise WitnessFailed(os.fsdecode(result.stderr))
    return parse(result.stdout)


def parse(text: bytes) -> Witnessed:
    """Return what the witness printed."""
    told = json.loads(text)
    if told["outcome"] == "refused":
        return Witnessed(f"refused: {errno.errorcode[told['errno']]}", {})
    if told["outcome"] == "killed":
        return Witnessed(f"killed: {signal.Signals(told['signal']).name}", {})
    areas = tuple(_areas(bytes.fromhex(told["maps"]), bytes.fromhex(told["smaps"])))
    return Witnessed(
        verdict=told["outcome"],
        registers=told["registers"],
        areas=areas,
        pages=tuple((address, _kind(address, entry, areas)) for address, entry in told["pages"]),
        minor_faults=told["minor_faults"],
        major_faults=told["major_faults"],
        page_table_bytes=told["page_table_kilobytes"] * 1024,
        start_brk=told["start_brk"],
        auxv=tuple(_auxv(bytes.fromhex(told["auxv"]))),
        stack=bytes.fromhex(told["stack"]),
    )


def _areas(maps: bytes, smaps: bytes) -> list[Area]:
    lines, flags = _MAPS_LINE.findall(maps), _VM_FLAGS.findall(smaps)
    if not len(lines) == len(flags) == maps.count(b"\n"):
        msg = f"maps has a line of another form: {maps!r}"
        raise WitnessFailed(msg)
    return [
        Area(
            start=int(start, 16),
            end=int(end, 16),
            perms=perms.decode(),
            offset=int(offset, 16),
            device=(int(major, 16), int(minor, 16)),
            inode=int(inode),
            name=os.fsdecode(name.replace(rb"\012", b"\n")),
            flags=" ".join(flag for flag in ("ac", "gd") if flag in words.decode().split()),
        )
        for (start, end, perms, offset, major, minor, inode, name), words in zip(lines, flags, strict=True)
    ]


def _kind(address: int, entry: int, areas: tuple[Area, ...]) -> str:
    """Name the kind of a resident page. The shared zero page is no one's own, yet no file's."""
    area = next(area for area in areas if area.start <= address < area.end)
    if entry & _PAGE_FILE:
        return "file" if area.inode else "special"
    return "anonymous" if entry & _PAGE_EXCLUSIVE else "zero"


def _auxv(contents: bytes) -> list[tuple[int, int]]:
    """Return the 32-bit entries before AT_NULL."""
    entries = list(struct.iter_unpack("<II", contents))
    return entries[: next(i for i, (kind, _) in enumerate(entries) if kind == 0)]
