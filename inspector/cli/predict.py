"""`inspector predict`: what Linux will do, without running the program."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from inspector.cli.foretell import foretell
from inspector.cli.options import (
    Launching,
    ProgramCommand,
    launching_options,
    machine_profile,
    picture_options,
    predicting_option,
    profile_option,
    programs_argument,
    refuse_picture_of_many,
)
from inspector.cli.working import PREDICTION, working_on
from inspector.errors import InspectorError

if TYPE_CHECKING:
    from inspector.cli.batch import Presented
    from inspector.cli.output import Output
    from inspector.model.prediction import Prediction
    from inspector.model.profile import MachineProfile

_NOT_MODELLED = 3


@click.command(cls=ProgramCommand, short_help="What Linux will do with a program, without running it.")
@programs_argument
@launching_options
@click.option("--until", metavar="CHECKPOINT", help="How far to predict. [exit]")
@predicting_option
@profile_option
@picture_options
def command(
    programs: tuple[str, ...],
    how: Launching,
    until: str | None,
    seconds: float,
    profile: str | None,
    shown: Output,
) -> int:
    """Predict what Linux does with each PROGRAM. None of them is run.

    What follows -- are arguments for the programs.

    Example: inspector predict --until main fixtures/build/hello
    """
    machine = machine_profile(profile)
    if len(programs) == 1:
        with working_on(programs[0], seconds, PREDICTION):
            prediction = _predict(how, machine, until, seconds, programs[0], to_save=shown.wants_json)
        return _show_one(prediction, shown)
    refuse_picture_of_many(shown)
    from inspector.cli.batch import arguments_hint_for, present_each

    present = partial(_present, how, machine, until, seconds, shown)
    hint = arguments_hint_for(programs)
    return present_each(present, programs, shown, arguments=how.arguments, hint=hint)


def _predict(
    how: Launching,
    profile: MachineProfile,
    until: str | None,
    seconds: float,
    requested: str,
    *,
    to_save: bool,
) -> Prediction:
    """Predict one program; what is saved says what depends on chance, while the program is there to ask."""
    from inspector.predict import name_random_registers

    with how.prepare(requested) as program:
        prediction = foretell(program, profile, until=until, seconds=seconds)
        if to_save:
            with suppress(InspectorError, OSError):
                return name_random_registers(prediction)
        return prediction


def _exit_code(prediction: Prediction) -> int:
    return 0 if prediction.not_modelled is None else _NOT_MODELLED


def _show_one(prediction: Prediction, output: Output) -> int:
    from inspector.elf.glance import glance
    from inspector.model.document import prediction_document as json_document
    from inspector.report.check import prediction_document

    if output.wants_json:
        output.json(json_document(prediction))
    output.picture(prediction)
    seen = glance(prediction.program.requested)
    output.document(prediction_document(prediction, seen=seen, detail=output.detail))
    output.finish()
    return _exit_code(prediction)


def _present(
    how: Launching,
    profile: MachineProfile,
    until: str | None,
    seconds: float,
    output: Output,
    requested: str,
) -> Presented:
    from inspector.cli.batch import Presented
    from inspector.elf.glance import glance
    from inspector.model.document import prediction_document as json_document
    from inspector.report.check import prediction_document
    from inspector.report.summary import predicted_line
    from inspector.report.terminal import render

    prediction = _predict(how, profile, until, seconds, requested, to_save=output.wants_json)
    detail = replace(output.detail, verbose=True)
    document = prediction_document(prediction, seen=glance(requested), detail=detail)
    return Presented(
        predicted_line(prediction),
        _exit_code(prediction),
        text=tuple(render(document, output.style)) if output.detail.verbose and output.wants_text else (),
        json=json_document(prediction) if output.wants_json else None,
    )
