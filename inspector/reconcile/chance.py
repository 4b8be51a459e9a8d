"""Telling a register that chance decides from one that was predicted wrongly.

A program is given random bytes (AT_RANDOM, getrandom) that no one can know, and leaves what it made of them
in registers. Where registers differ, the prediction is made once more with other random bytes: what the two
predictions do not agree on themselves depends on chance (rule `register.random`). A prediction that was saved
has found that out before, for its program may be gone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.errors import InspectorError
from inspector.model.finding import Finding, Verdict
from inspector.predict import name_random_registers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.model.prediction import Prediction

RULE = "register.random"


def explain_by_chance(prediction: Prediction, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return `findings`, those about registers that depend on chance explained.

    Where it is not known, and the program no longer there to be predicted again, they stay as they are.
    """
    doubtful = {finding.checkpoint for finding in findings if _is_doubtful(finding)}
    if not doubtful:
        return tuple(findings)
    random = _random_registers(prediction)
    if not doubtful <= random.keys():
        try:
            random = _random_registers(name_random_registers(prediction))
        except (InspectorError, OSError):
            return tuple(findings)
    return tuple(
        replace(finding, verdict=Verdict.EXPLAINED, rule=RULE)
        if _is_doubtful(finding) and finding.where in random.get(finding.checkpoint, ())
        else finding
        for finding in findings
    )


def _is_doubtful(finding: Finding) -> bool:
    """Whether a register differs after the program has run; at exec it has seen nothing random."""
    return (
        finding.aspect == "registers" and finding.verdict is Verdict.DIFFERS and finding.checkpoint != "exec"
    )


def _random_registers(prediction: Prediction) -> dict[str, tuple[str, ...]]:
    return {
        snapshot.checkpoint: snapshot.random_registers
        for snapshot in prediction.snapshots
        if snapshot.random_registers is not None
    }
