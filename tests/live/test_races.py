"""What the scheduler decides is not predicted: it is named, and what comes before it is Linux's."""

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
from tests.live.whole_runs import differing_faults

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile

pytestmark = [pytest.mark.live, pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")]

SOURCE = Path(__file__).with_name("races.c")
CASES = re.findall(r"^    case (\d+): /\* (.*) \*/", SOURCE.read_text(), re.MULTILINE)
"""Number and what is said of it."""


@pytest.fixture(scope="module")
def races(stage: Path) -> Path:
    """Return the program, compiled."""
    built = stage / "races"
    return static_program(SOURCE, built)


@pytest.mark.parametrize(("case", "what"), CASES)
def test_what_the_scheduler_decides_is_named(
    case: str, what: str, races: Path, profile: MachineProfile
) -> None:
    program = launches.launch(races, (str(races), case, str(races)))
    prediction, trace = predict(program, profile), record_faults(program, seconds=30)
    assert prediction.not_modelled is not None
    assert prediction.not_modelled.what.startswith(what)
    assert prediction.ending is None
    assert prediction.faults is not None
    assert trace.faults is not None, trace.notes
    assert differing_faults(prediction.faults, trace.faults, so_far=True) == []
