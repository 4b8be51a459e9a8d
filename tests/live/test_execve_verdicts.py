"""What execve says to any file at all: named cases, each predicted with its rule, and asked of the kernel.

Where the program runs, the witness at its exec is held against the prediction to the last byte. More on
scripts is in test_scripts.py, on 64-bit files in test_64_bit_files.py, on other users' in test_other_user.py.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.elf.header import (
    ELF64,
    EM_X86_64,
    ET_DYN,
)
from inspector.model.address import PAGE_SIZE as PAGE
from inspector.model.program import UNLIMITED
from inspector.observe.launch import launch as start
from inspector.observe.snapshot import take_snapshot
from inspector.predict import predict
from tests.elfwriter import Elf, Phdr, gnu_stack
from tests.live.against_witness import mismatches
from tests.live.launches import executable, launch
from tests.live.odd_programs import FIXED, MOVABLE, STACK, TEXT, with_interpreter
from tests.live.stop_at_exec import witness_exec

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program

pytestmark = pytest.mark.live

RUNS = ("runs", "exec.runs")
KILLED = "killed: SIGSEGV"
Answer = tuple[str, str]

GOOD = FIXED.contents()
DYNAMIC = with_interpreter(FIXED, b"loader\0").contents()
_E_TYPE, _E_MACHINE, _E_VERSION, _E_ENTRY, _E_PHOFF, _E_SHOFF = 16, 18, 20, 24, 28, 32
_E_EHSIZE, _E_PHENTSIZE, _E_PHNUM, _E_SHNUM = 40, 42, 44, 48


def half(offset: int, value: int, contents: bytes = GOOD) -> bytes:
    """Return `contents` with two bytes changed."""
    return contents[:offset] + struct.pack("<H", value) + contents[offset + 2 :]


def word(offset: int, value: int) -> bytes:
    """Return the good program with four bytes changed."""
    return GOOD[:offset] + struct.pack("<I", value) + GOOD[offset + 4 :]


def byte(offset: int, value: int) -> bytes:
    """Return the good program with one byte changed."""
    return GOOD[:offset] + bytes([value]) + GOOD[offset + 1 :]


def with_text(**fields: int) -> bytes:
    """Return the good program with other fields in its first PT_LOAD."""
    return _loads(replace(TEXT, **fields))


def _loads(*first: object, **more: object) -> bytes:
    return replace(FIXED, segments=(*first, *FIXED.segments[1:]), **more).contents()  # type: ignore[arg-type]


def named(name: bytes, size: int | None = None) -> bytes:
    """Return the good program with a PT_INTERP."""
    return with_interpreter(FIXED, name, size).contents()


def _line_of(size: int) -> bytes:
    """Return a script whose first line has `size` bytes and names the program beside it."""
    return b"#!" + b"./" * ((size - 10) // 2) + b"/" * (size % 2) + b"program\n"


NO_HANDLER = ("refused: ENOEXEC", "exec.no-handler")
UNUSABLE = "script.interpreter-unusable"
NO_PHDRS = ("refused: ENOEXEC", "elf.program-headers")
UNMAPPABLE = (KILLED, "elf.segment-unmappable")

FILES: dict[str, tuple[bytes, Answer]] = {
    "a program": (GOOD, RUNS),
    "a program with an interpreter": (DYNAMIC, RUNS),
    "empty": (b"", NO_HANDLER),
    "one byte": (b"\x7f", NO_HANDLER),
    "text": (b"echo hi\n", NO_HANDLER),
    "zero bytes": (bytes(4), NO_HANDLER),
    # Scripts
    "#! and no more: the empty path is the directory": (b"#!", ("refused: EACCES", UNUSABLE)),
    "#! and a newline": (b"#!\n", ("refused: ENOEXEC", "script.no-interpreter")),
    "#! and blanks": (b"#!   \n", ("refused: ENOEXEC", "script.no-interpreter")),
    "#! a program": (b"#!program\nexit 9\n", RUNS),
    "#! a program, no newline": (b"#!program", RUNS),
    "#! a program and an argument": (b"#! program -e\n", RUNS),
    "#! a missing file": (b"#!/no/such\n", ("refused: ENOENT", UNUSABLE)),
    "#! a directory": (b"#!/usr\n", ("refused: EACCES", UNUSABLE)),
    "#! a file nobody may execute": (b"#!plain\n", ("refused: EACCES", UNUSABLE)),
    "#! a file in a file": (b"#!plain/x\n", ("refused: ENOTDIR", UNUSABLE)),
    "#! a device": (b"#!/dev/null\n", ("refused: EACCES", UNUSABLE)),
    "#! a line that ends as in DOS": (b"#!program\r\n", ("refused: ENOENT", UNUSABLE)),
    "#! a file of no format": (b"#!text\n", NO_HANDLER),
    "#! a name that ends with the line, the last of 256 bytes": (_line_of(256), RUNS),
    "#! a name of one byte more": (_line_of(257), ("refused: ENOEXEC", "script.truncated")),
    "#! an argument that is cut": (b"#!program " + b"x" * 300 + b"\n", RUNS),
    "#! blanks beyond what is read": (b"#!program -e " + b" " * 300 + b"\n", RUNS),
    "#! a name that is cut": (b"#!" + b"/" * 260 + b"program\n", ("refused: ENOEXEC", "script.truncated")),
    # The file's length
    "cut to 16 bytes": (GOOD[:16], ("refused: ENOEXEC", "elf.type")),
    "cut to 51 bytes": (GOOD[:51], NO_PHDRS),
    "cut to the header": (GOOD[:52], NO_PHDRS),
    "cut in the program headers": (GOOD[:92], NO_PHDRS),
    "cut behind the program headers": (GOOD[: 52 + 3 * 32], (KILLED, "elf.file-too-short")),
    "cut before its data": (GOOD[:PAGE], (KILLED, "elf.file-too-short")),
    # The header
    "another magic": (byte(0, 0x7E), NO_HANDLER),
    "EI_CLASS 0": (byte(4, 0), RUNS),
    "EI_CLASS 2": (byte(4, 2), RUNS),
    "EI_DATA 2": (byte(5, 2), RUNS),
    "EI_VERSION 9": (byte(6, 9), RUNS),
    "EI_OSABI 9": (byte(7, 9), RUNS),
    "e_type ET_NONE": (half(_E_TYPE, 0), ("refused: ENOEXEC", "elf.type")),
    "e_type ET_REL": (half(_E_TYPE, 1), ("refused: ENOEXEC", "elf.type")),
    "e_type ET_CORE": (half(_E_TYPE, 4), ("refused: ENOEXEC", "elf.type")),
    "e_type ET_DYN of fixed addresses": (half(_E_TYPE, ET_DYN), RUNS),
    "e_machine 0": (half(_E_MACHINE, 0), ("refused: ENOEXEC", "elf.machine")),
    "e_machine ARM": (half(_E_MACHINE, 40), ("refused: ENOEXEC", "elf.machine")),
    "e_machine MIPS": (half(_E_MACHINE, 8), ("refused: ENOEXEC", "elf.machine")),
    "e_machine AARCH64": (half(_E_MACHINE, 183), ("refused: ENOEXEC", "elf.machine")),
    "e_machine 486": (half(_E_MACHINE, 6), RUNS),
    "e_version 9": (word(_E_VERSION, 9), RUNS),
    "e_entry 0": (word(_E_ENTRY, 0), RUNS),
    "e_entry beyond 3 GB": (word(_E_ENTRY, 0xC0000000), RUNS),
    "e_entry in the data": (word(_E_ENTRY, 0x08049000), RUNS),
    "e_entry at the task's end": (word(_E_ENTRY, 0xFFFFE000), (KILLED, "elf.entry")),
    "e_phoff 0": (word(_E_PHOFF, 0), RUNS),
    "e_phoff behind the end": (word(_E_PHOFF, 0x7FFFFFFF), NO_PHDRS),
    "e_phentsize 31": (half(_E_PHENTSIZE, 31), NO_PHDRS),
    "e_phentsize 56": (half(_E_PHENTSIZE, 56), NO_PHDRS),
    "e_phnum 0": (half(_E_PHNUM, 0), NO_PHDRS),
    "e_phnum 1": (half(_E_PHNUM, 1), RUNS),
    "e_phnum 2048, behind the end": (half(_E_PHNUM, 2048), NO_PHDRS),
    "e_phnum 2049": (half(_E_PHNUM, 2049, GOOD + bytes(1 << 17)), NO_PHDRS),
    "e_phnum PN_XNUM": (half(_E_PHNUM, 0xFFFF, GOOD + bytes(1 << 22)), NO_PHDRS),
    "e_ehsize 0": (half(_E_EHSIZE, 0), RUNS),
    "section headers of rubbish": (half(_E_SHNUM, 0xFFFF, word(_E_SHOFF, 0xDEADBEEF)), RUNS),
    # Segments
    "no PT_LOAD": (replace(FIXED, segments=(STACK,)).contents(), RUNS),
    "no PT_LOAD, position-independent": (replace(MOVABLE, segments=(STACK,)).contents(), RUNS),
    "an empty PT_LOAD at 0, position-independent": (
        replace(MOVABLE, segments=(replace(TEXT, vaddr=0, filesz=0, memsz=0), STACK)).contents(),
        (KILLED, "elf.no-load"),
    ),
    "p_filesz above p_memsz": (with_text(memsz=16), (KILLED, "elf.segment-size")),
    "p_memsz of 4 GB": (with_text(memsz=0xFFFFF000), (KILLED, "elf.segment-unmappable")),
    "p_offset and p_vaddr apart": (with_text(offset=8), UNMAPPABLE),
    "p_align 3": (with_text(align=3), RUNS),
    "p_flags 0": (with_text(flags=0), RUNS),
    "p_vaddr 0": (with_text(vaddr=0), RUNS),
    "p_vaddr beyond 3 GB": (with_text(vaddr=0xC0000000), RUNS),
    "p_vaddr at the task's end": (with_text(vaddr=0xFFFFE000), UNMAPPABLE),
    "one over the other": (with_text(vaddr=0x08049000), RUNS),
    "out of order": (replace(FIXED, segments=tuple(reversed(FIXED.segments))).contents(), RUNS),
    "neither in the file nor in memory": (with_text(filesz=0, memsz=0), RUNS),
    "p_offset behind the end": (with_text(offset=0x7F000000), RUNS),
    # The interpreter
    "PT_INTERP: a missing file": (named(b"/no/such\0"), ("refused: ENOENT", "elf.interpreter-missing")),
    "PT_INTERP: a directory": (named(b"/usr\0"), ("refused: EACCES", "elf.interpreter-missing")),
    "PT_INTERP: a script": (named(b"script\0"), ("refused: EIO", "elf.interpreter-bad")),
    "PT_INTERP: text": (named(b"text\0"), ("refused: ELIBBAD", "elf.interpreter-bad")),
    "PT_INTERP: a 64-bit program": (named(b"native\0"), ("refused: ELIBBAD", "elf.interpreter-bad")),
    "PT_INTERP: no zero byte": (named(b"loader"), ("refused: ENOEXEC", "elf.interpreter-string")),
    "PT_INTERP: one byte": (named(b"loader\0", 1), ("refused: ENOEXEC", "elf.interpreter-string")),
    "PT_INTERP: 5000 bytes": (named(b"loader\0", 5000), ("refused: ENOEXEC", "elf.interpreter-string")),
    "PT_INTERP: empty": (named(b"loader\0", 0), ("refused: ENOEXEC", "elf.interpreter-string")),
    "PT_INTERP: behind the end": (
        with_interpreter(replace(FIXED, interpreter_at=1 << 20), b"loader\0").contents()[: 4 * PAGE],
        ("refused: EIO", "elf.interpreter-string"),
    ),
}


@pytest.fixture(scope="module")
def place(stage: Path) -> Path:
    """Return a directory with what the cases name."""
    directory = stage / "verdicts"
    directory.mkdir()
    executable(directory / "program", GOOD)
    executable(directory / "loader", MOVABLE.contents())
    executable(directory / "native", Elf(machine=EM_X86_64, layout=ELF64).build())
    executable(directory / "text", b"echo hi\n" * 20)
    executable(directory / "script", b"#!program\n")
    executable(directory / "plain", GOOD).chmod(0o644)
    return directory


def judge(program: Program, witness: Path, profile: MachineProfile, answer: Answer) -> None:
    """Assert that prediction and kernel agree, and that the answer is the one the case is about."""
    prediction = predict(program, profile, until="exec")
    seen = witness_exec(witness, program)
    assert not mismatches(prediction, seen)
    assert prediction.verdict is not None
    assert (str(prediction.verdict), prediction.verdict.rule) == answer


def test_an_x32_program(place: Path, witness: Path, profile: MachineProfile) -> None:
    program = launch(executable(place / "case", half(_E_MACHINE, EM_X86_64)), cwd=place)
    prediction, seen = predict(program, profile), witness_exec(witness, program)
    if prediction.not_modelled is not None:
        assert (prediction.not_modelled.what, seen.verdict) == ("x32 program's address space", "runs")
    else:
        judge(program, witness, profile, NO_PHDRS)


@pytest.mark.parametrize("name", FILES)
def test_a_file(name: str, place: Path, witness: Path, profile: MachineProfile) -> None:
    contents, answer = FILES[name]
    path = executable(place / "case", contents)
    judge(launch(path, cwd=place), witness, profile, answer)


# --- paths -----------------------------------------------------------------------------------------


def _made(make: Callable[[Path], object], name: str = "case") -> Callable[[Path], str]:
    def path(place: Path) -> str:
        (place / name).unlink(missing_ok=True)
        make(place / name)
        return str(place / name)

    return path


def _mode(mode: int) -> Callable[[Path], str]:
    return _made(lambda path: executable(path, GOOD).chmod(mode))


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def _links(count: int) -> Callable[[Path], str]:
    """Make a chain of symbolic links that ends at a program."""

    def path(place: Path) -> str:
        for number in range(count):
            link = place / f"link-{number}"
            link.unlink(missing_ok=True)
            link.symlink_to(f"link-{number - 1}" if number else "program")
        return str(place / f"link-{count - 1}")

    return path


def _long(start: str, size: int) -> str:
    """Return a path of `size` bytes to the program in the directory `start`."""
    room = size - len(start) - len("program")
    return start + "./" * (room // 2) + "/" * (room % 2) + "program"


PATH = "exec.path"
DENIED = ("refused: EACCES", "exec.no-permission")
NOT_REGULAR = ("refused: EACCES", "exec.not-regular")

PATHS: dict[str, tuple[Callable[[Path], str], Answer]] = {
    "relative": (lambda _: "program", RUNS),
    "by .. and .": (lambda place: f"../{place.name}/./program", RUNS),
    "two slashes": (lambda place: f"/{place}//program", RUNS),
    "a symbolic link": (_links(1), RUNS),
    "40 symbolic links": (_links(40), RUNS),
    "41 symbolic links": (_links(41), ("refused: ELOOP", PATH)),
    "a symbolic link to itself": (_made(lambda path: path.symlink_to(path)), ("refused: ELOOP", PATH)),
    "a symbolic link to nothing": (_made(lambda path: path.symlink_to("no such")), ("refused: ENOENT", PATH)),
    "missing": (lambda place: f"{place}/no such", ("refused: ENOENT", PATH)),
    "missing directory": (lambda place: f"{place}/no such/program", ("refused: ENOENT", PATH)),
    "empty": (lambda _: "", ("refused: ENOENT", PATH)),
    "in a file": (lambda place: f"{place}/program/x", ("refused: ENOTDIR", PATH)),
    ".. of a file": (lambda place: f"{place}/program/../program", ("refused: ENOTDIR", PATH)),
    "a file with a slash": (lambda place: f"{place}/program/", ("refused: ENOTDIR", PATH)),
    "a missing file with a slash": (lambda place: f"{place}/no such/", ("refused: ENOENT", PATH)),
    "a directory": (str, NOT_REGULAR),
    "a directory with a slash": (lambda place: f"{place}/", NOT_REGULAR),
    "this directory": (lambda _: ".", NOT_REGULAR),
    "the directory above": (lambda _: "..", NOT_REGULAR),
    "the root": (lambda _: "/", NOT_REGULAR),
    "a device": (lambda _: "/dev/null", NOT_REGULAR),
    "a FIFO": (_made(os.mkfifo), NOT_REGULAR),
    "a FIFO that may be executed": (_made(lambda path: os.mkfifo(path, 0o777)), NOT_REGULAR),
    "a socket": (_made(_socket), NOT_REGULAR),
    "a component of 255 bytes": (lambda place: f"{place}/{'a' * 255}", ("refused: ENOENT", PATH)),
    "a component of 256 bytes": (lambda place: f"{place}/{'a' * 256}", ("refused: ENAMETOOLONG", PATH)),
    "a path of 4095 bytes": (lambda place: _long(f"{place}/", 4095), RUNS),
    "a path of 4096 bytes": (lambda place: _long(f"{place}/", 4096), ("refused: ENAMETOOLONG", PATH)),
    "any bytes": (_made(lambda path: executable(path, GOOD), "\x01\n\udcff"), RUNS),
    "mode 0": (_mode(0), DENIED),
    "mode 644": (_mode(0o644), DENIED),
    "mode 111": (_mode(0o111), RUNS),
    "mode 1755": (_mode(0o1755), RUNS),
}


@pytest.mark.parametrize("name", PATHS)
def test_a_path(name: str, place: Path, witness: Path, profile: MachineProfile) -> None:
    if name == "mode 111" and os.geteuid():
        pytest.skip("only root can read such a file")
    make, answer = PATHS[name]
    judge(launch(make(place), cwd=place), witness, profile, answer)


@pytest.mark.parametrize(("size", "answer"), [(4095, RUNS), (4096, ("refused: ENAMETOOLONG", PATH))])
def test_a_long_path_from_here(
    size: int,
    answer: Answer,
    place: Path,
    witness: Path,
    profile: MachineProfile,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What counts is the path as it is given, without the directory in front of it."""
    monkeypatch.chdir(place)
    judge(launch(_long("./", size), cwd=place), witness, profile, answer)


