"""ELF files no linker would make, predicted to exec and held against the bare-ptrace witness."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.model.program import Layout
from inspector.predict import predict
from tests.live.against_witness import mismatches
from tests.live.launches import executable, launch
from tests.live.odd_programs import CHOSEN, FIXED, OVER_THE_STRINGS, TEXT, R, W, X
from tests.live.random_programs import random_file
from tests.live.stop_at_exec import witness_exec

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.prediction import Prediction
    from inspector.model.profile import MachineProfile

pytestmark = pytest.mark.live

RANDOM_PROGRAMS = 400


def judge(
    contents: bytes, layout: Layout, directory: Path, witness: Path, profile: MachineProfile
) -> tuple[Prediction, list[str]]:
    """Return the prediction for `contents` as a program, and where the kernel differs."""
    program = launch(executable(directory / "program", contents), layout=layout, cwd=directory)
    prediction = predict(program, profile, until="exec")
    return prediction, mismatches(prediction, witness_exec(witness, program))


@pytest.mark.parametrize(
    ("flags", "vaddr", "verdict"),
    [
        *((flags, 0xFFE80000, "runs") for flags in (0, R, W, X, R | W)),
        *((flags, 0xFFF40000, "killed: SIGSEGV") for flags in (R, W, X, R | W)),
        (0, 0xFFF40000, "runs"),
    ],
)
def test_a_segment_near_a_stack_that_has_to_grow(
    flags: int, vaddr: int, verdict: str, beside: Path, witness: Path, profile: MachineProfile
) -> None:
    """Only one without any permission may lie within the guard gap."""
    near_the_stack = replace(TEXT, vaddr=vaddr, flags=flags)
    elf = replace(FIXED, segments=(*FIXED.segments, near_the_stack))
    path = executable(beside / "program", elf.contents())
    program = launch(path, (str(path), *["a"] * 60_000), cwd=beside)
    prediction = predict(program, profile)
    assert str(prediction.verdict) == verdict
    wrong = mismatches(prediction, witness_exec(witness, program))
    assert not wrong


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
@pytest.mark.parametrize("name", CHOSEN)
def test_chosen(name: str, layout: Layout, beside: Path, witness: Path, profile: MachineProfile) -> None:
    _, wrong = judge(CHOSEN[name].contents(), layout, beside, witness, profile)
    assert not wrong


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
@pytest.mark.parametrize("name", OVER_THE_STRINGS)
def test_over_the_strings(
    name: str, layout: Layout, beside: Path, witness: Path, profile: MachineProfile
) -> None:
    prediction, wrong = judge(OVER_THE_STRINGS[name].contents(), layout, beside, witness, profile)
    assert prediction.not_modelled or not wrong


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
@pytest.mark.parametrize("seed", range(RANDOM_PROGRAMS))
def test_random(seed: int, layout: Layout, beside: Path, witness: Path, profile: MachineProfile) -> None:
    contents = random_file(random.Random(seed))  # noqa: S311
    prediction, wrong = judge(contents, layout, beside, witness, profile)
    if prediction.not_modelled:
        pytest.skip(f"not modelled: {prediction.not_modelled.what}")
    assert not wrong
