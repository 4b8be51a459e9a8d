"""`inspector lab`: exercises, made for a student, checked and graded."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = ("list", "new", "check", "grade", "record", "quiz")
"""Each is the module of that name, whose `command` it is."""


class _Commands(click.Group):
    """Commands that are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order the help shows them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"inspector.cli.lab.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 - tells the type checker
        return command


@click.group(cls=_Commands, short_help="Exercises for students, and their grading.")
def command() -> None:
    """Make exercises for students, check their answers against the kernel, and grade them."""


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