def test_a_file_open_for_writing(place: Path, witness: Path, profile: MachineProfile) -> None:
    path = executable(place / "case", GOOD)
    with path.open("r+b"):
        judge(launch(path, cwd=place), witness, profile, ("refused: ETXTBSY", "exec.open-for-writing"))
    for holder, rule in ((b"#!case\n", UNUSABLE), (named(b"case\0"), "elf.interpreter-missing")):
        outer = executable(place / "outer", holder)
        with path.open("r+b"):
            judge(launch(outer, cwd=place), witness, profile, ("refused: ETXTBSY", rule))


# --- strings ---------------------------------------------------------------------------------------

TOO_MANY = ("refused: E2BIG", "exec.arguments-too-big")
MIB = 1 << 20


STRINGS: dict[str, tuple[tuple[str, ...], int, Answer]] = {
    "a string of 128 KiB less a byte": (("x" * (32 * PAGE - 1),), 8 * MIB, RUNS),
    "a string of 128 KiB": (("x" * (32 * PAGE),), 8 * MIB, ("refused: E2BIG", "exec.argument-too-long")),
    "less than a quarter of the stack": (("x" * 100_000,) * 20, 8 * MIB, RUNS),
    "more than a quarter of the stack": (("x" * 100_000,) * 21, 8 * MIB, TOO_MANY),
    "less than 6 MiB": (("x" * 100_000,) * 62, UNLIMITED, RUNS),
    "more than 6 MiB": (("x" * 100_000,) * 63, UNLIMITED, TOO_MANY),
    "less than 128 KiB, which are always allowed": (("x" * 1000,) * 125, 256 << 10, RUNS),
    "more than 128 KiB": (("x" * 1000,) * 130, 256 << 10, TOO_MANY),
    "pointers to less than 128 KiB": (("",) * 14_000, 256 << 10, RUNS),
    "pointers to more than 128 KiB": (("",) * 15_000, 256 << 10, TOO_MANY),
    "all but the tables fit on the stack": (("x" * 65_400,), 64 << 10, (KILLED, "exec.stack-full")),
    "more than fits on the stack": (("x" * 70_000,), 64 << 10, TOO_MANY),
}
"""Name -> (arguments, stack limit in bytes, answer)."""


