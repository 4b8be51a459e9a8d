"""Holding the two wings against each other: every difference, each with its place and its rule."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.model.finding import Finding, Verdict
from inspector.reconcile.compare import compare
from inspector.verb import Verb

if TYPE_CHECKING:
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction

__all__ = ["Reconciliation", "reconcile"]

sys.modules[__name__].__class__ = Verb


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A prediction, an observation, and what comparing them found."""

    prediction: Prediction
    observation: Observation
    findings: tuple[Finding, ...]

    @property
    def differences(self) -> tuple[Finding, ...]:
        """The findings that no rule explains."""
        return tuple(finding for finding in self.findings if finding.verdict is Verdict.DIFFERS)

    @property
    def exit_code(self) -> int:
        """0: they agree; 1: they differ; 3: not modelled, or nothing could be observed."""
        if self.differences:
            return 1
        agreed = any(finding.verdict in (Verdict.AGREES, Verdict.EXPLAINED) for finding in self.findings)
        unseen = any(
            finding.aspect == "snapshot" and finding.verdict is Verdict.UNOBSERVED
            for finding in self.findings
        )
        return 0 if agreed and not unseen and self.prediction.verdict is not None else 3


def reconcile(prediction: Prediction, observation: Observation) -> Reconciliation:
    """Compare everything both wings know of the same program."""
    return Reconciliation(prediction, observation, tuple(compare(prediction, observation)))
