"""--report FORMAT=FILE: results in the formats of graders."""

from __future__ import annotations

import os
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inspector.errors import UsageError
from inspector.language import speaking

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inspector.lab.result import ResultJson

FORMATS = ("json", "csv", "gradescope", "junit", "tap", "vpl", "actions")
_OF_ONE = {"gradescope": ".json", "vpl": ".txt"}
"""Formats that hold one submission; of several a directory is made, with files that end so."""


def report_option(function: Callable[..., int]) -> Callable[..., int]:
    """Add --report."""
    return click.option(
        "--report",
        "reports",
        multiple=True,
        metavar="FORMAT=FILE",
        help=f"Write the results as {', '.join(FORMATS)}; - is stdout, not the table.",
    )(function)


def parse_reports(reports: Sequence[str]) -> list[tuple[str, str]]:
    """Return format and file of each --report. Raises UsageError, CannotSave."""
    from inspector.cli.output import STDOUT, require_savable

    wanted = []
    for each in reports:
        kind, equals, path = each.partition("=")
        if kind not in FORMATS or not equals or not path:
            raise UsageError(
                f"--report {each!r:.80} is not FORMAT=FILE", help=f"formats: {', '.join(FORMATS)}"
            )
        if path != STDOUT and not (kind in _OF_ONE and Path(path).is_dir()):
            require_savable(path)
        wanted.append((kind, path))
    return wanted


def save_reports(wanted: Sequence[tuple[str, str]], results: Sequence[ResultJson], *, single: bool) -> bool:
    """Write the results; return whether stdout was one of the files. `single`: of one submission."""
    from inspector.cli.output import STDOUT, Output, save

    used = False
    for kind, path in wanted:
        if kind in _OF_ONE and not single:
            _save_each(kind, path, results)
            continue
        text = _text(kind, results)
        if path == STDOUT:
            Output().lines(text.splitlines())
            used = True
        else:
            save(path, text.encode())
    return used


def _save_each(kind: str, path: str, results: Sequence[ResultJson]) -> None:
    from inspector.cli.output import STDOUT, save

    if path == STDOUT:
        raise UsageError(f"{kind} holds one submission", help=f"name a directory: --report {kind}=DIR")
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", help="name a directory") from error
    for result in results:
        # Folder names are someone else's; a name that is not plain is written as its hexadecimal.
        name = result.submission
        plain = name if re.fullmatch(r"[\w][\w.@+-]{0,100}", name) else os.fsencode(name).hex()[:200]
        save(os.fspath(Path(path) / f"{plain}{_OF_ONE[kind]}"), _text(kind, [result]).encode())


def _text(kind: str, results: Sequence[ResultJson]) -> str:
    """Return the results in a format. Programs read it: it is in English, as JSON is."""
    with speaking("en"):
        return _in_english(kind, results)


def _in_english(kind: str, results: Sequence[ResultJson]) -> str:
    if kind == "json":
        return "".join(f"{result.document().decode()}\n" for result in results)
    if kind == "csv":
        from inspector.report.lab.table import results_csv

        return results_csv(results)
    # Each of the others is a module of its name that has a function of its name.
    function = getattr(import_module(f"inspector.report.lab.{kind}"), kind)
    text: str = function(results[0] if kind in _OF_ONE else results)
    return text
