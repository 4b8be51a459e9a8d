"""`inspector observe`: run a program under gdb and record what is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inspector.cli.options import (
    AnyPath,
    Launching,
    ProgramCommand,
    launching_options,
    picture_options,
    stop_options,
)
from inspector.cli.working import RUN, working_on
from inspector.errors import CannotObserve, UsageError

if TYPE_CHECKING:
    from inspector.cli.output import Output
    from inspector.model.observation import Observation


@click.command(cls=ProgramCommand, short_help="Run a program under gdb and record what is seen.")
@click.argument("program", metavar="[PROGRAM]", required=False, type=AnyPath())
@click.option("--pid", type=click.IntRange(min=1), metavar="PID", help="Look at a live process instead.")
@launching_options
@stop_options
@click.option("--output", "-o", type=AnyPath(), metavar="FILE", help="Save a recording, for `compare`.")
@picture_options
def command(
    program: str | None,
    pid: int | None,
    how: Launching,
    stops: tuple[str, ...],
    until: str | None,
    seconds: float,
    gdb: str | None,
    output: str | None,
    shown: Output,
) -> int:
    """Run PROGRAM under gdb and show what Linux did; nothing is predicted.

    What follows -- are arguments for the program.

    Example: inspector observe -o hello.json fixtures/build/hello
    """
    from inspector.cli.output import require_savable, save
    from inspector.elf.glance import glance
    from inspector.model.document import observation_document as json_document
    from inspector.report.check import observation_document

    if (program is None) == (pid is None):
        msg = "give either a PROGRAM or --pid PID"
        raise UsageError(msg, help="see `inspector observe --help`")
    if output is not None:
        require_savable(output)
    if program is None:
        observation = _observe_pid(pid or 0, seconds)
    else:
        observation = _observe(how, program, stops, until, seconds, gdb)
    if output is not None:
        save(output, json_document(observation) + b"\n")
    if shown.wants_json:
        shown.json(json_document(observation))
    shown.picture(observation)
    seen = None if program is None else glance(program)
    shown.document(observation_document(observation, seen=seen, detail=shown.detail))
    shown.finish()
    complain_if_cut_short(observation)
    return 0


def complain_if_cut_short(observation: Observation) -> None:
    """Raise CannotObserve, once all that was seen has been shown, if there should have been more to see."""
    if observation.cut_short is not None:
        raise CannotObserve(
            observation.cut_short, help="what was seen until then is shown, and saved, all the same"
        )


def _observe(
    how: Launching,
    requested: str,
    stops: tuple[str, ...],
    until: str | None,
    seconds: float,
    gdb: str | None,
) -> Observation:
    from inspector.observe import observe

    with working_on(requested, seconds, RUN), how.prepare(requested) as program:
        return observe(program, stops=stops, until=until, seconds=seconds, gdb=gdb)


def _observe_pid(pid: int, seconds: float) -> Observation:
    from inspector.observe.live import observe_pid

    return observe_pid(pid, seconds=seconds)
