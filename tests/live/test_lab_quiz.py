"""The quiz: the same questions for the same seed, and answers that are right whoever gives them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.lab.evidence import Evidence, Live
from inspector.lab.exercise import load_exercise
from inspector.lab.quiz import _SOURCES, describe, quiz

pytestmark = pytest.mark.live

INSPECTOR = str(Path(sys.executable).with_name("inspector"))


def run(answers: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [INSPECTOR, "lab", "quiz", *words], input=answers, capture_output=True, text=True, check=False
    )


def test_whoever_gives_the_answers_shown_has_all_right() -> None:
    first = run("\n" * 12, "--seed=3", "--count=12")
    assert (first.returncode, first.stderr) == (1, "")
    answers = re.findall(r"^✗  It is (.*?)\. \S", first.stdout.replace("\n   ", " "), re.MULTILINE)
    assert len(answers) == 12
    again = run("\n".join(answers) + "\n", "--seed=3", "--count=12")
    assert again.returncode == 0, again.stdout
    assert again.stdout.splitlines()[-1] == "12 of 12 right; the same questions again with --seed 3"
    assert again.stdout.count("✓") == 12


def test_a_seed_asks_the_same_and_another_something_else() -> None:
    evidence = Evidence([Live()])
    asked = [[item.asks + "".join(item.shown) for item in quiz(seed, 6, evidence)] for seed in (1, 1, 2)]
    assert asked[0] == asked[1] != asked[2]


def test_every_question_has_a_reason_and_no_answer_in_it() -> None:
    for item in quiz(5, 20, Evidence([Live()])):
        assert item.row.why
        assert item.judge(item.answer) == (True, "")
        assert item.judge("") == (False, "")
        assert not item.judge("\x1b[2J no answer")[0]


def test_every_question_can_be_asked_alone() -> None:
    for name, wanted in _SOURCES.items():
        for question in load_exercise(name).questions:
            if question.id in wanted:
                assert not re.search(r"^And|\b(such|those|there)\b", question.ask), question.ask


def test_where_the_machine_tells_nothing_the_book_is_left() -> None:
    items = list(quiz(1, 10, Evidence([])))
    assert len(items) == 10
    assert {type(item.question).__name__ for item in items} <= {
        *("OverlayAddresses", "OverlayLoads", "ReplacementTable", "PageTableCost", "SectionsToSegments")
    }


@pytest.mark.parametrize(("answers", "asked"), [("", 0), ("q\n", 0), ("1\nQ\n", 1)])
def test_it_ends_when_asked_to(answers: str, asked: int) -> None:
    done = run(answers, "--seed=3")
    assert done.returncode == 1
    assert re.search(rf"^\d of {asked} right", done.stdout, re.MULTILINE)


def test_any_bytes_can_be_described() -> None:
    for data in (b"", b"\x7fELF", b"\x7fELF" + b"\xff" * 200, b"#!/bin/sh\n", b"\x1b[2J"):
        assert all("\x1b" not in line for line in describe(data))
