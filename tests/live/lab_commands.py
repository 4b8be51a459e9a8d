"""`inspector lab` at the command line, and three submissions to grade."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.lab.evidence import Evidence, Live
from inspector.lab.exercise import load_exercise
from inspector.lab.sandbox import why_not
from tests.lab_sheets import as_toml, truth_sheet, variant_of

if TYPE_CHECKING:
    from inspector.lab.exercise import Exercise

INSPECTOR = str(Path(sys.executable).with_name("inspector"))
EVIDENCE = Evidence([Live()])
needs_bubblewrap = pytest.mark.skipif(bool(why_not()), reason=f"no sandbox: {why_not()}")
needs_python = pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="the sandbox has no Python")


def lab(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [INSPECTOR, "lab", *words],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "INSPECTOR_LAB_SECRET": str(cwd / "secret"), **environment},
    )


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
