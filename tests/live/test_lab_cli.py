"""`inspector lab` from a new folder to a grade, the kernel being the judge."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from inspector.lab.evidence import Evidence, Live
from inspector.lab.exercise import ORDER, load_exercise
from inspector.lab.sheet import LINES
from tests.lab_sheets import SECRET, as_toml, truth_sheet, variant_of

if TYPE_CHECKING:
    from inspector.lab.exercise import Exercise

pytestmark = pytest.mark.live

INSPECTOR = str(Path(sys.executable).with_name("inspector"))
WRITTEN = [name for name in ORDER if name != "loader"]
EVIDENCE = Evidence([Live()])


def lab(*words: str, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401
    environment = {**os.environ, "INSPECTOR_LAB_SECRET": str(cwd / "secret")}
    return subprocess.run(
        [INSPECTOR, "lab", *words],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **{"env": environment, **options},
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_bytes(SECRET)
    return tmp_path


def hand_in(exercise: Exercise, place: Path, student: str, *, leave_out: int | None) -> None:
    """Fill in a student's sheet from the truth; `leave_out` rows of each question stay blank, None: all."""
    if leave_out is None:
        return
    filled = truth_sheet(exercise, variant_of(exercise, student), EVIDENCE, leave_out=leave_out)
    (place / exercise.name / student / "answers.toml").write_text(as_toml(filled))


def three(name: str, place: Path) -> Exercise:
    exercise = load_exercise(name)
    students = ("perfect", "partly", "empty")
    made = lab("new", name, *(f"--student={each}" for each in students), cwd=place)
    assert (made.returncode, made.stderr) == (0, "")
    for student, leave_out in zip(students, (0, 1, None), strict=True):
        hand_in(exercise, place, student, leave_out=leave_out)
    return exercise


def partial_sum(exercise: Exercise, student: str) -> Fraction:
    """Return what is earned with one row of each question missing, worked out from the numbers of rows."""
    earned: dict[str, Fraction] = {}
    for question in exercise.questions:
        rows = len(question.truth(variant_of(exercise, student), EVIDENCE).rows)
        held_up = any(earned[name] < _points(exercise, name) for name in question.needs)
        earned[question.id] = Fraction(0) if held_up else Fraction(question.points * (rows - 1), rows)
    return sum(earned.values(), Fraction(0))


def _points(exercise: Exercise, name: str) -> int:
    return next(question.points for question in exercise.questions if question.id == name)


