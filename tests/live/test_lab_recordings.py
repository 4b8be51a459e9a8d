"""Grading where the machine cannot run the programs: by recordings, or not at all."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from inspector.lab.exercise import load_exercise
from tests.lab_sheets import SECRET
from tests.live.lab_commands import hand_in, lab, three

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.live


def test_recordings_stand_for_a_machine_that_runs_nothing(place: Path) -> None:
    three("address-space", place)
    grade = ("grade", "address-space", "--exercise=address-space", "--recordings-only", "--report=json=j")
    none = lab(*grade, cwd=place)
    assert none.returncode == 3
    assert "could not judge" in lab(*grade[:-1], cwd=place).stdout
    for line in (place / "j").read_text().splitlines():
        assert {question["earned"] for question in json.loads(line)["questions"]} == {None}
    students = ("--student=perfect", "--student=partly")
    made = lab("record", "address-space", *students, "-o", "truth", cwd=place)
    assert (made.returncode, made.stdout) == (0, "2 recordings in truth\n")
    some = lab(*grade, "--recordings=truth", cwd=place)
    assert some.returncode == 3, "of the third there is none"
    results = {each["student"]: each for each in map(json.loads, (place / "j").read_text().splitlines())}
    assert sum(Fraction(q["earned"]) for q in results["perfect"]["questions"]) == 25
    assert {q["source"] for q in results["perfect"]["questions"]} == {
        f"a recording made on Linux {os.uname().release}"
    }
    assert {q["earned"] for q in results["empty"]["questions"]} == {None}
    lab("record", "address-space", *students, "--student=empty", "-o", "truth", cwd=place)
    whole = lab(*grade[:-1], "--recordings=truth", cwd=place)
    assert whole.returncode == 0
    assert "graded from a recording made on Linux" in whole.stdout


def test_a_recording_of_something_else_is_not_the_truth(place: Path) -> None:
    lab("new", "address-space", "--student=alice", cwd=place)
    hand_in(load_exercise("address-space"), place, "alice", leave_out=0)
    lab("record", "address-space", "--student=alice", "-o", "truth", cwd=place)
    grade = ("grade", "address-space", "--exercise=address-space", "--recordings-only", "--recordings=truth")
    assert lab(*grade, cwd=place).returncode == 0
    (file,) = (each for each in (place / "truth").iterdir() if each.name != "profile.json")
    whole = file.read_text()
    for change in (
        lambda text: text.replace('"program_sha256":"', '"program_sha256":"0'),
        lambda text: re.sub(r'"sha256":"\w{4}', '"sha256":"0000', text),
        lambda text: re.sub(r'"machine":"\w{4}', '"machine":"0000', text, count=1),
        lambda text: text[:200],
    ):
        file.write_text(change(whole))
        done = lab(*grade, "--again", cwd=place)
        assert done.returncode == 3, change
        assert "could not judge" in done.stdout


def test_questions_about_another_machine_are_not_judged_by_this_one(place: Path) -> None:
    """The folder's seal holds: it was made on a machine with other answers."""
    lab("new", "address-space", "--student=alice", cwd=place)
    hand_in(load_exercise("address-space"), place, "alice", leave_out=0)
    import msgspec

    from inspector.lab.folder import Folder, ManifestJson

    folder = place / "address-space" / "alice"
    manifest = Folder(str(folder)).manifest()
    assert manifest is not None
    other: ManifestJson = msgspec.structs.replace(manifest, machine="0" * 64)
    (folder / "lab.json").write_bytes(other.sealed(SECRET).document())
    done = lab("grade", "address-space", "--exercise=address-space", cwd=place)
    assert done.returncode == 3
    (folder / "lab.json").write_bytes(other.document())
    forged = lab("grade", "address-space", "--exercise=address-space", cwd=place)
    assert forged.returncode == 0, "a seal that does not hold excuses nobody"
    assert "not heeded" in forged.stdout


@pytest.mark.parametrize("recorded", [False, True], ids=["without recordings", "with recordings"])
def test_a_grader_without_ptrace_says_so_and_goes_by_recordings(recorded: bool, place: Path) -> None:
    three("address-space", place)
    students = [f"--student={each}" for each in ("perfect", "partly", "empty")]
    lab("record", "address-space", *students, "-o", "truth", cwd=place)
    code = f"{FORBID_PTRACE}\nfrom inspector.cli import main; main()"
    words = ["lab", "grade", "address-space", "--exercise=address-space", "--secret=secret"]
    words += ["--recordings=truth"] if recorded else []
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=place, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0 if recorded else 3, ""), done.stdout
    assert ("graded from" if recorded else "could not judge") in done.stdout
    earned = [line.split()[2] for line in done.stdout.splitlines()[2:5]]
    assert (earned == ["0", "15", "25"]) is recorded


# Forbids ptrace as a container's seccomp profile does: EPERM, for x86-64's and i386's number.
FORBID_PTRACE = """
import ctypes, struct
code = [(0x20, 0, 0, 4), (0x15, 0, 2, 0x40000003), (0x20, 0, 0, 0), (0x15, 3, 4, 26),
        (0x20, 0, 0, 0), (0x15, 1, 0, 101), (0x05, 0, 0, 1), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7fff0000)]
program = b"".join(struct.pack("<HBBI", *each) for each in code)
buffer = ctypes.create_string_buffer(program)
class Fprog(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Fprog(len(code), ctypes.addressof(buffer)))) == 0
assert libc.ptrace(0, 0, 0, 0) == -1 and ctypes.get_errno() == 1
"""
