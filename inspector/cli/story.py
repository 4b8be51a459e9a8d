"""`inspector story`: the loading of a program told step by step."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from inspector.cli.check import Request
from inspector.cli.foretell import require_file
from inspector.cli.gather import exit_code, gather, why_unobserved
from inspector.cli.options import (
    AnyPath,
    Launching,
    ProgramCommand,
    json_option,
    launching_options,
    machine_profile,
    predict_only_option,
    profile_option,
    refuse_aslr_alone,
    running_options,
)
from inspector.errors import UsageError
from inspector.language import speaking, tr

if TYPE_CHECKING:
    from inspector.cli.output import Output
    from inspector.story import Story

_MOST_FAULTS = 1000


@click.command(cls=ProgramCommand, short_help="The loading of a program told step by step.")
@click.argument("program", metavar="PROGRAM", type=AnyPath())
@launching_options
@click.option(
    "--faults",
    type=click.IntRange(0, _MOST_FAULTS),
    default=5,
    metavar="N",
    help="How many of the first page faults to tell. [5]",
)
@predict_only_option
@click.option("--step", "stepwise", is_flag=True, help="Pause after each step: Enter goes on, q ends.")
@running_options
@profile_option
@json_option
def command(
    program: str,
    how: Launching,
    faults: int,
    predict_only: bool,
    stepwise: bool,
    seconds: float,
    gdb: str | None,
    profile: str | None,
    json: str | None,
) -> int:
    """Tell how PROGRAM becomes a process, from fork to its first page faults.

    Each step says what the kernel does, and shows what was predicted beside what was observed; a note says
    where this kernel does otherwise than the textbooks. What follows -- are arguments for the program.

    Example: inspector story fixtures/build/hello
    """
    from inspector.cli.output import Output
    from inspector.story.document import story_json
    from inspector.story.tell import tell

    output = Output(json)
    if stepwise:
        _require_terminal(output)
    refuse_aslr_alone(how, predict_only=predict_only)
    require_file(program)
    request = Request(program, how, machine_profile(profile), (), None, seconds, gdb)
    evidence, checked = gather(request, predict_only=predict_only)
    unobserved = why_unobserved(checked, predict_only=predict_only)
    story = tell(evidence, faults=faults, unobserved=unobserved)
    if output.wants_json:
        with speaking("en"):
            output.json(story_json(tell(evidence, faults=faults, unobserved=unobserved)))
    _show(story, output, stepwise=stepwise)
    output.finish()
    return exit_code(evidence, checked, differs=story.differs)


def _require_terminal(output: Output) -> None:
    """Raise UsageError where no one could be asked to go on."""
    if not output.wants_text:
        raise UsageError("--step and --json - do not go together", help="write the JSON to a file")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "--step needs a terminal, to pause at", help="leave out --step to have it all at once"
        )


def _show(story: Story, output: Output, *, stepwise: bool) -> None:
    """Print the story, a document after the other; between them wait for the reader if that is asked for."""
    from inspector.report.story import story_documents

    documents = list(story_documents(story))
    for number, document in enumerate(documents):
        if number:
            output.lines([""])
        output.document(document)
        if stepwise and 0 < number < len(documents) - 1 and not _goes_on():
            return


def _goes_on() -> bool:
    """Ask the reader; False for q, or where there is no more to be read."""
    sys.stdout.write(tr("[Enter: go on; q: end] "))
    sys.stdout.flush()
    answer = sys.stdin.readline()
    return bool(answer) and answer.strip().lower() not in ("q", "quit")
