"""Hundreds of programs that try the address space, some of them new each time, asked of the kernel."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from inspector.model.program import Layout
from inspector.predict import predict
from tests.live.against_witness import mismatches
from tests.live.bottom_up import searching_from_below, witness_from_below
from tests.live.launches import executable, launch
from tests.live.segment_layouts import crowded, random_layout
from tests.live.stop_at_exec import witness_exec

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.profile import MachineProfile

pytestmark = pytest.mark.live

FRESH = random.SystemRandom()


def seeds(batch: int) -> list[int]:
    """Return fifteen seeds that stay the same, so that a rule once learnt stays, and five new ones."""
    return [*range(batch * 15, batch * 15 + 15), *(FRESH.randrange(1 << 32) for _ in range(5))]


@pytest.mark.parametrize("batch", range(20))
def test_areas_of_shuffled_segments(batch: int, stage: Path, witness: Path, profile: MachineProfile) -> None:
    found = []
    for seed in seeds(batch):
        source = random.Random(seed)  # noqa: S311
        path = executable(stage / "segments", random_layout(source).contents())
        program = launch(path, layout=source.choice(list(Layout)))
        wrong = mismatches(predict(program, profile, until="exec"), witness_exec(witness, program))
        found += [f"seed {seed}: {each}" for each in wrong]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("batch", range(20))
def test_room_in_a_crowded_address_space(
    batch: int, beside: Path, witness: Path, profile: MachineProfile
) -> None:
    found = []
    for seed in seeds(batch):
        source = random.Random(seed)  # noqa: S311
        layout, from_below = source.choice(list(Layout)), source.random() < 0.5
        path = executable(beside / "crowded", crowded(source, layout).contents())
        program = launch(path, layout=layout, cwd=beside)
        if from_below:
            prediction = predict(program, searching_from_below(profile), until="exec")
            wrong = mismatches(prediction, witness_from_below(witness, program))
        else:
            wrong = mismatches(predict(program, profile, until="exec"), witness_exec(witness, program))
        found += [f"seed {seed}: {each}" for each in wrong]
    assert not found, "\n".join(found)
