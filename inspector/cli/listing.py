"""Lists of programs, each with stops, variables and arguments of its own, quoted as for a shell.

# [--stop WHERE]... [NAME=VALUE]... PROGRAM [ARG]...
EMPTY= 'SPACES=two  words' fixtures/build/many_arguments '' 'two  words'
--stop shared --stop copied fixtures/build/sharing
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inspector.cli.output import load
from inspector.errors import BadDocument, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.cli.options import Launching

_HELP = "a line is [--stop WHERE]... [NAME=VALUE]... PROGRAM [ARG]..., quoted as for a shell"


@dataclass(frozen=True, slots=True)
class Listed:
    """One program to be run."""

    requested: str
    launching: Launching
    stops: tuple[str, ...] = ()
    """Where to stop it, beside what is asked for all."""


def wanted_programs(programs: Sequence[str], listed: str | None, launching: Launching) -> list[Listed]:
    """Return the programs of the command line, then those that the file `listed` lists. Raises UsageError."""
    wanted = [Listed(program, launching) for program in programs]
    if listed is not None:
        wanted += listed_programs(listed, launching)
    if not wanted:
        raise UsageError("there is no program", help="name one, or give --list FILE")
    return wanted


def listed_programs(path: str, launching: Launching) -> list[Listed]:
    """Return the programs of the list in file `path`.

    Variables and arguments are added to those of `launching`; `-` is stdin. Raises UsageError.
    """
    name = "stdin" if path == "-" else path
    programs = []
    for number, line in enumerate(_lines(path), start=1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise UsageError(f"{name}:{number}: {str(error).lower()}", help=_HELP) from error
        if words:
            programs.append(_program(f"{name}:{number}", words, launching))
    if not programs:
        raise UsageError(f"{name} lists no program", help=_HELP)
    return programs


def _lines(path: str) -> list[str]:
    try:
        return os.fsdecode(load(path)).split("\n")
    except BadDocument as error:
        raise UsageError(f"--list {error}", help="give --list a readable file") from error


def _program(place: str, words: list[str], launching: Launching) -> Listed:
    stops = []
    while words[:1] == ["--stop"]:
        if len(words) == 1:
            raise UsageError(f"{place}: --stop where?", help=_HELP)
        stops.append(words[1])
        words = words[2:]
    variables = 0
    while variables < len(words) and _is_assignment(words[variables]):
        variables += 1
    if variables == len(words):
        raise UsageError(f"{place}: there is no program", help=_HELP)
    environment, (program, *arguments) = words[:variables], words[variables:]
    how = replace(
        launching,
        environment=(*launching.environment, *environment),
        arguments=(*launching.arguments, *arguments),
    )
    return Listed(program, how, tuple(stops))


def _is_assignment(word: str) -> bool:
    """Whether a shell would take `word` for a variable, not for a program."""
    return word.partition("=")[0].isidentifier() and "=" in word
