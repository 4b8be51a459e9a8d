"""Programs in the bottom-up layout, at exec, held against the bare-ptrace witness."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from inspector.model.program import Layout
from inspector.predict import predict
from tests.live.against_witness import mismatches
from tests.live.bottom_up import searching_from_below, witness_from_below
from tests.live.launches import STACK_LIMITS, executable, launch
from tests.live.odd_programs import CHOSEN
from tests.live.random_programs import random_file
from tests.live.test_exec_witness import FIXTURES, LAYOUT_STYLES

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.profile import MachineProfile

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def bottom_up(profile: MachineProfile) -> MachineProfile:
    return searching_from_below(profile)


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path and path.name)
def test_fixture(fixture: Path, layout: Layout, witness: Path, bottom_up: MachineProfile) -> None:
    program = launch(fixture, layout=layout)
    prediction = predict(program, bottom_up, until="exec")
    wrong = mismatches(prediction, witness_from_below(witness, program))
    assert not wrong
    (snapshot,) = prediction.snapshots
    vdso = next(vma for vma in snapshot.vmas or () if vma.name == "[vdso]")
    assert vdso.end < bottom_up.layouts[layout.value].task_size // 2


@pytest.mark.parametrize("stack_limit", STACK_LIMITS, ids=hex)
@pytest.mark.parametrize("fixture", LAYOUT_STYLES, ids=lambda path: path.name)
def test_the_stack_limit_moves_nothing(
    fixture: Path, stack_limit: int, witness: Path, bottom_up: MachineProfile
) -> None:
    if not fixture.exists():
        pytest.skip(f"{fixture.name} is not built here")
    program = launch(fixture, stack_limit=stack_limit)
    wrong = mismatches(predict(program, bottom_up, until="exec"), witness_from_below(witness, program))
    assert not wrong


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
@pytest.mark.parametrize("name", CHOSEN)
def test_odd_program(
    name: str, layout: Layout, beside: Path, witness: Path, bottom_up: MachineProfile
) -> None:
    program = launch(executable(beside / "program", CHOSEN[name].contents()), layout=layout, cwd=beside)
    wrong = mismatches(predict(program, bottom_up, until="exec"), witness_from_below(witness, program))
    assert not wrong


@pytest.mark.parametrize("batch", range(10))
def test_random_programs(batch: int, beside: Path, witness: Path, bottom_up: MachineProfile) -> None:
    found = []
    for seed in range(batch * 20, batch * 20 + 20):
        source = random.Random(seed)  # noqa: S311
        path = executable(beside / "program", random_file(source))
        program = launch(path, layout=source.choice(list(Layout)), cwd=beside)
        prediction = predict(program, bottom_up, until="exec")
        if not prediction.not_modelled:
            wrong = mismatches(prediction, witness_from_below(witness, program))
            found += [f"seed {seed}: {each}" for each in wrong]
    assert not found, "\n".join(found)
