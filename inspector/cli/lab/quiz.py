"""`inspector lab quiz`: questions in the terminal, each answered with its reason."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from inspector.language import tr

if TYPE_CHECKING:
    from inspector.cli.output import Output
    from inspector.lab.quiz import Item

_QUIT = ("q", "quit", "exit")


@click.command(short_help="Questions in the terminal, answers with reasons after each.")
@click.option("--seed", type=click.IntRange(min=0), metavar="S", help="What the questions are drawn from.")
@click.option("--count", type=click.IntRange(1, 100), default=5, metavar="N", help="How many. [5]")
def command(seed: int | None, count: int) -> int:
    """Ask questions of the exercises, one after the other, and say what is right and why.

    An empty line passes; q ends it. Exit code 0: all answered right; 1: not all; 3: nothing could be asked.

    Example: inspector lab quiz --seed 7
    """
    from inspector.cli.output import Output
    from inspector.errors import CannotObserve
    from inspector.lab.grounds import Grounds
    from inspector.lab.quiz import quiz

    if seed is None:
        import secrets

        seed = secrets.randbelow(1 << 32)
    output = Output()
    asked = right = 0
    item = None
    for item in quiz(seed, count, Grounds.here().evidence(None)):
        said = _ask(output, item, asked + 1, count)
        if said is None:
            break
        asked += 1
        right += said
    if item is None:
        raise CannotObserve("nothing was asked", help="see `inspector doctor`")
    words = tr("{right} of {asked} right; the same questions again with --seed {seed}")
    output.lines(["", words.format(right=right, asked=asked, seed=seed)])
    return 0 if right == asked == count else 1


def _ask(output: Output, item: Item, number: int, count: int) -> bool | None:
    """Ask one question and return whether it was answered right; None: there is no more input, or q."""
    from inspector.report.lab.quiz import question_lines, reason_lines

    output.lines(question_lines(item, number, count, output.style))
    sys.stdout.write("> ")
    sys.stdout.flush()
    line = sys.stdin.readline(1000)
    if not line or line.strip().lower() in _QUIT:
        return None
    right, unread = item.judge(line.strip())
    if not sys.stdin.isatty():
        output.lines([""])  # whoever types ends the line themselves
    output.lines(reason_lines(item, right=right, unread=unread, style=output.style))
    return right
