"""Hundreds of programs with segments side by side: which of them are one area, asked of the kernel anew."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from inspector.model.program import Layout
from inspector.predict import predict
from tests.live.against_witness import mismatches
from tests.live.launches import launch
from tests.live.segment_layouts import random_layout
from tests.live.stop_at_exec import witness_exec

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.profile import MachineProfile

pytestmark = pytest.mark.live

SEEDS = [*range(300), *(random.SystemRandom().randrange(1 << 32) for _ in range(100))]
"""Three hundred that stay the same, so that a rule once learnt stays, and a hundred new ones each time."""


@pytest.mark.parametrize("batch", range(20))
def test_areas_of_shuffled_segments(batch: int, stage: Path, witness: Path, profile: MachineProfile) -> None:
    found = []
    for seed in SEEDS[batch::20]:
        elf = random_layout(random.Random(seed))  # noqa: S311
        path = stage / "segments"
        path.unlink(missing_ok=True)
        path.write_bytes(elf.contents())
        path.chmod(0o755)
        program = launch(path, layout=random.Random(seed).choice(list(Layout)))  # noqa: S311
        wrong = mismatches(predict(program, profile), witness_exec(witness, program))
        found += [f"seed {seed}, {elf.segments}: {each}" for each in wrong]
    assert not found, "\n".join(found)
