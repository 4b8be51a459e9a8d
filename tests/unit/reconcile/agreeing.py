"""A prediction, and the observation that agrees with it but for one change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.model.observation import Host, Observation

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.model.finding import Finding, Verdict
    from inspector.model.prediction import Prediction
    from inspector.model.snapshot import Snapshot

HOST = Host("6.18.0-test", "x86_64", "13.1", 0, sees_pfn=True)


def seen(prediction: Prediction, change: Callable[[Snapshot], Snapshot] = lambda s: s) -> Observation:
    """Return the observation that agrees with `prediction`, but for `change`."""
    return Observation(
        program=prediction.program,
        host=HOST,
        verdict=replace(prediction.verdict, rule=None) if prediction.verdict else None,
        files=prediction.files,
        snapshots=tuple(change(snapshot) for snapshot in prediction.snapshots),
    )


def verdicts(findings: tuple[Finding, ...]) -> dict[str, Verdict]:
    return {finding.aspect: finding.verdict for finding in findings}
