"""Every command the README shows is run, and its Python too."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.partition("  #")[0].strip()
    for line in README.splitlines()
    if line.startswith("    .venv/bin/inspector ")
]
(PYTHON,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
BOOK = README[README.index("## See it, and ask why") : README.index("## What it needs")]
BOOK_TRANSCRIPTS = re.findall(r"```\n\$ ([^\n]*)\n(.*?)```", BOOK, re.DOTALL)
_BUILT = re.compile(r"fixtures/build/\w+")
TRANSCRIPT_COMMAND = re.search(r"^\$ (.*)$", README, re.MULTILINE)

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not (ROOT / "fixtures" / "build" / "hello").exists(), reason="fixtures not built"),
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory in which the README's paths lead here, and the files it makes stay there."""
    directory = tmp_path_factory.mktemp("checkout")
    (directory / "fixtures").symlink_to(ROOT / "fixtures")
    (directory / ".venv" / "bin").mkdir(parents=True)
    (directory / ".venv" / "bin" / "inspector").symlink_to(Path(sys.executable).with_name("inspector"))
    return directory


def run(command: str, checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=checkout,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "80", "PYTHONPATH": str(ROOT)},
    )


def test_the_commands_do_what_they_say(checkout: Path) -> None:
    assert len(COMMANDS) > 8
    for command in COMMANDS:
        done = run(command, checkout)
        expected = {0, 3} if {"doctor", "fuzz"} & set(command.split()) else {0}
        assert done.returncode in expected, (command, done.stdout, done.stderr)


def test_the_python_runs(checkout: Path) -> None:
    done = run(f"{shlex.quote(sys.executable)} -c {shlex.quote(PYTHON)}", checkout)
    assert (done.returncode, done.stdout) == (0, "0 ()\n"), done.stderr


def test_the_transcript_is_what_is_printed(checkout: Path) -> None:
    """Its headings, rows and counts; addresses, inodes and versions are this machine's own."""
    assert TRANSCRIPT_COMMAND is not None
    start = TRANSCRIPT_COMMAND.end()
    shown = README[start : README.index("```", start)].strip("\n")
    assert unprinted(TRANSCRIPT_COMMAND[1], shown, checkout) == []


@pytest.mark.parametrize(
    ("command", "shown"), BOOK_TRANSCRIPTS, ids=[command.split()[1] for command, _ in BOOK_TRANSCRIPTS]
)
def test_the_machines_print_what_is_shown(command: str, shown: str, checkout: Path) -> None:
    """To the letter, but for what is told of a program: that is the compiler's and this machine's own."""
    if "fixtures/" in command:
        named = [ROOT / path for path in re.findall(r"fixtures/\S+", command)]
        listed = [path.read_text(encoding="utf-8") for path in named if path.suffix == ".list"]
        built = map(ROOT.joinpath, _BUILT.findall("\n".join(listed)))
        if not all(path.exists() for path in (*named, *built)):
            pytest.skip("this compiler does not build it")
        assert unprinted(command, shown, checkout) == []
    else:
        assert run(command, checkout).stdout == shown


def unprinted(command: str, shown: str, checkout: Path) -> list[str]:
    """Return the lines shown that the command does not print, whatever their numbers."""
    printed = {_shape(line) for line in run(command, checkout).stdout.splitlines()}
    return [line for line in shown.splitlines() if line != "..." and _shape(line) not in printed]


def _shape(line: str) -> str:
    """Return a line without what differs between machines: numbers, hashes, and the columns they fill."""
    return re.sub(r"[0-9a-f]{2,}|\d+", "#", re.sub(r"\(.*?\)|gdb .*|Linux .*|/dev/s\S*", "", line)).replace(
        " ", ""
    )
