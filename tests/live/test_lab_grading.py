"""`inspector lab grade`: many submissions, whole, partly right, broken, and one after the other."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from fractions import Fraction
from importlib import resources
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from inspector.lab.exercise import ORDER, load_exercise
from tests.lab_sheets import as_toml, truth_sheet, variant_of
from tests.live.lab_commands import EVIDENCE, INSPECTOR, hand_in, lab, three

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.lab.exercise import Exercise

pytestmark = pytest.mark.live

WRITTEN = [name for name in ORDER if name != "loader"]


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


def test_with_another_secret_nothing_is_judged(place: Path) -> None:
    three("address-space", place)
    (place / "other").write_text("0123456789abcdef")
    done = lab(
        "grade", "address-space", "--exercise=address-space", "--report=json=out", "--secret=other", cwd=place
    )
    assert done.returncode == 3
    results = [json.loads(line) for line in (place / "out").read_text().splitlines()]
    assert len(results) == 3
    for each in results:
        assert each["broken"].startswith("lab.json was made with another secret (--secret FILE), or changed")


def test_an_exercise_of_a_teachers_own_is_checked_with_its_file(place: Path) -> None:
    ready = resources.files("inspector.lab") / "ready" / "address-space.toml"
    (place / "mine.toml").write_text(ready.read_text().replace('name = "address-space"', 'name = "mine"'))
    assert lab("new", "mine.toml", "--student=alice", cwd=place).returncode == 0
    folder = place / "mine" / "alice"
    assert "inspector lab check --exercise PATH/mine.toml" in " ".join(
        (folder / "README.md").read_text().split()
    )
    done = lab("check", str(folder), cwd=place)
    assert (done.returncode, done.stdout) == (2, "")
    assert "give its file: --exercise FILE.toml" in done.stderr
    assert lab("check", str(folder), "--exercise=mine.toml", cwd=place).returncode == 1


def test_a_manifest_that_names_its_variant_still_may_be_changed_otherwise(place: Path) -> None:
    three("address-space", place)
    manifest = place / "address-space" / "perfect" / "lab.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"kernel": "my own"}))
    lab("grade", "address-space", "--exercise=address-space", "--report=json=out", cwd=place)
    perfect = json.loads((place / "out").read_text().splitlines()[2])
    assert perfect["broken"] == ""
    assert "lab.json was changed: it is not heeded" in perfect["notes"]
    assert all(Fraction(each["earned"]) == each["points"] for each in perfect["questions"])
