"""The command `inspector`. Commands are thin; `main` alone prints errors and picks exit codes.

    0    prediction and kernel agree (`predict`: predicted to the end; `doctor`: check can run)
    1    they differ
    2    the request makes no sense as asked
    3    could not be observed, or is not modelled
    4    internal error
    130  interrupted (SIGINT); 143 and 129 for SIGTERM and SIGHUP
         (3 also where stdout cannot take the results)
    141  whoever read our output has gone (SIGPIPE)

Little is imported here: from its first lines on, an interrupt must end the command in good order.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from inspector.cli.interrupt import Interrupted, no_more_interrupts, raise_interrupts
from inspector.language import choose_for, tr_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

_USAGE, _NOT_OBSERVED, _BROKEN_PIPE = 2, 3, 141
_NO_MEMORY = ("can't start new thread", "failed to map segment from shared object")
"""What Python and the dynamic linker say where there is none for a stack, or for a module."""
_OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Start-up makes as many, and they stay: searching them for cycles sixty times takes 3 % of a short run."""


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    _ensure_standard_files()
    code = run(sys.argv[1:])
    no_more_interrupts()
    sys.exit(code)


def _ensure_standard_files() -> None:
    """Fill descriptors 0 to 2 where they are closed, before a file of ours is given such a number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    # What Python found closed is None; the writers need not care.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        raise_interrupts()
        return _run(arguments)
    except Interrupted as interrupt:
        _print_error(str(interrupt))
        return interrupt.exit_code


def _run(arguments: Sequence[str]) -> int:
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes stdout once more when it ends: that must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except OSError as error:
        if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            return _explain(error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _print_error(f"stdout: {error.strerror}", "the output is lost; run it again")
        return _NOT_OBSERVED
    except Exception as error:  # noqa: BLE001 - the one boundary: no exception may become a traceback
        return _explain(error)
    return code


def _dispatch(arguments: Sequence[str]) -> int:
    import click

    from inspector.cli.group import complete, inspector

    if complete():
        return 0
    choose_for(None, sys.stdout.encoding)
    try:
        with inspector.make_context("inspector", list(arguments) or ["--help"]) as context:
            return int(inspector.invoke(context) or 0)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as asked:
        # A group by itself, as `inspector lab`: its help is no error.
        click.echo(asked.format_message())
        return 0


def _explain(error: Exception) -> int:
    """Print what happened and what to do about it; return the exit code."""
    from inspector.errors import InspectorError

    if isinstance(error, InspectorError):
        _print_error(str(error), error.help)
        return error.exit_code
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        sys.stderr.write(
            "inspector: this session has no memory left\n  allow it more: ulimit -v, ulimit -d\n"
        )
        return _NOT_OBSERVED
    import click

    if isinstance(error, click.ClickException):
        _print_error(error.format_message(), _usage_help(error))
        return _USAGE
    from inspector.cli.internal import report_internal_error

    failure = report_internal_error(error)
    _print_error(str(failure), failure.help)
    return failure.exit_code


def _usage_help(error: click.ClickException) -> str:
    import click

    if isinstance(error, click.NoSuchOption) and error.option_name == "--lang":
        return "it goes in front of the command: inspector --lang zh COMMAND"
    context = getattr(error, "ctx", None)
    return f"see `{context.command_path if context else 'inspector'} --help`"


def _print_error(message: str, help_line: str = "") -> None:
    from inspector.report.text import printable

    try:
        sys.stderr.write(f"inspector: {printable(tr_error(message))}\n")
        if help_line:
            sys.stderr.write(f"  {printable(tr_error(help_line))}\n")
        sys.stderr.flush()
    except OSError:
        pass  # nobody is left to be told
