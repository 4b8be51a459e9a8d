"""--help in another language than English; English is click's own affair, and does without this."""

from __future__ import annotations

import inspect
from copy import copy
from typing import TYPE_CHECKING, TypeVar

import click

from inspector.language import N_, N_in, chosen, tr

if TYPE_CHECKING:
    from collections.abc import Iterable

    Spoken = TypeVar("Spoken", bound=click.Command)

HEADINGS = (N_("Usage: "), N_("Options"), N_("Commands"))
OPTIONS = (N_("Show the version and exit."), N_("Show this message and exit."))
"""Words of click's own."""
ERRORS = (
    N_in("error", "No such command {0}."),
    N_in("error", "No such option {0}"),
    N_in("error", "Missing argument {0}."),
    N_in("error", "Missing command."),
    N_in("error", "Option {0} requires an argument."),
    N_in("error", "Got unexpected extra argument ({0})"),
    N_in("error", "Invalid value for {0}: {1} is not one of {2}."),
    N_in("error", "see `{0} --help`"),
    N_in("error", "it goes in front of the command: inspector --lang zh COMMAND"),
    N_in("error", "Invalid value for {0}: {1}"),
    N_in("error", "{0} is not in the range {1}."),
    N_in("error", "{0} is not a valid integer range."),
    N_in("error", "{0} is not a valid integer."),
    N_in("error", "{0} is no time in seconds: give a number, at most {1}."),
    N_in("error", "what is meant for the program follows --; see `{0} --help`"),
    N_in("error", "did you mean {0}?"),
    N_in("error", "`inspector rules` lists them"),
)
"""Errors of click's own, and advice that is put together before an error is raised with it."""
_GAP = 2
_LEAST_ROOM = 11


def in_language(command: Spoken) -> Spoken:
    """Return the command as it speaks the language that was chosen: a copy, but in English itself."""
    if chosen() == "en":
        return command
    spoken = copy(command)
    spoken.context_class = _Context
    spoken.help, spoken.short_help, spoken.epilog = map(
        _told, (command.help, command.short_help, command.epilog)
    )
    spoken.params = list(map(_translated, command.params))
    return spoken


def help_of(command: click.Command, ctx: click.Context) -> str:
    """Return the help of a command whose context was made before a language was chosen."""
    formatter = _Formatter(width=ctx.terminal_width, max_width=ctx.max_content_width)
    in_language(command).format_help(ctx, formatter)
    return formatter.getvalue().rstrip("\n")


def _told(text: str | None) -> str | None:
    return None if text is None else tr(inspect.cleandoc(text))


def _translated(parameter: click.Parameter) -> click.Parameter:
    spoken = copy(parameter)
    if isinstance(spoken, click.Option):
        spoken.help = _told(spoken.help)
    return spoken


class _Formatter(click.HelpFormatter):
    """Lays out by the columns of a terminal, of which a Chinese character takes two."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the usage line."""
        super().write_usage(prog, args, tr("Usage: ") if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        """Write a heading."""
        super().write_heading(tr(heading))

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        from inspector.report.text import wrapped

        indent = " " * self.current_indent
        for number, paragraph in enumerate(text.split("\n\n")):
            lines = wrapped(" ".join(paragraph.split()), max(self.width - self.current_indent, _LEAST_ROOM))
            self.write("\n" if number else "")
            self.write("".join(f"{indent}{line}\n" for line in lines))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = _GAP) -> None:
        """Write options or commands, each with what it does beside it."""
        from inspector.report.text import display_width, padded, wrapped

        indent = " " * self.current_indent
        rows = list(rows)
        first = min(max((display_width(name) for name, _ in rows), default=0), col_max) + col_spacing
        room = max(self.width - self.current_indent - first, _LEAST_ROOM)
        for name, text in rows:
            line, *more = wrapped(tr(" ".join(text.split())), room)
            if display_width(name) > first - col_spacing:
                self.write(f"{indent}{name}\n{indent}{' ' * first}{line}".rstrip() + "\n")
            else:
                self.write(f"{indent}{padded(name, first)}{line}".rstrip() + "\n")
            self.write("".join(f"{indent}{' ' * first}{each}\n" for each in more))


class _Context(click.Context):
    formatter_class = _Formatter
