"""Telling a register that chance decides from one that was predicted wrongly.

A program is given random bytes (AT_RANDOM, getrandom) that no one can know, and leaves what it made of them
in registers. Where registers differ, the prediction is made once more with other random bytes: what the two
predictions do not agree on themselves depends on chance (rule `register.random`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.errors import InspectorError
from inspector.model.finding import Finding, Verdict
from inspector.predict import second_opinion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.model.prediction import Prediction
    from inspector.model.registers import Registers

RULE = "register.random"


def explain_by_chance(prediction: Prediction, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return `findings`, those about registers that depend on chance explained.

    Where the program is no longer there to be predicted again, they stay as they are.
    """
    doubtful = [
        finding.checkpoint
        for finding in findings
        if finding.aspect == "registers"
        and finding.verdict is Verdict.DIFFERS
        and finding.checkpoint != "exec"
    ]
    if not doubtful:
        return tuple(findings)
    try:
        other = second_opinion(prediction, doubtful[-1])
    except (InspectorError, OSError):
        return tuple(findings)
    ours, theirs = _registers(prediction), _registers(other)
    return tuple(
        replace(finding, verdict=Verdict.EXPLAINED, rule=RULE)
        if finding.aspect == "registers"
        and finding.verdict is Verdict.DIFFERS
        and _disagree(ours.get(finding.checkpoint), theirs.get(finding.checkpoint), finding.where)
        else finding
        for finding in findings
    )


def _registers(prediction: Prediction) -> dict[str, Registers | None]:
    return {snapshot.checkpoint: snapshot.registers for snapshot in prediction.snapshots}


def _disagree(mine: Registers | None, other: Registers | None, name: str) -> bool:
    return mine is not None and other is not None and getattr(mine, name) != getattr(other, name)
