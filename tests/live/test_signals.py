"""Signals: what a handler finds, which pages its frame takes, what comes back, and what a signal ends."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.live import launches
from tests.live.whole_runs import disagreements

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile

pytestmark = [pytest.mark.live, pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")]

SOURCE = Path(__file__).with_name("signals.c")
CASES = re.findall(r"^    case (\d+):", SOURCE.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def signals(stage: Path) -> Path:
    """Return the program, compiled."""
    built = stage / "signals"
    command = ["gcc", "-m32", "-static", "-O1", "-w", "-o", str(built), str(SOURCE)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("gcc cannot link static i386 programs")
    return built


@pytest.mark.parametrize("case", CASES)
def test_signals_are_linuxs(case: str, signals: Path, profile: MachineProfile) -> None:
    assert disagreements(launches.launch(signals, (str(signals), case)), profile) == []
