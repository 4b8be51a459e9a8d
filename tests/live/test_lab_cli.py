"""`inspector lab new`, `check` and `list`: what a student is given and told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from inspector.lab.exercise import ORDER, load_exercise
from inspector.lab.sheet import LINES
from tests.lab_sheets import as_toml, truth_sheet, variant_of
from tests.live.lab_commands import EVIDENCE, lab

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.live


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