@pytest.mark.parametrize("name", STRINGS)
def test_strings(name: str, place: Path, profile: MachineProfile) -> None:
    """By the tool's own launcher: what execve refuses could not be told the witness either."""
    strings, stack_limit, answer = STRINGS[name]
    program = launch("program", ("program", *strings), (), stack_limit=stack_limit, cwd=place)
    prediction = predict(program, profile, until="exec")
    assert prediction.verdict is not None
    assert (str(prediction.verdict), prediction.verdict.rule) == answer
    with start(program) as launched:
        assert str(launched.verdict) == answer[0]
        if answer is RUNS:
            seen, _ = take_snapshot(
                launched.pid, "exec", baseline=launched.baseline, registers=None, relatives=None
            )
            assert seen.vmas == prediction.snapshots[0].vmas


# --- mounts ----------------------------------------------------------------------------------------

_ON_A_MOUNT = """
import subprocess, sys
from pathlib import Path
from inspector.observe.probe import probe_profile
from inspector.predict import predict
from tests.live.against_witness import mismatches
from tests.live.launches import executable, launch
from tests.live.stop_at_exec import witness_exec

witness, place, options, mode, contents = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
executable(Path(place, "case"), Path(contents).read_bytes()).chmod(int(mode, 8))
executable(Path(contents).with_name("outer-script"), f"#!{place}/case\\n".encode())
profile = probe_profile()
for path in (f"{place}/case", Path(contents).with_name("outer-script")):
    program = launch(path, cwd=place)
    prediction = predict(program, profile, until="exec")
    if prediction.not_modelled:
        print(prediction.not_modelled.what)
    else:
        print(prediction.verdict.rule, *mismatches(prediction, witness_exec(Path(witness), program)))
"""
_SETS_ID = "set-user-ID or set-group-ID program"
_NOEXEC = "exec.noexec-mount"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.parametrize(
    ("options", "mode", "program", "script"),
    [
        ("noexec", "755", _NOEXEC, UNUSABLE),
        ("noexec", "644", _NOEXEC, UNUSABLE),
        ("nosuid", "6755", "exec.runs", "exec.runs"),
        ("suid", "4755", _SETS_ID, _SETS_ID),
        ("suid", "2755", _SETS_ID, _SETS_ID),
        ("suid", "2745", "exec.runs", "exec.runs"),
    ],
)
def test_a_mount(options: str, mode: str, program: str, script: str, place: Path, witness: Path) -> None:
    mount = place / "mount"
    mount.mkdir(exist_ok=True)
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", _ON_A_MOUNT]
        + [os.fspath(each) for each in (witness, mount, options, mode, place / "program")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr or "mount: " in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr}")
    assert done.stdout.splitlines() == [program, script], done.stderr


def test_where_the_headers_are_is_reckoned_in_the_files_own_words(
    stage: Path, witness: Path, profile: MachineProfile
) -> None:
    """A segment whose end is beyond 4 GiB ends before the headers in it: AT_PHDR is not of it."""
    phoff = 0xC000_0000
    segment = Phdr(vaddr=0x10000000, offset=phoff - PAGE, filesz=0x4000_2000)
    elf = Elf([segment, gnu_stack()], entry=0x10000000, phoff=phoff)
    path = executable(stage / "far headers", elf.build()[:52])
    with path.open("r+b") as file:
        file.truncate(phoff + 2 * PAGE)
        file.seek(phoff)
        file.write(segment.pack() + gnu_stack().pack())
    program = launch(path)
    prediction = predict(program, profile, until="exec")
    assert str(prediction.verdict) == "runs"
    assert not mismatches(prediction, witness_exec(witness, program))
