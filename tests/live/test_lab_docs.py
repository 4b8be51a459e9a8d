"""The pages for teachers and students: what they say to type is typed, and prints what they show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"```(?P<kind>\w*)\n(?P<text>.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", ["lab-teachers.md", "lab-students.md"])
def test_a_page_shows_what_is_printed(page: str, tmp_path: Path) -> None:
    shown = 0
    for block in _BLOCK.finditer((DOCS / page).read_text(encoding="utf-8")):
        if block["kind"] == "toml":
            name = block["text"].splitlines()[0].removeprefix("# ")
            (tmp_path / name).write_text(block["text"])
            continue
        command, _, expected = block["text"].removeprefix("$ ").partition("\n")
        shown += 1
        assert missing(expected, run(command, tmp_path)) == [], command
    assert shown > 3


def run(command: str, directory: Path) -> str:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "80",
    }
    environment.pop("INSPECTOR_LAB_SECRET", None)
    done = subprocess.run(
        ["bash", "-c", command], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout


def missing(expected: str, printed: str) -> list[str]:
    """Return what is shown and was not printed; `...` stands for lines left out."""
    pattern = re.escape(expected).replace(re.escape("...\n"), r"(?:.*\n)*?")
    return [] if re.fullmatch(pattern, printed) else [expected, printed]
