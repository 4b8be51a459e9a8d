"""Replays and curves as JSON.

Answers are members of their own, which a question leaves null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inspector.simulators.replacement.replay import ProgramReferences, Replacement


class StepJson(msgspec.Struct):
    """One reference: the page, its frame, whether it is a fault, and the page that left for it."""

    page: int
    frame: int
    fault: bool
    evicted: int | None


class ProgramJson(msgspec.Struct):
    """The predicted run that the references are of, and what it was not followed beyond (null: nothing)."""

    path: str
    instructions: int
    accesses: int
    not_modelled: str | None


class ReplacementJson(msgspec.Struct):
    """A replay: inspector.replacement/1."""

    policy: str
    frames: int | None
    """null: as many as the policy fills."""
    window: int | None
    references: list[int]
    faults: int | None
    hits: int | None
    steps: list[StepJson] | None
    program: ProgramJson | None = None
    schema: str = "inspector.replacement/1"


class CurveJson(msgspec.Struct):
    """Faults by number of frames, from 1: inspector.replacement-curve/1."""

    references: list[int]
    faults: dict[str, list[int]] | None
    program: ProgramJson | None = None
    schema: str = "inspector.replacement-curve/1"


def _program_json(run: ProgramReferences | None) -> ProgramJson | None:
    if run is None:
        return None
    return ProgramJson(run.path, run.instructions, run.accesses, run.not_modelled)


def replacement_json(replacement: Replacement, run: ProgramReferences | None = None, *, solve: bool) -> bytes:
    """Return a replay as one line of JSON, its answers left out of a question."""
    references, faults = list(replacement.references), replacement.faults
    steps = [StepJson(step.page, step.frame, step.fault, step.evicted) for step in replacement.steps]
    return msgspec.json.encode(
        ReplacementJson(
            replacement.policy,
            replacement.frames,
            replacement.window,
            references,
            faults if solve else None,
            len(references) - faults if solve else None,
            steps if solve else None,
            _program_json(run),
        )
    )


def curve_json(
    references: Sequence[int],
    curves: Mapping[str, Sequence[int]],
    run: ProgramReferences | None = None,
    *,
    solve: bool,
) -> bytes:
    """Return the curves, by policy, as one line of JSON."""
    faults = {name: list(curve) for name, curve in curves.items()}
    return msgspec.json.encode(CurveJson(list(references), faults if solve else None, _program_json(run)))
