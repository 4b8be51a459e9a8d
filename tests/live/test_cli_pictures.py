"""The options of what is shown: gaps, pages, a picture, from real programs."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.live

BASE = 0x08048000


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "inspector", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", ["check", "predict", "observe"])
def test_a_picture_is_saved_beside_the_report(command: str, program: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.svg"
    done = run(command, "--svg", picture, program)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    root = ET.parse(picture).getroot()  # noqa: S314 - our own
    words = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert ("predicted" in words, "observed" in words) == (command != "observe", command != "predict")
    assert {"at exec", "at exit"} <= set(words)


def test_a_picture_on_stdout_is_all_there_is(program: Path) -> None:
    done = run("predict", "--svg", "-", program)
    assert done.returncode == 0, done.stderr
    assert ET.fromstring(done.stdout).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "--svg", "x.svg", "/bin/true", "/bin/false"), "--svg draws one program"),
        (("predict", "--svg", "x.svg", "/bin/true", "/bin/false"), "--svg draws one program"),
        (("predict", "--svg", "-", "--json", "-", "/bin/true"), "do not go together"),
    ],
)
def test_a_picture_that_cannot_be_is_refused_at_once(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_picture_that_cannot_be_saved_is_said_before_anything_runs(program: Path, tmp_path: Path) -> None:
    done = run("check", "--svg", tmp_path / "no" / "where.svg", program)
    assert done.returncode != 0
    assert "where.svg" in done.stderr
    assert done.stdout == ""


def test_gaps_and_pages_are_shown_when_asked_for(program: Path) -> None:
    plain = run("predict", "--until", "exec", program).stdout
    full = run("predict", "--until", "exec", "--gaps", "--pages", program).stdout
    assert " gap " not in plain
    assert full.count(" gap ") >= 3
    assert f"00000000-{BASE:08x}" in full
    vdso = [line for line in full.splitlines() if line.endswith("[vdso]")]
    assert len(vdso) == 2, "once in the map, once among the pages"
