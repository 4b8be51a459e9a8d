"""Gathering what is to be told of one program: both wings, or the prediction alone, and its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.cli.check import Checked, Request, check_program
from inspector.cli.foretell import foretell
from inspector.cli.observe import complain_if_cut_short
from inspector.cli.working import BOTH, PREDICTION, working_on
from inspector.errors import CannotObserve

if TYPE_CHECKING:
    from inspector.model.finding import Finding
    from inspector.story.evidence import Evidence


def gather(request: Request, *, predict_only: bool) -> tuple[Evidence, Checked | None]:
    """Predict, observe unless told not to, and read the files while they are where execve finds them."""
    from inspector.story.evidence import Evidence, read_files

    what = PREDICTION if predict_only else BOTH
    with (
        working_on(request.requested, request.seconds, what),
        request.launching.prepare(request.requested) as program,
    ):
        files = read_files(program)
        if predict_only:
            prediction = foretell(
                program, request.profile, stops=request.stops, until=request.until, seconds=request.seconds
            )
            return Evidence(prediction, None, files), None
        checked = check_program(request)
    if checked.reconciliation is None:
        return Evidence(checked.prediction, None, files), checked
    found = checked.reconciliation
    rule = next((each.rule for each in found.findings if _is_explained_fault(each)), None)
    return Evidence(found.prediction, found.observation, files, rule), checked


def _is_explained_fault(finding: Finding) -> bool:
    return finding.aspect == "faults" and finding.verdict.value == "explained"


def why_unobserved(checked: Checked | None, *, predict_only: bool) -> str | None:
    """Return why there is no observation; None: there is one."""
    if predict_only:
        return "--predict-only"
    error = None if checked is None else checked.error
    return None if error is None else str(error)


def exit_code(evidence: Evidence, checked: Checked | None, *, differs: bool) -> int:
    """Return the exit code of what has been told.

    Raises InspectorError, once it has been, where nothing was observed, or not all of it.
    """
    if checked is not None and checked.error is not None:
        raise checked.error
    if checked is not None and checked.reconciliation is not None:
        complain_if_cut_short(checked.reconciliation.observation)
    if differs:
        return 1
    return 0 if evidence.prediction.not_modelled is None else CannotObserve.exit_code
