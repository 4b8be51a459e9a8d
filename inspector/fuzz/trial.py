"""One file, predicted and executed."""

from __future__ import annotations

import enum
import re
import traceback
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from inspector.errors import InspectorError, NotModelled
from inspector.fuzz.surroundings import Role, Surroundings
from inspector.model.finding import Finding, Verdict
from inspector.observe.folios import folio_layout
from inspector.predict import predict
from inspector.reconcile.compare import compare_exec

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program
    from inspector.observe.exec_stage import ExecStage, SeenExec

_MORE_TRIES = 3
_ADDRESS = re.compile(r"0x[0-9a-f]+")


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
    findings: tuple[Finding, ...] = ()
    """Of every aspect that was held against the kernel's word."""
    reason: str = ""
    """What is not modelled, why it could not be observed, what broke and where."""

    @property
    def differences(self) -> tuple[Finding, ...]:
        """What was predicted one way and seen another."""
        return tuple(finding for finding in self.findings if finding.verdict is Verdict.DIFFERS)

    @property
    def compared(self) -> tuple[str, ...]:
        """The aspects that agree: the verdict, and of a program that runs all that is predicted of it."""
        return tuple(finding.aspect for finding in self.findings if finding.verdict is Verdict.AGREES)

    @property
    def kind(self) -> tuple[object, ...]:
        """What a smaller file must show to stand for this one.

        The same answers of execve, and differences in the same rows and columns, at whatever addresses: or
        shrinking would come to one bug from another.
        """
        rows = frozenset(
            (finding.aspect, _ADDRESS.sub("", finding.where), finding.rule) for finding in self.differences
        )
        answers = [(each.predicted, each.observed) for each in self.findings if each.aspect == "verdict"]
        return self.standing, _ADDRESS.sub("", self.reason), *answers, rows


def try_file(
    contents: bytes,
    stage: ExecStage,
    profile: MachineProfile,
    role: Role = Role.PROGRAM,
    surroundings: Surroundings | None = None,
) -> Trial:
    """Predict what execve does with `contents`, or with a program that names it; have it done, and compare.

    Raises LaunchFailed where this machine has no room for the file.
    """
    stage.set_file(contents)
    try:
        return _try(stage, profile, role, surroundings or Surroundings())
    except NotModelled as error:
        return Trial(Standing.NOT_MODELLED, reason=error.what)
    except InspectorError as error:
        return Trial(Standing.UNOBSERVED, reason=str(error))
    except Exception as error:  # noqa: BLE001 - what fuzzing is there to find
        return Trial(Standing.BROKEN, reason=f"{type(error).__name__}: {error}, at {_place(error)}")


def _try(stage: ExecStage, profile: MachineProfile, role: Role, around: Surroundings) -> Trial:
    program = stage.otherwise(
        stage.program if role is Role.PROGRAM else stage.host,
        stack_limit=around.stack_limit,
        argv=around.strings("argv"),
        envp=around.strings("envp"),
    )
    prediction = predict(
        program,
        around.profile(profile),
        until="exec",
        folios=folio_layout,
        shared_descriptors=stage.shared_descriptors,
    )
    if prediction.not_modelled is not None:
        return Trial(Standing.NOT_MODELLED, reason=prediction.not_modelled.what)
    seen = _executed(stage, program, around)
    findings = tuple(compare_exec(prediction, seen.verdict, seen.snapshot))
    if any(finding.verdict is Verdict.DIFFERS for finding in findings):
        return Trial(Standing.DIFFERS, findings)
    unseen = [finding.aspect for finding in findings if finding.verdict is Verdict.UNOBSERVED]
    blind = [aspect for aspect in unseen if aspect not in _FOR_ROOT]
    if blind:
        return Trial(Standing.UNOBSERVED, findings, reason=", ".join(blind))
    return Trial(Standing.AGREES, findings)


def _executed(stage: ExecStage, program: Program, around: Surroundings) -> SeenExec:
    """Execute `program`, until what it takes from an interpreter on a disk is in memory.

    A page's first read is a major fault, every later one is minor (rule `observe.first-read-major`).
    """
    seen = stage.execute(program, bottom_up=around.bottom_up)
    for _ in range(_MORE_TRIES):
        if seen.snapshot is None or not seen.snapshot.major_faults:
            break
        seen = stage.execute(program, bottom_up=around.bottom_up)
    return seen


_FOR_ROOT = frozenset({"frames"})
"""Who may not see them has compared all that is about execve."""


def _place(error: Exception) -> str:
    """Return where an error was raised: `mm.py:212`."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{PurePath(frame.filename).name}:{frame.lineno}"
