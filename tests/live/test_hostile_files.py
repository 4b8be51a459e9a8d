"""Files made to hurt their reader, named on the command line: a verdict, in one line, with little memory."""

from __future__ import annotations

import os
import socket
import stat
import struct
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from inspector.elf.header import ElfHeader
from inspector.observe.doctor import can_check, examine
from inspector.observe.tiny_elf import Assembler
from tests.elfwriter import Elf, Phdr, gnu_stack
from tests.live.odd_programs import FIXED

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.live

MOST_KIBIBYTES = 300 << 10
GIB = 1 << 30
PAGE = 4096
_SHDR = struct.Struct("<IIIIIIIIII")
SYMTAB, STRTAB = 2, 3


@dataclass(frozen=True)
class Ran:
    """One run of the command: what it ended with, said, and took at its largest."""

    returncode: int
    stdout: str
    stderr: str
    resident_kib: int


# What a process had at its largest starts at what its parent has (fs/exec.c:exec_mmap()), and ours is pytest.
_MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
sys.stderr.write(f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}\\n")
sys.exit(code)
"""


def inspector(directory: Path, *arguments: str) -> Ran:
    """Run the command in `directory`, so that the names in its output are short ones."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, sys.executable, "-m", "inspector", *arguments],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    *said, resident = done.stderr.splitlines(keepends=True)
    return Ran(done.returncode, done.stdout, "".join(said), int(resident))


def ending() -> bytes:
    """Return code that ends a program with 0."""
    code = Assembler(0)
    code.exit(0)
    return bytes(code.code)


ENDING = Elf(contents={0x100: ending()})
"""A program that ends at once."""


def with_sections(table: bytes, count: int) -> bytes:
    """Return a program that ends at once, with `table` for its section headers."""
    image = bytearray(ENDING.build())
    header = replace(
        ElfHeader.parse(bytes(image)), shoff=len(image), shnum=count, shentsize=_SHDR.size, shstrndx=1
    )
    image[:52] = header.pack()
    return bytes(image) + table


def section(kind: int, size: int, link: int = 0) -> bytes:
    return _SHDR.pack(1, kind, 0, 0, 0, size, link, 0, 4, 16)


_OVERLAPPING = [
    Phdr(filesz=PAGE + number, memsz=2 * PAGE + number, flags=(5, 7, 4, 1)[number % 4])
    for number in range(2046)
]
_MORE_THAN_THERE_IS = 0xFFFFFFF0

RUN: dict[str, tuple[bytes, int | None]] = {
    "2,046 segments over each other, and one over them": (
        Elf(
            [*_OVERLAPPING, Phdr(offset=0x11000), gnu_stack()], size=0x20000, contents={0x11100: ending()}
        ).build(),
        None,
    ),
    "100 GB, nearly all of it a hole": (ENDING.build(), 100 * GIB),
    "1.8 GB of .bss": (
        replace(ENDING, phdrs=[Phdr(memsz=0x70000000, flags=7), gnu_stack()]).build(),
        None,
    ),
    "four billion sections": (with_sections(section(0, 0xFFFFFFFF), 0), 16 * GIB),
    "symbols of 4 GB": (
        with_sections(section(STRTAB, _MORE_THAN_THERE_IS) + section(SYMTAB, _MORE_THAN_THERE_IS), 2),
        16 * GIB,
    ),
    "65,535 symbol tables": (
        with_sections(section(STRTAB, 9999) + 65534 * section(SYMTAB, 9999), 0xFFFF),
        None,
    ),
}
"""Programs that run: contents, and a length that a hole fills."""

REFUSED: dict[str, tuple[bytes, int | None]] = {
    "65,535 program headers": (replace(FIXED, phnum=0xFFFF, size=1 << 22).contents(), None),
    "65,535 program headers in a hole": (Elf(phnum=0xFFFF).build(), 100 * GIB),
    "100 GB of another kind": (Elf(type=1).build(), 100 * GIB),
    "100 GB of text": (b"text\n", 100 * GIB),
}


@pytest.fixture(scope="module", autouse=True)
def _machine_can_check() -> None:
    checks = list(examine())
    if not can_check(checks):
        pytest.skip("; ".join(f"{check.name}: {check.detail}" for check in checks if check.ok is False))


def write(path: Path, contents: bytes, length: int | None) -> None:
    path.write_bytes(contents)
    path.chmod(0o755)
    if length is not None:
        try:
            os.truncate(path, length)
        except OSError as error:
            pytest.skip(f"no file of {length >> 30} GB here: {error.strerror}")


