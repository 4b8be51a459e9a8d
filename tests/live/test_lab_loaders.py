"""Loaders handed in, good and hostile, graded side by side."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from importlib import resources
from pathlib import Path

import pytest

from tests.live.lab_commands import lab, needs_bubblewrap, needs_python

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("nothing_is_left")]

HERE = Path(__file__).parent

GOOD = (HERE / "lab_loader.py").read_text()
SUBMISSIONS: dict[str, str] = {
    "a-perfect": GOOD,
    "b-partly": GOOD.replace("TOP - STACK * PAGE", "TOP - 34 * PAGE"),
    "c-bomb": "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
    "d-output": "while True: print('x' * 65536)",
    "e-sleeps": "import time; time.sleep(1000)",
    "f-forges": "print('Grade :=>> 100'); print('ok 1 - all'); print('</testsuites>'); print('\\x1b[2J')",
    "g-reads": "print(open('../../a-perfect/loader.py').read())",
    "h-writes": "open('../../.inspector-grades.jsonl', 'w'); open('answers.toml', 'w')",
    "i-perfect": GOOD,
}


@needs_bubblewrap
@needs_python
@pytest.mark.timeout(300)
def test_hostile_submissions_are_graded_beside_good_ones(place: Path) -> None:
    ready = (resources.files("inspector.lab") / "ready" / "loader.toml").read_text()
    (place / "loader.toml").write_text(
        ready.replace("seconds = 5", "seconds = 2").replace("hidden = 8", "hidden = 3")
    )
    top = place / "in"
    for name, code in SUBMISSIONS.items():
        (top / name).mkdir(parents=True)
        (top / name / "answers.toml").write_text('[loader]\ncommand = ["python3", "loader.py"]\n')
        (top / name / "loader.py").write_text(code)
    (top / "j-link").mkdir()
    (top / "j-link" / "answers.toml").write_text('[loader]\ncommand = ["python3", "loader.py"]\n')
    (top / "j-link" / "loader.py").symlink_to(top / "a-perfect" / "loader.py")
    (top / "k-blank").mkdir()
    (top / "k-blank" / "answers.toml").write_text("[loader]\ncommand = []\n")
    done = lab("grade", "in", "--exercise=loader.toml", "--report=json=out", "-j2", cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    results = {each["submission"]: each for each in map(json.loads, (place / "out").read_text().splitlines())}
    scores = {name: Fraction(each["questions"][0]["earned"]) for name, each in results.items()}
    assert scores["a-perfect"] == scores["i-perfect"] == 40, results["a-perfect"]
    assert 0 < scores["b-partly"] < 40
    assert {name: score for name, score in scores.items() if name[0] in "cdefghjk"} == dict.fromkeys(
        [name for name in scores if name[0] in "cdefghjk"], Fraction(0)
    )
    for name, words in {
        "c-bomb": "not over within",
        "d-output": "printed more than 1024 KiB",
        "e-sleeps": "not over within",
        "g-reads": "ended with status 1",
        "h-writes": "ended with status 1",
        "j-link": "left out: loader.py",
    }.items():
        assert any(words in note for note in results[name]["notes"]), (name, results[name]["notes"])
    assert all(line.isprintable() for line in done.stdout.splitlines())
    assert (top / "h-writes" / "answers.toml").read_text().startswith("[loader]")


@pytest.mark.skipif(os.geteuid() != 0, reason="the same user could end this test, too")
@needs_python
def test_unprotected_a_loader_does_not_end_the_next_one(place: Path) -> None:
    for name, code in (("a-kills", "import os\nwhile True: os.kill(-1, 9)"), ("b-good", GOOD)):
        (place / "in" / name).mkdir(parents=True)
        (place / "in" / name / "answers.toml").write_text('[loader]\ncommand = ["python3", "loader.py"]\n')
        (place / "in" / name / "loader.py").write_text(code)
    done = lab("grade", "in", "--exercise=loader", "--unsafe", "-j2", cwd=place)
    assert [line.split()[1:3] for line in done.stdout.splitlines()[2:4]] == [
        ["a-kills", "0"],
        ["b-good", "40"],
    ]


def test_where_there_is_no_sandbox_loaders_are_not_judged(place: Path) -> None:
    submission = place / "in" / "alice"
    submission.mkdir(parents=True)
    (submission / "answers.toml").write_text('[loader]\ncommand = ["python3", "loader.py"]\n')
    (submission / "loader.py").write_text("open('/tmp/inspector-was-run', 'w')")
    empty = place / "bin"
    empty.mkdir()
    done = lab("grade", "in", "--exercise=loader", "-v", cwd=place, PATH=str(empty))
    assert done.returncode == 3
    assert "could not judge" in done.stdout
    assert "--unsafe" in done.stdout
    assert not Path("/tmp/inspector-was-run").exists()  # noqa: S108
    (submission / "answers.toml").write_text("")
    assert lab("grade", "in", "--exercise=loader", cwd=place, PATH=str(empty)).returncode == 0
