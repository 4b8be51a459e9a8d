"""`inspector lab record`: the truth for a grader that cannot run the programs."""

from __future__ import annotations

import click

from inspector.cli.lab import secret_option
from inspector.cli.options import AnyPath
from inspector.language import tr


@click.command(short_help="Record the truth, for a grader that cannot run the programs.")
@click.argument("name")
@click.option(
    "--student", "students", multiple=True, required=True, metavar="ID", help="For whom; may be repeated."
)
@click.option("--output", "-o", required=True, type=AnyPath(), metavar="DIR", help="Where the recordings go.")
@secret_option
def command(name: str, students: tuple[str, ...], output: str, secret: str | None) -> int:
    """Run what the exercise NAME has for each student and save what Linux did, for `--recordings DIR`.

    Example: inspector lab record address-space --student alice --student bob -o truth
    """
    from inspector.cli.output import Output
    from inspector.errors import CannotObserve
    from inspector.lab.draw import Draw, variant_key
    from inspector.lab.exercise import load_exercise
    from inspector.lab.grounds import Grounds
    from inspector.lab.pace import machine_pace
    from inspector.lab.recording import record
    from inspector.lab.secret import read_secret, require_name
    from inspector.report.text import counted

    exercise, key = load_exercise(name), read_secret(secret)
    grounds = Grounds.here(seconds=exercise.seconds * machine_pace())
    if grounds.profile is None:
        raise CannotObserve("this machine cannot be recorded", help="see `inspector doctor`")
    variants = (
        exercise.variant.make(Draw(variant_key(key, exercise.name, require_name(student))))
        for student in students
    )
    number = record(output, exercise, variants, grounds.live, grounds.profile)
    Output().lines(
        [tr("{recordings} in {directory}").format(recordings=counted(number, "recording"), directory=output)]
    )
    return 0
