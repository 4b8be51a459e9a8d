"""One file, predicted and executed."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.errors import InspectorError
from inspector.fuzz.mutation import Role
from inspector.model.finding import Finding, Verdict
from inspector.observe.folios import folio_layout
from inspector.predict import predict
from inspector.reconcile.compare import compare_exec

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile
    from inspector.observe.exec_stage import ExecStage


class Standing(enum.Enum):
    """How a mutant came out; the value is the word it is counted by."""

    AGREES = "agree"
    DIFFERS = "differ"
    NOT_MODELLED = "not modelled"
    UNOBSERVED = "could not be observed"
    BROKEN = "broke the prediction"
    """The simulated loader failed with an error of its own: a bug."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one file."""

    standing: Standing
    differences: tuple[Finding, ...] = ()
    reason: str = ""
    """What is not modelled, why it could not be observed, what broke."""

    @property
    def kind(self) -> tuple[Standing, str, str]:
        """What a smaller file must show to stand for this one."""
        return self.standing, self.reason, self.differences[0].aspect if self.differences else ""


def try_file(contents: bytes, stage: ExecStage, profile: MachineProfile, role: Role = Role.PROGRAM) -> Trial:
    """Predict what execve does with `contents`, or with a program that names it; have it done, and compare.

    Raises LaunchFailed where this machine has no room for the file.
    """
    stage.set_file(contents)
    program = stage.program if role is Role.PROGRAM else stage.host
    try:
        prediction = predict(
            program,
            profile,
            until="exec",
            folios=folio_layout,
            shared_descriptors=stage.shared_descriptors,
        )
    except InspectorError as error:
        return Trial(Standing.UNOBSERVED, reason=str(error))
    except Exception as error:  # noqa: BLE001 - what fuzzing is there to find
        return Trial(Standing.BROKEN, reason=f"{type(error).__name__}: {error}")
    if prediction.not_modelled is not None:
        return Trial(Standing.NOT_MODELLED, reason=prediction.not_modelled.what)
    try:
        seen = stage.execute(program)
    except InspectorError as error:
        return Trial(Standing.UNOBSERVED, reason=str(error))
    findings = compare_exec(prediction, seen.verdict, seen.snapshot)
    differences = tuple(finding for finding in findings if finding.verdict is Verdict.DIFFERS)
    return Trial(Standing.DIFFERS if differences else Standing.AGREES, differences)