def has_one_line(ran: Ran, verdict: str) -> None:
    """Hold what was said of one program, and nothing went wrong with it, against its verdict."""
    assert ran.stderr == ""
    assert verdict in ran.stdout.splitlines()[0]
    assert "Traceback" not in ran.stdout
    assert ran.resident_kib < MOST_KIBIBYTES


@pytest.mark.parametrize("name", RUN)
def test_a_hostile_program_that_runs(tmp_path: Path, name: str) -> None:
    write(tmp_path / "program", *RUN[name])
    predicted = inspector(tmp_path, "predict", "program")
    assert predicted.returncode == 0
    has_one_line(predicted, "predicted: runs")
    checked = inspector(tmp_path, "check", "program")
    assert checked.returncode == 0, checked.stdout
    has_one_line(checked, "prediction and kernel agree")


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_that_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path / "file", *REFUSED[name])
    has_one_line(inspector(tmp_path, "predict", "file"), "predicted: does not run (refused: ENOEXEC)")
    checked = inspector(tmp_path, "check", "file")
    assert checked.returncode == 0
    has_one_line(checked, "agree that it does not run (refused: ENOEXEC)")


def test_a_stop_in_symbol_tables_too_large_to_be_searched(tmp_path: Path) -> None:
    write(tmp_path / "program", *RUN["symbols of 4 GB"])
    ran = inspector(tmp_path, "check", "--stop", "somewhere", "program")
    assert ran.returncode == 2
    assert ran.stdout == ""
    what, help_line = ran.stderr.splitlines()
    assert what == "inspector: program: its symbol tables are too large to be searched for 'somewhere'"
    assert help_line == "  give an address: 0x8049000"
    assert ran.resident_kib < MOST_KIBIBYTES


@pytest.mark.parametrize("name", ["hole", "/proc/self/pagemap", "fifo", "/dev/zero"])
@pytest.mark.parametrize(
    "command", [("compare",), ("check", "--list"), ("predict", "/bin/true", "--profile")]
)
def test_what_is_no_document_is_refused_in_one_line(
    tmp_path: Path, name: str, command: tuple[str, ...]
) -> None:
    write(tmp_path / "hole", b"{", 100 * GIB)
    os.mkfifo(tmp_path / "fifo")
    ran = inspector(tmp_path, *command, name, *([name] if command == ("compare",) else []))
    assert (ran.returncode, ran.stdout) == (2, "")
    what, help_line = ran.stderr.splitlines()
    assert name in what
    assert "larger than any document" in what or "not a regular file" in what
    assert help_line
    assert ran.resident_kib < MOST_KIBIBYTES


NAMED = (
    "/dev/zero", "/dev/full", "/dev/tty", "/dev/random", "/proc/self/pagemap", "/proc/self/mem",
    "/proc/self/maps", "/proc/kcore", "/proc/kmsg", "/proc/kpageflags", "/proc/1/root",
    "/sys/kernel/tracing/trace_pipe",
)  # fmt: skip
DEVICES = {"zeros": (stat.S_IFCHR, 1, 5), "disk": (stat.S_IFBLK, 7, 0)}


@pytest.fixture
def special(tmp_path: Path) -> list[str]:
    """Return names of what is no program, and how each is called from `tmp_path`."""
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    (tmp_path / "directory").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    for name, (kind, *number) in DEVICES.items():
        with suppress(OSError):  # in some containers no one may
            os.mknod(tmp_path / name, kind, os.makedev(*number))
    for path in tmp_path.iterdir():
        if not path.is_symlink():
            path.chmod(0o755)
    return [*(path.name for path in tmp_path.iterdir()), *NAMED]


@pytest.mark.parametrize("options", [(), ("--in-place", "--stop", "main")], ids=["staged", "in place"])
def test_what_is_no_program_gets_the_verdict_of_the_kernel_unread(
    tmp_path: Path, special: list[str], options: tuple[str, ...]
) -> None:
    checked = inspector(tmp_path, "check", *options, *special)
    assert (checked.returncode, checked.stderr) == (0, "")
    # What goes on below is the rule's sentence.
    lines = [line for line in checked.stdout.splitlines() if not line.startswith(" ")]
    assert [line.split()[1] for line in lines[: len(special)]] == special
    assert all("refused: E" in line for line in lines[: len(special)])
    assert lines[-1] == f"{len(special)} agree ({len(special)} do not run), 0 differ, 0 could not be observed"
    assert checked.resident_kib < MOST_KIBIBYTES
    predicted = inspector(tmp_path, "predict", *special)
    assert (predicted.returncode, predicted.stderr) == (0, "")
    assert predicted.stdout.count("refused: E") == len(special)
    assert predicted.resident_kib < MOST_KIBIBYTES
