"""The manual page and the shells' completion scripts, made from the commands themselves.

They lie in `docs/installed/share/`; installing the package copies them to where man and the shells look. A
test holds the files against what is made here, and `make golden` writes them anew.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import click
from click.shell_completion import get_completion_class

from inspector.cli.group import COMMANDS, inspector

if TYPE_CHECKING:
    from collections.abc import Iterator

SHELLS = {
    "bash": "bash-completion/completions/inspector",
    "zsh": "zsh/site-functions/_inspector",
    "fish": "fish/vendor_completions.d/inspector.fish",
}
"""Each shell, and where below `share` it looks for the completion of a command."""
_AS_IT_STANDS = "\b\n"
"""Before a paragraph that click does not fill."""
MANUAL = "man/man1/inspector.1"

_EXIT_CODES = (
    ("0", "prediction and kernel agree; a refusal agreed on is agreement"),
    ("1", "they differ"),
    ("2", "the request makes no sense as asked"),
    ("3", "not observed, or not modelled to the end"),
    ("4", "internal error"),
    ("130", "interrupted"),
)
_ENVIRONMENT = (
    ("INSPECTOR_GDB", "The gdb to use, if --gdb names none."),
    (
        "LC_ALL, LC_MESSAGES, LANG",
        "Where the first that is set says zh_CN, speak Chinese; --lang in front of the command decides.",
    ),
    ("NO_COLOR", "Never use colour, but where --color=always asks for it."),
    ("INSPECTOR_DEBUG", "Show a traceback for an internal error."),
)


def completion_script(shell: str) -> str:
    """Return what makes `shell` complete the command line. Raises KeyError for a shell not in SHELLS."""
    kind = get_completion_class(shell)
    if kind is None:
        raise KeyError(shell)
    completion = kind(inspector, {}, "inspector", "_INSPECTOR_COMPLETE")
    # source() looks for a bash of a certain age on this machine first; the script may run elsewhere.
    return completion.source_template % completion.source_vars()


def manual_page() -> str:
    """Return the manual page, in the language of man(7)."""
    return "".join(f"{line}\n" for line in _lines())


def _lines() -> Iterator[str]:
    yield '.TH INSPECTOR 1 "" "inspector" "User Commands"'
    yield ".SH NAME"
    yield r"inspector \- predict what Linux does when it loads a program, then prove it on the live process"
    yield ".SH SYNOPSIS"
    yield r"\fBinspector\fR \fICOMMAND\fR [\fIOPTION\fR]... [\fIPROGRAM\fR]... [\-\- \fIARG\fR...]"
    yield ".SH DESCRIPTION"
    yield from _paragraphs(inspect.getdoc(inspector.callback) or "")
    yield _escaped("What follows -- are arguments for the program. Every command has -h, --help.")
    yield ".SH COMMANDS"
    context = click.Context(inspector, info_name="inspector")
    for name in COMMANDS:
        command = inspector.get_command(context, name)
        if command is not None:
            yield from _command(command, name, click.Context(command, info_name=name, parent=context))
    yield ".SH EXIT STATUS"
    yield from _terms(_EXIT_CODES)
    yield ".SH ENVIRONMENT"
    yield from _terms(_ENVIRONMENT)


def _command(command: click.Command, name: str, context: click.Context) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(context))
    yield f".SS {_escaped(name)} {_escaped(usage)}"
    yield from _paragraphs(inspect.cleandoc(command.help or ""))
    for parameter in command.get_params(context):
        if not isinstance(parameter, click.Option) or "--help" in parameter.opts:
            continue
        record = parameter.get_help_record(context)
        if record is not None:
            yield ".TP"
            yield rf"\fB{_escaped(record[0])}\fR"
            yield _escaped(record[1]) or "."
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            inner = command.get_command(context, each)
            if inner is not None:
                yield from _command(
                    inner, f"{name} {each}", click.Context(inner, info_name=each, parent=context)
                )


def _terms(terms: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for term, meaning in terms:
        yield ".TP"
        yield rf"\fB{_escaped(term)}\fR"
        yield _escaped(meaning)


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        if number:
            yield ".PP"
        if paragraph.startswith(_AS_IT_STANDS):
            yield ".nf"
            yield from map(_escaped, paragraph.splitlines()[1:])
            yield ".fi"
        else:
            yield _escaped(" ".join(paragraph.split()))


def _escaped(text: str) -> str:
    """Return `text` with nothing in it that roff would take for a request."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text
