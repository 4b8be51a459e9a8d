"""Faults as a function of the number of frames, for any policy; and where more frames fault more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.simulators.replacement.policy import make_policy
from inspector.simulators.replacement.replay import count_faults
from inspector.simulators.replacement.stack_distance import lru_curve

if TYPE_CHECKING:
    from collections.abc import Sequence


def fault_curve(name: str, references: Sequence[int], most_frames: int, seed: int = 0) -> list[int]:
    """Return the faults of the policy `name` with 1, 2, ... `most_frames` frames. Raises UsageError."""
    if name == "lru":
        curve = lru_curve(references)
        return [curve.at(frames) for frames in range(1, most_frames + 1)]
    return [
        count_faults(references, make_policy(name, frames=frames, references=references, seed=seed))
        for frames in range(1, most_frames + 1)
    ]


def anomalies(curve: Sequence[int]) -> list[int]:
    """Return the numbers of frames, from 1, that fault more than one frame less does.

    Belady, Nelson, Shedler, "An anomaly in space-time characteristics of certain programs running in a paging
    machine", 1969.
    """
    return [index + 1 for index in range(1, len(curve)) if curve[index] > curve[index - 1]]
