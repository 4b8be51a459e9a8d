"""Predicting where the command must go on, whatever stands in the prediction's way."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from inspector.errors import InspectorError, NotModelled, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.model.folio import FileFolios
    from inspector.model.prediction import Prediction
    from inspector.model.profile import MachineProfile, RandomBases
    from inspector.model.program import Program
    from inspector.observe.deadline import Deadline
    from inspector.predict.machine.references import PageReferences


def foretell(
    program: Program,
    profile: MachineProfile,
    bases: RandomBases | None = None,
    *,
    stops: Sequence[str] = (),
    until: str | None = None,
    seconds: float = 60.0,
    references: PageReferences | None = None,
) -> Prediction:
    """Predict `program`; what the prediction could not read ends it as something not modelled."""
    from inspector.model.prediction import NotModelledAt, Prediction
    from inspector.observe.deadline import Deadline
    from inspector.predict import predict

    try:
        return predict(
            program,
            profile,
            bases=bases,
            stops=stops,
            until=until,
            seconds=seconds,
            folios=partial(_folios, program, Deadline.after(seconds)),
            references=references,
        )
    except UsageError:
        raise
    except InspectorError as error:
        # The report names the program already, and says that it is not modelled.
        what = error.what if isinstance(error, NotModelled) else str(error).removeprefix(f"{program.path}: ")
        limit = NotModelledAt(what, help=error.help)
        return Prediction(program, profile, verdict=None, not_modelled=limit, bases=bases)


def _folios(program: Program, deadline: Deadline, path: str) -> FileFolios | None:
    """Return how the page cache holds the file at `path`, which is mapped for that.

    Of a staged program others count how often it is mapped, so that has to wait until they are done.
    """
    from inspector.observe.folios import folio_layout
    from inspector.observe.turns import turn

    if path != program.path or path == program.requested:
        return folio_layout(path)
    with turn([path], deadline):
        return folio_layout(path)


def require_file(path: str) -> None:
    """Raise UsageError if there is nothing at `path`, for what makes sense of a program that runs alone."""
    if not os.path.lexists(path):
        raise UsageError(f"{path or ascii(path)}: no such file", help="give the path of a program")


def nothing_to_show(path: str, prediction: Prediction, what: str) -> InspectorError:
    """Return the error that `what` is missing of a program whose prediction has not come so far."""
    from inspector.language import tr, tr_error
    from inspector.report.program import not_modelled_text, run_text

    why = not_modelled_text(prediction)
    if not why and prediction.verdict is not None:
        why = tr("it {verdict}").format(verdict=run_text(prediction.verdict))
    return InspectorError(tr(": ").join((path, tr_error(what), why)), help="inspector predict says more")
