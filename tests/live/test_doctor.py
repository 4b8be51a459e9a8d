"""The doctor on this machine, whatever it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.observe.doctor import can_check, examine
from inspector.observe.machine import Machine
from inspector.observe.staging import stage

pytestmark = pytest.mark.live


def test_it_judges_everything_and_its_exit_code_says_whether_check_can_run() -> None:
    checks = list(examine())
    assert len({check.name for check in checks}) == len(checks)
    assert [check for check in checks if check.ok is None] == []
    done = subprocess.run(
        [sys.executable, "-m", "inspector", "doctor"], capture_output=True, text=True, check=False
    )
    assert done.returncode == (0 if can_check(checks) else 3)
    for check in checks:
        assert check.name in done.stdout
    assert done.stderr == ""


def test_its_own_program_is_staged_as_any_other(tmp_path: Path) -> None:
    copy = tmp_path / "true"
    shutil.copy("/bin/true", copy)
    with stage(str(copy)) as other:
        expected = (str(Path(other.path).parent.parent), other.note)
    if expected[1] is not None:
        pytest.skip(f"nothing is staged here: {expected[1]}")
    assert Machine().staging() == expected


def test_every_attempt_leaves_the_process_as_it_was() -> None:
    machine = Machine()
    before = machine.read("/proc/self/personality")
    machine.sets_personality(0x0040000)
    assert machine.read("/proc/self/personality") == before


def test_a_program_that_cannot_be_run_is_an_answer() -> None:
    machine = Machine()
    assert machine.run(["/nonexistent"])[0] == 127
    assert machine.run(["cat"], "text") == (0, "text")
    assert machine.links_i386(["/nonexistent"])[0] is False
    assert machine.read("/nonexistent\0") is None
