"""Holding the two wings against each other: every difference, each with its place and its rule."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inspector.model.finding import Finding, Verdict
from inspector.model.notebook import ShownInNotebooks
from inspector.model.prediction import Outcome
from inspector.reconcile.chance import explain_by_chance
from inspector.reconcile.checkpoints import distinct
from inspector.reconcile.compare import compare
from inspector.reconcile.subject import SUBJECT
from inspector.verb import Verb

if TYPE_CHECKING:
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction

__all__ = ["Reconciliation", "reconcile"]

sys.modules[__name__].__class__ = Verb


@dataclass(frozen=True, slots=True)
class Reconciliation(ShownInNotebooks):
    """A prediction, an observation, and what comparing them found."""

    prediction: Prediction
    observation: Observation
    findings: tuple[Finding, ...]

    @property
    def differences(self) -> tuple[Finding, ...]:
        """The findings that no rule explains."""
        return tuple(finding for finding in self.findings if finding.verdict is Verdict.DIFFERS)

    @property
    def of_one_run(self) -> bool:
        """Whether both wings speak of the same program, run the same way; if not, nothing was compared."""
        return all(finding.aspect != SUBJECT for finding in self.differences)

    @property
    def exit_code(self) -> int:
        """0: they agree; 1: they differ; 3: not modelled to its end, cut short, or not comparable in part."""
        if self.differences:
            return 1
        unknown = self.prediction.not_modelled is not None or self.observation.cut_short is not None
        return 3 if unknown or self.uncompared else 0

    @property
    def uncompared(self) -> tuple[str, ...]:
        """The checkpoints at which nothing could be compared; of a refused program, `execve`.

        They are those that were predicted, and those of stops that were asked for and never reached. What is
        UNOBSERVED or NOT_PREDICTED is not compared. That a program runs says nothing of how: without a
        snapshot that was compared, it is not an agreement.
        """
        verdict = self.prediction.verdict
        if verdict is None or verdict.outcome is not Outcome.RUNS:
            expected: tuple[str, ...] = ("execve",)
        else:
            predicted = tuple(snapshot.checkpoint for snapshot in self.prediction.snapshots) or ("exec",)
            expected = tuple(dict.fromkeys((*predicted, *self.observation.unreached)))
        compared = {
            finding.checkpoint
            for finding in self.findings
            if finding.verdict in (Verdict.AGREES, Verdict.EXPLAINED) and finding.aspect != "machine"
        }
        return tuple(name for name in expected if name not in compared)


def reconcile(prediction: Prediction, observation: Observation) -> Reconciliation:
    """Compare everything both wings know of the same run.

    A checkpoint that is there twice is renamed in the result: `main`, `main#2`.
    """
    prediction = replace(prediction, snapshots=distinct(prediction.snapshots))
    observation = replace(observation, snapshots=distinct(observation.snapshots))
    findings = explain_by_chance(prediction, tuple(compare(prediction, observation)))
    return Reconciliation(prediction, observation, findings)
