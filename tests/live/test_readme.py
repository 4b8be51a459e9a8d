"""Every command the README shows is run, and its Python too; so it is in Chinese."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README, CHINESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
FIRST_PAGES = pytest.mark.parametrize("readme", [README, CHINESE], ids=["en", "zh"])
(PYTHON,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
BOOK = README[README.index("## See it, and ask why") : README.index("## What it needs")]
CHINESE_BOOK = CHINESE[CHINESE.index("## 看见它") : CHINESE.index("## 它需要什么")]
_TRANSCRIPT = re.compile(r"```\n\$ ([^\n]*)\n(.*?)```", re.DOTALL)
BOOK_TRANSCRIPTS = _TRANSCRIPT.findall(BOOK)
CHINESE_TRANSCRIPTS = [each for each in _TRANSCRIPT.findall(CHINESE_BOOK) if each not in BOOK_TRANSCRIPTS]
_BUILT = re.compile(r"fixtures/build/\w+")


def commands(readme: str) -> list[str]:
    lines = (line for line in readme.splitlines() if line.startswith("    .venv/bin/inspector "))
    return [line.partition("  #")[0].strip() for line in lines]


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


@FIRST_PAGES
def test_the_commands_do_what_they_say(readme: str, checkout: Path) -> None:
    assert len(commands(readme)) > 8
    for command in commands(readme):
        done = run(command, checkout)
        expected = {0, 3} if {"doctor", "fuzz"} & set(command.split()) else {0}
        assert done.returncode in expected, (command, done.stdout, done.stderr)


def test_the_chinese_readme_shows_what_the_english_one_does() -> None:
    """Blocks of code are the same, but for what is printed in Chinese, and comments."""
    plain = [line.replace(" --lang zh", "") for line in commands(CHINESE)]
    added = ".venv/bin/inspector check fixtures/build/hello"  # which shows how Chinese is asked for
    assert set(commands(README)) ^ set(plain) == {added}
    shown = [command.replace(" --lang zh", "") for command, _ in _TRANSCRIPT.findall(CHINESE_BOOK)]
    assert shown == [command for command, _ in BOOK_TRANSCRIPTS]
    assert f"```python\n{PYTHON}```" in CHINESE
    headings = [
        [line.count("#") for line in re.findall("^#+ ", each, re.MULTILINE)] for each in (README, CHINESE)
    ]
    assert headings[0] == headings[1]
    assert set(re.findall(r"\]\((docs/[^)]*)\)", CHINESE)) == set(re.findall(r"\]\((docs/[^)]*)\)", README))


def test_the_python_runs(checkout: Path) -> None:
    done = run(f"{shlex.quote(sys.executable)} -c {shlex.quote(PYTHON)}", checkout)
    assert (done.returncode, done.stdout) == (0, "0 ()\n"), done.stderr


@FIRST_PAGES
def test_the_transcript_is_what_is_printed(readme: str, checkout: Path) -> None:
    """Its headings, rows and counts; addresses, inodes and versions are this machine's own."""
    command, shown = _TRANSCRIPT.findall(readme)[0]
    assert unprinted(command, shown, checkout) == []


@pytest.mark.parametrize(
    ("command", "shown"),
    [*BOOK_TRANSCRIPTS, *CHINESE_TRANSCRIPTS],
    ids=[command.split()[1] for command, _ in (*BOOK_TRANSCRIPTS, *CHINESE_TRANSCRIPTS)],
)
def test_the_machines_print_what_is_shown(command: str, shown: str, checkout: Path) -> None:
    """To the letter, but for what is told of a program: that is the compiler's and this machine's own."""
    # Both pages make this folder, and none is made twice.
    shutil.rmtree(checkout / "overlay", ignore_errors=True)
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
