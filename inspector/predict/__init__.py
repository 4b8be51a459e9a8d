"""Wing 1: what Linux would do. It never imports `inspector.observe`, and cannot peek."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.prediction import Assumption, NotModelledAt, Prediction
from inspector.predict.kernel.exec import execve
from inspector.verb import Verb

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile, RandomBases
    from inspector.model.program import Program

__all__ = ["predict"]

sys.modules[__name__].__class__ = Verb


def predict(program: Program, profile: MachineProfile, *, bases: RandomBases | None = None) -> Prediction:
    """Predict what the machine of `profile` does when it executes `program`, up to its first instruction.

    `bases` are ASLR's choices, needed when `program.randomize` is set. What is not modelled ends the
    prediction there, named in `Prediction.not_modelled`; nothing is guessed.
    """
    assumptions: tuple[Assumption, ...] = ()
    if program.randomize and bases is None:
        return Prediction(
            program=program,
            profile=profile,
            verdict=None,
            not_modelled=NotModelledAt("the random bases of ASLR"),
        )
    if bases is not None:
        assumptions = tuple(Assumption(name, f"{value:#x}") for name, value in vars_of(bases))
    try:
        result = execve(program, profile, bases)
    except NotModelled as limit:
        return Prediction(
            program=program,
            profile=profile,
            verdict=None,
            not_modelled=NotModelledAt(limit.what, limit.ip),
            bases=bases,
            assumptions=assumptions,
        )
    snapshots = (result.process.snapshot("exec"),) if result.process is not None else ()
    return Prediction(
        program=program,
        profile=profile,
        verdict=result.verdict,
        files=result.files,
        snapshots=snapshots,
        bases=bases,
        assumptions=assumptions,
    )


def vars_of(bases: RandomBases) -> list[tuple[str, int]]:
    """Return the named inputs ASLR leaves to chance."""
    return [(name, getattr(bases, name)) for name in bases.__dataclass_fields__]
