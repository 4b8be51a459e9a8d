"""The group of commands; each is imported when it is asked for."""

from __future__ import annotations

import os
import sys

import click

import inspector as package
from inspector.cli.help import in_language
from inspector.cli.lazy import LazyGroup
from inspector.language import LANGUAGES, choose_for, chosen

COMMANDS = (
    "check",
    "predict",
    "observe",
    "compare",
    "story",
    "explain",
    "layout",
    "loading",
    "rules",
    "fuzz",
    "overlay",
    "replace",
    "pagetable",
    "lab",
    "doctor",
    "profile",
)
"""Each is the module of that name, whose `command` it is."""


class Commands(LazyGroup):
    """Every command has --color."""

    package = "inspector.cli"
    names = COMMANDS

    def get_help(self, ctx: click.Context) -> str:
        """Return the help in the language that was chosen, be it by an option in front of --help."""
        if chosen() == "en":
            return super().get_help(ctx)
        from inspector.cli.help import help_of

        return help_of(self, ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        command = super().get_command(ctx, cmd_name)
        if command is not None and not any(parameter.name == "colour" for parameter in command.params):
            command.params.append(_colour_option())
        return None if command is None else in_language(command)


def _colour_option() -> click.Option:
    """Return the option that every command has."""
    return click.Option(
        ["--color", "colour"],
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        expose_value=False,
        callback=_keep_colour,
        help="Colour: on a terminal, always (for `| less -R`), or never. [auto]",
    )


def _language_option() -> click.Option:
    return click.Option(
        ["--lang", "language"],
        type=click.Choice(LANGUAGES),
        expose_value=False,
        is_eager=True,
        callback=_keep_language,
        help="The language of what is printed. [LC_ALL, LC_MESSAGES or LANG]",
    )


def _keep_language(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    del ctx, param
    if value is not None:
        choose_for(value, sys.stdout.encoding)


def _keep_colour(ctx: click.Context, param: click.Parameter, value: str) -> None:
    from inspector.cli.output import COLOUR, Colour

    del param
    ctx.meta[COLOUR] = Colour(value)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 agree, 1 differ, 2 usage, 3 not observed or not modelled, 4 internal error, "
    "130 interrupted.",
)
@click.version_option(package.__version__, prog_name="inspector")
def inspector() -> None:
    """Predict what Linux does when it loads a program, then prove it on the live process."""


inspector.params.append(_language_option())


def complete() -> bool:
    """Answer a shell that completes a command line; False if none asks."""
    instruction = os.environ.get("_INSPECTOR_COMPLETE")
    if not instruction:
        return False
    from click.shell_completion import shell_complete

    shell_complete(inspector, {}, "inspector", "_INSPECTOR_COMPLETE", instruction)
    return True
