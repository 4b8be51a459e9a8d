"""Signals: what a handler finds, which pages its frame takes, what comes back, and what a signal ends."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.observe.perf.witness import record_faults
from inspector.predict import predict
from tests.live import launches
from tests.live.compiling import static_program
from tests.live.whole_runs import differing_faults, disagreements

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile

pytestmark = [pytest.mark.live, pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")]

SOURCE = Path(__file__).with_name("signals.c")
RACES = re.findall(r"^    case (-\d+):", SOURCE.read_text(), re.MULTILINE)
CASES = re.findall(r"^    case (\d+):", SOURCE.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def signals(stage: Path) -> Path:
    """Return the program, compiled."""
    built = stage / "signals"
    return static_program(SOURCE, built)


@pytest.mark.parametrize("case", CASES)
def test_signals_are_linuxs(case: str, signals: Path, profile: MachineProfile) -> None:
    assert disagreements(launches.launch(signals, (str(signals), case)), profile) == []


@pytest.mark.parametrize("case", RACES)
def test_what_the_scheduler_decides_is_not_told(case: str, signals: Path, profile: MachineProfile) -> None:
    program = launches.launch(signals, (str(signals), case))
    prediction, trace = predict(program, profile), record_faults(program, seconds=30)
    assert prediction.not_modelled is not None
    assert prediction.not_modelled.what.startswith("a handler of SIGCHLD")
    assert prediction.faults is not None
    assert trace.faults is not None, trace.notes
    assert differing_faults(prediction.faults, trace.faults, so_far=True) == []
