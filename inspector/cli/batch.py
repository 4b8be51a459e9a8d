"""Many programs in one command: a line for each as it is known, details and a total in the end."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from inspector.cli.output import Progress
from inspector.cli.workers import WorkerDied, available_cores, side_by_side
from inspector.errors import InspectorError, NotModelled
from inspector.language import N_, tr, tr_error
from inspector.report.summary import Line, Standing, line_text, name_width, total_text
from inspector.report.text import wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from inspector.cli.output import Output

Item = TypeVar("Item")
Called = tuple[str, tuple[str, ...]]
"""How the user named a program: by a path, and the arguments it is to be given."""

_GRAVEST_FIRST = (4, 1, 2, 3, 0)
"""Exit codes: a bug hides everything, a difference is what the tool is for, the rest could not be judged."""


@dataclass(frozen=True, slots=True)
class Presented:
    """One program's outcome, ready to be shown."""

    line: Line
    exit_code: int
    text: tuple[str, ...] = ()
    """Its report, where that is wanted."""
    json: bytes | None = None
    page: bytes | None = None
    """For a browser."""


def gravest(codes: Sequence[int]) -> int:
    """Return the exit code that stands for all of `codes`."""
    return min(codes, key=_GRAVEST_FIRST.index, default=0)


def run_batch(
    present: Callable[[Item], Presented],
    items: Sequence[Item],
    output: Output,
    *,
    jobs: int | None,
    called: Callable[[Item], Called],
    hint: str = "",
) -> int:
    """Present each program, side by side and in order; return the exit code.

    `called` gives the path and the arguments by which the user named a program; `hint` is shown before the
    total, if any.
    """
    work = partial(_guarded, present, called)
    with closing(side_by_side(work, items, jobs or available_cores())) as outcomes:
        return _show(outcomes, list(map(called, items)), output, predicted=False, hint=hint)


def present_each(
    present: Callable[[str], Presented],
    programs: Sequence[str],
    output: Output,
    *,
    arguments: tuple[str, ...] = (),
    hint: str = "",
) -> int:
    """Present each program of a prediction, one after the other in this process; return the exit code.

    All are given the same `arguments`.
    """

    def called(program: str) -> Called:
        return program, arguments

    outcomes = (_guarded(present, called, program) for program in programs)
    return _show(outcomes, list(map(called, programs)), output, predicted=True, hint=hint)


def arguments_hint_for(programs: Sequence[str]) -> str:
    """Return a hint where the first of `programs` is one and others lead nowhere; else nothing."""
    from inspector.elf.file import is_elf
    from inspector.report.hint import arguments_hint

    first, *others = programs or ("",)
    missing = [other for other in others if not os.path.lexists(other)]
    return arguments_hint(first, missing) if missing and is_elf(first) else ""


def _show(
    outcomes: Iterable[Presented | WorkerDied],
    programs: Sequence[Called],
    output: Output,
    *,
    predicted: bool,
    hint: str,
) -> int:
    progress = Progress(len(programs), N_("programs"))
    width = name_width(programs, output.style)
    shown: list[Presented] = []
    progress.show(0)
    for program, outcome in zip(programs, outcomes, strict=True):
        one = _failed(*program, outcome) if isinstance(outcome, WorkerDied) else outcome
        shown.append(one)
        progress.clear()
        output.lines(line_text(one.line, width, output.style))
        if one.json is not None:
            output.json(one.json)
        output.page(one.line, one.page)
        progress.show(len(shown))
    progress.clear()
    for one in shown:
        if one.text:
            output.lines(("", *one.text))
    if hint:
        output.lines(("", *wrapped(output.style.clean(hint), output.style.width)))
    output.lines(("", total_text([one.line.standing for one in shown], predicted=predicted)))
    output.finish()
    return gravest([one.exit_code for one in shown])


def _guarded(present: Callable[[Item], Presented], called: Callable[[Item], Called], item: Item) -> Presented:
    """Present one program in a worker, where every error is an outcome."""
    try:
        return present(item)
    except InspectorError as error:
        return _failed(*called(item), error)
    except Exception as error:  # noqa: BLE001 - a bug met by one program is not the end of the others
        from inspector.cli.internal import report_internal_error

        return _failed(*called(item), report_internal_error(error))


def _failed(program: str, arguments: tuple[str, ...], error: InspectorError) -> Presented:
    return Presented(failure_line(program, arguments, error), error.exit_code)


def failure_line(program: str, arguments: tuple[str, ...], error: InspectorError) -> Line:
    """Return the line of a program that an error ended."""
    if isinstance(error, NotModelled):
        standing = Standing.NOT_MODELLED
    else:
        standing = Standing.FAILED if error.exit_code in (2, 4) else Standing.UNOBSERVED
    return Line(
        program, standing, tr("; ").join(map(tr_error, filter(None, (str(error), error.help)))), arguments
    )
