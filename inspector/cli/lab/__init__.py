"""`inspector lab`: exercises, made for a student, checked and graded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inspector.cli.help import in_language
from inspector.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = ("list", "new", "check", "grade", "record", "quiz")
"""Each is the module of that name, whose `command` it is."""


class _Commands(LazyGroup):
    package = "inspector.cli.lab"
    names = COMMANDS

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        command = super().get_command(ctx, cmd_name)
        return None if command is None else in_language(command)


@click.group(cls=_Commands, short_help="Exercises for students, and their grading.")
def command() -> None:
    """Make exercises for students, check their answers against the kernel, and grade them.

    Example: inspector lab new address-space --student alice
    """


def secret_option(function: Callable[..., int]) -> Callable[..., int]:
    """Add --secret."""
    from inspector.cli.options import AnyPath

    return click.option(
        "--secret",
        type=AnyPath(),
        metavar="FILE",
        help="What variants derive from. [the file that $INSPECTOR_LAB_SECRET names]",
    )(function)


def recordings_option(function: Callable[..., int]) -> Callable[..., int]:
    """Add --recordings."""
    from inspector.cli.options import AnyPath

    return click.option(
        "--recordings",
        type=AnyPath(),
        metavar="DIR",
        help="Where this machine cannot run a program: what `lab record` wrote elsewhere.",
    )(function)
