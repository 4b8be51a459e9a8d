"""Registers made of random bytes: what a saved prediction says of them, and what can still be found out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.errors import CannotObserve
from inspector.model.finding import Verdict
from inspector.predict import name_random_registers
from inspector.reconcile import reconcile
from tests.unit.reconcile.agreeing import seen

if TYPE_CHECKING:
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction
    from inspector.model.snapshot import Snapshot


STOP = "0x8048100"


def to_a_stop(prediction: Prediction, *random: str) -> tuple[Prediction, Observation]:
    """Return a prediction that knows `random` to be so at a stop, and an observation of other values."""
    (exec_,) = prediction.snapshots
    later = replace(exec_, checkpoint=STOP, stack=None, random_registers=random or None)

    def other(snapshot: Snapshot) -> Snapshot:
        assert snapshot.registers is not None
        changed = snapshot.checkpoint == STOP
        return replace(snapshot, registers=replace(snapshot.registers, ecx=5, edx=6)) if changed else snapshot

    predicted = replace(prediction, snapshots=(exec_, later))
    return predicted, seen(predicted, other)


def test_a_register_known_to_be_random_is_explained_and_no_other(prediction: Prediction) -> None:
    Path(prediction.program.path).unlink()
    result = reconcile(*to_a_stop(prediction, "ecx", "eax"))
    judged = {f.where: (f.verdict, f.rule) for f in result.findings if f.aspect == "registers" and f.where}
    assert judged == {
        "ecx": (Verdict.EXPLAINED, "register.random"),
        "edx": (Verdict.DIFFERS, None),
    }


def test_without_the_program_what_is_not_known_stays_a_difference(prediction: Prediction) -> None:
    Path(prediction.program.path).unlink()
    assert [f.where for f in reconcile(*to_a_stop(prediction)).differences] == ["ecx", "edx"]


def test_another_program_at_its_place_is_not_asked(prediction: Prediction) -> None:
    predicted, _ = to_a_stop(prediction)
    with Path(prediction.program.path).open("ab") as file:
        file.write(b"more")
    with pytest.raises(CannotObserve, match="not what it was"):
        name_random_registers(predicted)


def test_at_exec_nothing_is_random(prediction: Prediction) -> None:
    assert name_random_registers(prediction) is prediction