@pytest.mark.parametrize("name", WRITTEN)
def test_three_submissions_earn_all_the_exact_part_and_nothing(name: str, place: Path) -> None:
    exercise = three(name, place)
    reports = [f"--report={kind}={kind}.out" for kind in ("json", "csv", "junit", "tap", "actions")]
    reports += ["--report=gradescope=gradescope", "--report=vpl=vpl"]
    done = lab("grade", name, f"--exercise={name}", *reports, cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    expected = {
        "empty": Fraction(0),
        "partly": partial_sum(exercise, "partly"),
        "perfect": Fraction(exercise.points),
    }

    results = [json.loads(line) for line in (place / "json.out").read_text().splitlines()]
    sums = {each["student"]: sum(Fraction(q["earned"]) for q in each["questions"]) for each in results}
    assert sums == expected
    assert {q["note"] for each in results if each["student"] == "empty" for q in each["questions"]} == {
        "no answer"
    }
    assert not any(row["mark"] != "right" for q in results[2]["questions"] for row in q["rows"])

    for student, points in expected.items():
        document = json.loads((place / "gradescope" / f"{student}.json").read_text())
        assert document["score"] == pytest.approx(float(points), abs=1e-4)
        grade = re.findall(r"^Grade :=>> (.*)$", (place / "vpl" / f"{student}.txt").read_text(), re.MULTILINE)
        assert [float(each) for each in grade] == [pytest.approx(float(points), rel=1e-4)]
    suites = ET.fromstring((place / "junit.out").read_text())  # noqa: S314 - we have just written it
    assert [suite.attrib["failures"] != "0" for suite in suites] == [True, True, False]
    points_of_tap = re.findall(r"^(ok|not ok) \d+ - (\w+)$", (place / "tap.out").read_text(), re.MULTILINE)
    assert points_of_tap == [("not ok", "empty"), ("not ok", "partly"), ("ok", "perfect")]
    rows = [line.split(",")[:1] for line in (place / "csv.out").read_text().splitlines()]
    assert rows == [["submission"], ["empty"], ["partly"], ["perfect"]]
    assert len(re.findall("^###", (place / "actions.out").read_text(), re.MULTILINE)) == 3
    assert [line.split()[:2] for line in done.stdout.splitlines()[2:5]][2] == ["✓", "perfect"]


def test_the_same_student_gets_the_same_bytes(place: Path) -> None:
    for directory in ("one", "two"):
        assert lab("new", "address-space", "--student=alice", "-o", directory, cwd=place).returncode == 0
    files = {
        directory: {each.name: each.read_bytes() for each in (place / directory / "alice").iterdir()}
        for directory in ("one", "two")
    }
    assert files["one"] == files["two"]
    assert set(files["one"]) == {"README.md", "answers.toml", "lab.json", "prog"}
    assert b"hidden" not in files["one"]["lab.json"]


def test_a_student_is_told_rows_hints_and_never_the_truth(place: Path) -> None:
    lab("new", "first-page-fault", "--student=alice", cwd=place)
    folder = place / "first-page-fault" / "alice"
    truth = truth_sheet(
        load_exercise("first-page-fault"), variant_of(load_exercise("first-page-fault"), "alice"), EVIDENCE
    )
    right = truth["faults"][LINES].splitlines()
    blank = lab("check", cwd=folder)
    assert (blank.returncode, "Hint" in blank.stdout) == (1, False)
    outputs = []
    for attempt in range(3):
        wrong = {"faults": {LINES: "\n".join([*right[:-1], f"0x7777{attempt}000 write"])}}
        (folder / "answers.toml").write_text(as_toml(wrong))
        outputs.append(lab("check", cwd=folder).stdout)
    assert [text.count("Hint: ") for text in outputs] == [1, 2, 3]
    assert lab("check", cwd=folder).stdout == outputs[-1], "the same answer again is no new attempt"
    assert right[-1].split()[0] not in outputs[-1]
    assert "too much" not in blank.stdout
    (folder / "answers.toml").write_text(as_toml(truth))
    done = lab("check", cwd=folder)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[0] == "✓ The first page faults: 18 of 18"
    assert "Hint" not in done.stdout


def test_a_copied_sheet_earns_what_happens_to_agree(place: Path) -> None:
    exercise = load_exercise("address-space")
    lab("new", "address-space", "--student=alice", "--student=bob", cwd=place)
    hand_in(exercise, place, "alice", leave_out=0)
    copied = (place / "address-space" / "alice" / "answers.toml").read_bytes()
    (place / "address-space" / "bob" / "answers.toml").write_bytes(copied)
    for name in ("lab.json", "prog"):
        (place / "address-space" / "bob" / name).write_bytes(
            (place / "address-space" / "alice" / name).read_bytes()
        )
    done = lab("grade", "address-space", "--exercise=address-space", "--report=json=-", cwd=place)
    alice, bob = map(json.loads, done.stdout.splitlines())
    assert alice["notes"] == []
    assert bob["notes"] == ["the folder was made for 'alice' and 'address-space'"]
    assert sum(Fraction(q["earned"]) for q in bob["questions"]) < exercise.points / 2


def test_grading_goes_on_where_it_was_and_takes_up_what_changed(place: Path) -> None:
    exercise = three("overlay", place)
    first = lab("grade", "overlay", "--exercise=overlay", "--report=json=-", cwd=place)
    journal = place / "overlay" / ".inspector-grades.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) == 3
    journal.write_bytes(lines[0] + lines[1][:50])  # killed while it wrote the second
    again = lab("grade", "overlay", "--exercise=overlay", "--report=json=-", cwd=place)
    assert again.stdout == first.stdout
    assert len(journal.read_bytes().splitlines()) == 4
    hand_in(exercise, place, "empty", leave_out=0)
    changed = lab("grade", "overlay", "--exercise=overlay", cwd=place)
    assert [line.split()[0] for line in changed.stdout.splitlines()[2:5]] == ["✓", "✗", "✓"]
    journal.unlink()
    journal.symlink_to(place / "elsewhere")
    refused = lab("grade", "overlay", "--exercise=overlay", cwd=place)
    assert refused.returncode == 3
    assert "symbolic link" in refused.stderr
    assert not (place / "elsewhere").exists()


def test_a_broken_submission_is_named_and_never_stops_the_rest(place: Path) -> None:
    three("overlay", place)
    top = place / "overlay"
    (top / "0-none").mkdir()
    (top / "1-link").symlink_to(top / "perfect")
    for name, data in (("2-toml", b"[[["), ("3-bytes", b"\xff\xfe"), ("4-deep", b"a=" + b"[" * 90_000)):
        (top / name).mkdir()
        (top / name / "answers.toml").write_bytes(data)
    (top / "5-fifo").mkdir()
    os.mkfifo(top / "5-fifo" / "answers.toml")
    (top / "6-giant").mkdir()
    with (top / "6-giant" / "answers.toml").open("wb") as file:
        file.truncate(1 << 30)
    (top / "7-sheet-link").mkdir()
    (top / "7-sheet-link" / "answers.toml").symlink_to(top / "perfect" / "answers.toml")
    (top / os.fsdecode(b"8-\xff\x1b[2J")).mkdir()
    done = lab("grade", "overlay", "--exercise=overlay", "--report=json=j", cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    results = [json.loads(line) for line in (place / "j").read_text().splitlines()]
    problems = {each["submission"]: each["problem"] for each in results}
    assert [name[:2] for name, problem in problems.items() if problem] == [f"{n}-" for n in range(9)]
    for name, words in {
        "0-none": "there is no answers.toml",
        "1-link": "the folder cannot be opened",
        "2-toml": "is not TOML",
        "3-bytes": "is not UTF-8",
        "4-deep": "nested too deeply",
        "5-fifo": "not a regular file",
        "6-giant": "1073741824 bytes",
        "7-sheet-link": "symbolic link",
    }.items():
        assert words in problems[name]
    assert all(line.isprintable() for line in done.stdout.splitlines())
    assert {name: problems[name] for name in ("perfect", "partly", "empty")} == dict.fromkeys(
        ("perfect", "partly", "empty"), ""
    )


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


@pytest.mark.parametrize(
    "words",
    [
        ("new", "riddles", "--student=a"),
        ("new", "overlay", "--student=../x"),
        ("new", "overlay"),
        ("check", "nowhere"),
        ("check", "."),
        ("grade", "nowhere", "--exercise=overlay"),
        ("grade", ".", "--exercise=riddles"),
        ("grade", ".", "--exercise=overlay", "--report=xml=x"),
        ("grade", ".", "--exercise=overlay", "--report=json"),
        ("grade", ".", "--exercise=overlay"),
        ("grade", ".", "--exercise=overlay", "--recordings=nowhere"),
        ("list", "riddles"),
        ("list", "/etc/passwd"),
        ("record", "overlay", "-o", "x"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_one_line_and_a_hint(words: tuple[str, ...], place: Path) -> None:
    done = lab(*words, cwd=place)
    assert (done.returncode, done.stdout) == (2, ""), done
    first, second = done.stderr.splitlines()
    assert first.startswith("inspector: ")
    assert second.startswith("  ")


def test_lists_are_shown(place: Path) -> None:
    done = lab("list", cwd=place)
    assert [name for name in ORDER if name in done.stdout] == list(ORDER)
    shown = lab("list", "overlay", cwd=place).stdout
    assert "For teachers" not in shown
    assert "For teachers" in lab("list", "overlay", "--teacher", cwd=place).stdout
    schema = json.loads(lab("list", "--schema", cwd=place).stdout)
    assert schema["$id"] == "inspector.exercise/1"


def test_an_exercise_in_c_of_ones_own(place: Path) -> None:
    import shutil

    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc")
    (place / "own").mkdir()
    (place / "own" / "mine.c").write_text(
        "int counter = 3; int zeros[5000];\nvoid _start(void) { for (;;) counter++; }\n"
    )
    (place / "own" / "mine.toml").write_text(
        'schema = "inspector.exercise/1"\nname = "mine"\ntitle = "Mine"\nfollows = "-"\ntext = "-"\n'
        'teacher = "-"\n[variant]\ngenerator = "given"\npath = "mine.c"\n'
        'flags = ["-static", "-nostdlib", "-no-pie", "-fno-pie"]\n'
        'symbols = ["counter"]\n[[questions]]\nid = "a"\nkind = "vma-field"\nask = "?"\narea = "counter"\n'
        'field = "perms"\npoints = 1\n'
    )
    made = lab("new", "own/mine.toml", "--student=alice", cwd=place)
    if "cannot be compiled" in made.stderr:
        pytest.skip(made.stderr)
    assert made.returncode == 0, made.stderr
    (place / "mine" / "alice" / "answers.toml").write_text('[a]\nperms = "rw-p"\n')
    checked = lab("check", "mine/alice", "--exercise=own/mine.toml", cwd=place)
    assert checked.returncode == 0, (checked.stdout, checked.stderr)
    grade = ("grade", "mine", "--exercise=own/mine.toml", "--report=csv=-")
    assert lab(*grade, cwd=place).stdout.count(",1,1,") == 1
    source = (place / "own" / "mine.c").read_text()
    (place / "own" / "mine.c").write_text(
        source.replace("int counter", "const int counter").replace("++", "")
    )
    assert lab(*grade, cwd=place).stdout.count(",0,1,") == 1, "another program has another answer"
    (place / "own" / "mine.c").write_text("int main")
    broken = lab(*grade, cwd=place)
    assert (broken.returncode, broken.stdout, len(broken.stderr.splitlines())) == (3, "", 2)


@pytest.mark.parametrize("name", ["address-space", "resident-pages", "first-page-fault", "initial-stack"])
def test_what_a_student_did_not_write_is_not_told(name: str, place: Path) -> None:
    """With one wrong row in each question, no value of the truth that was not written is in the output."""
    exercise = load_exercise(name)
    lab("new", name, "--student=alice", cwd=place)
    variant = variant_of(exercise, "alice")
    truths = {question.id: question.truth(variant, EVIDENCE).rows for question in exercise.questions}
    wrong = {}
    for question in exercise.questions:
        key = question.keys(variant)
        text = {LINES: "0x1000-0x2000 ---s 0 x" if name == "address-space" else "0x7000 read"}
        wrong[question.id] = dict.fromkeys(key, "0x7") if key else text
    (place / name / "alice" / "answers.toml").write_text(as_toml(wrong))
    output = lab("check", f"{name}/alice", cwd=place).stdout
    given = " ".join([question.given(variant) for question in exercise.questions])
    addresses = {
        f"{cell:x}"
        for rows in truths.values()
        for row in rows
        for cell in row.cells
        if isinstance(cell, int) and cell >= 0x8000000
    }
    assert addresses
    assert [each for each in addresses if each in output and each not in given] == []


def test_a_grading_that_was_killed_goes_on(place: Path) -> None:
    students = [f"s{number:02}" for number in range(12)]
    lab("new", "resident-pages", *(f"--student={each}" for each in students), cwd=place)
    journal = place / "resident-pages" / ".inspector-grades.jsonl"
    command = [
        INSPECTOR,
        "lab",
        "grade",
        "resident-pages",
        "--exercise=resident-pages",
        "--secret=secret",
        "-j1",
    ]
    with subprocess.Popen(
        command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as grading:
        while (
            not (journal.exists() and len(journal.read_bytes().splitlines()) > 2) and grading.poll() is None
        ):
            time.sleep(0.01)
        grading.kill()
    done_before = len(journal.read_bytes().splitlines())
    assert grading.returncode == -9
    assert 2 < done_before < 12
    done = lab("grade", "resident-pages", "--exercise=resident-pages", "--report=csv=-", cwd=place)
    assert done.returncode == 0
    assert [line.split(",")[0] for line in done.stdout.splitlines()[1:]] == students
    entries = [
        json.loads(line)["result"]["student"]
        for line in journal.read_bytes().splitlines()
        if line.endswith(b"}")
    ]
    assert sorted(entries) == students, "what was graded before is not graded again"


def test_what_is_no_folder_is_said_and_hidden_questions_come_later(place: Path) -> None:
    text = (resources.files("inspector.lab") / "ready" / "overlay.toml").read_text()
    (place / "mine.toml").write_text(text.replace("points = 9", 'points = 9\nvisibility = "hidden"'))
    lab("new", "mine.toml", "--student=alice", "-o", "in", cwd=place)
    (place / "in" / "bob.zip").write_bytes(b"PK")
    hand_in_at = place / "in" / "alice" / "answers.toml"
    exercise = load_exercise(str(place / "mine.toml"))
    hand_in_at.write_text(as_toml(truth_sheet(exercise, variant_of(exercise, "alice"), EVIDENCE)))
    graded = lab("grade", "in", "--exercise=mine.toml", "--report=gradescope=out", cwd=place)
    assert graded.returncode == 0
    assert graded.stderr == "inspector: left out, for they are no folders of students: bob.zip\n"
    tests = json.loads((place / "out" / "alice.json").read_text())["tests"]
    assert [(test["visibility"], test["score"]) for test in tests] == [("visible", 6), ("hidden", 9)]
    checked = lab("check", "in/alice", "--exercise=mine.toml", "--report=json=-", cwd=place)
    result = json.loads(checked.stdout)
    assert [question["id"] for question in result["questions"]] == ["addresses"]
    assert result["notes"] == ["1 question will be graded later"]
    assert {row["expected"] for question in result["questions"] for row in question["rows"]} == {None}
