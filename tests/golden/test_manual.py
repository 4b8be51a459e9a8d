"""What is installed for man and for the shells is what the commands say of themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.cli import lab
from inspector.cli.group import COMMANDS
from inspector.cli.manual import MANUAL, SHELLS, completion_script, manual_page

if TYPE_CHECKING:
    from collections.abc import Callable

SHARE = Path(__file__).parents[2] / "docs" / "installed" / "share"


def test_the_manual_page_tells_of_every_command(golden: Callable[[str | Path, str], None]) -> None:
    page = manual_page()
    assert all(f"\n.SS {name} " in page for name in (*COMMANDS, *(f"lab {each}" for each in lab.COMMANDS)))
    golden(SHARE / MANUAL, page)


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_completes(shell: str, golden: Callable[[str | Path, str], None]) -> None:
    golden(SHARE / SHELLS[shell], completion_script(shell))


@pytest.mark.skipif(shutil.which("man") is None, reason="no man here")
def test_man_reads_the_page_without_a_warning(tmp_path: Path) -> None:
    page = tmp_path / "inspector.1"
    page.write_text(manual_page(), encoding="utf-8")
    environment = {**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MANROFFSEQ": ""}
    done = subprocess.run(
        ["man", "--warnings", "-l", page],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--until CHECKPOINT" in done.stdout


def complete(words: str) -> list[str]:
    """Return what bash would be offered for the last of some words."""
    environment = {
        **os.environ,
        "_INSPECTOR_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "inspector"], capture_output=True, text=True, check=True, env=environment
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_commands_options_and_rules_are_completed() -> None:
    assert complete("inspector ex") == ["explain"]
    assert "--gaps" in complete("inspector check --g")
    assert complete("inspector rules vma.rel") == ["vma.relro"]
    assert complete("inspector check --color al") == ["always"]
