"""Programs this repository has never seen, predicted to exec and held against the bare-ptrace witness."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from inspector.model.program import Layout
from inspector.predict import predict
from tests.live import corpus
from tests.live.against_witness import mismatches
from tests.live.launches import ORDINARY, launch
from tests.live.stop_at_exec import witness_exec

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.profile import MachineProfile

pytestmark = pytest.mark.live

PROGRAMS: list[Any] = corpus.programs() or [
    pytest.param(None, marks=pytest.mark.skip("corpus not fetched: run make corpus"), id="corpus")
]


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
@pytest.mark.parametrize("foreign", PROGRAMS, ids=lambda foreign: foreign and foreign.name)
def test_foreign_program_at_exec(
    foreign: corpus.ForeignProgram, layout: Layout, witness: Path, profile: MachineProfile, stage: Path
) -> None:
    staged = stage / foreign.name
    shutil.copy(foreign.path, staged)
    found = []
    for shape, (arguments, envp) in ORDINARY.items():
        # Some of the corpus's programs name their interpreter relative to where they were made.
        program = launch(staged, (str(staged), *arguments), envp, layout=layout, cwd=foreign.path.parent)
        seen = witness_exec(witness, program)
        found += [f"{shape}: {each}" for each in mismatches(predict(program, profile, until="exec"), seen)]
    staged.unlink()
    assert not found, "\n".join([f"{foreign.name} ({foreign.recipe})", *found])
