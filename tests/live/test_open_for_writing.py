"""A file that someone writes to, asked of the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inspector.observe.staging import stage as staged
from inspector.predict import predict
from tests.live.against_witness import mismatches
from tests.live.launches import executable, launch
from tests.live.odd_programs import FIXED, INTERPRETERS, with_interpreter
from tests.live.stop_at_exec import witness_exec

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.profile import MachineProfile

pytestmark = pytest.mark.live


@pytest.mark.parametrize("busy", ["program", "interp"])
def test_program_and_interpreter(busy: str, stage: Path, witness: Path, profile: MachineProfile) -> None:
    executable(stage / "interp", INTERPRETERS["interp"])
    path = executable(stage / "program", with_interpreter(FIXED, b"interp\0").contents())
    program = launch(path, cwd=stage)
    with (stage / busy).open("r+b"):
        prediction, seen = predict(program, profile), witness_exec(witness, program)
    assert not mismatches(prediction, seen)
    refused = "refused: ETXTBSY" if profile.exec_rules.refuses_open_for_writing else "runs"
    assert seen.verdict == refused


def test_it_is_not_staged(stage: Path) -> None:
    path = executable(stage / "written", FIXED.contents())
    with path.open("r+b"), staged(str(path)) as place:
        assert place.path == str(path)
    with staged(str(path)) as place:
        assert place.path != str(path)
