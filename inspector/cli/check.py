"""`inspector check`: predict, observe under gdb, hold one against the other."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING

import click

from inspector.cli.foretell import foretell
from inspector.cli.observe import complain_if_cut_short
from inspector.cli.options import (
    AnyPath,
    Launching,
    ProgramCommand,
    html_option,
    launching_options,
    list_option,
    machine_profile,
    picture_options,
    profile_option,
    refuse_picture_of_many,
    stop_options,
)
from inspector.cli.working import working_on
from inspector.errors import CannotObserve, GdbError, InspectorError, UsageError
from inspector.language import tr_error

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from inspector.cli.batch import Presented
    from inspector.cli.listing import Listed
    from inspector.cli.output import Output
    from inspector.cli.pages import PageFile
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction
    from inspector.model.profile import MachineProfile, RandomBases
    from inspector.model.program import Program
    from inspector.observe.deadline import Deadline
    from inspector.observe.gdb.session import GdbSession
    from inspector.reconcile import Reconciliation
    from inspector.report.detail import Detail
    from inspector.report.document import Document


@dataclass(frozen=True, slots=True)
class Request:
    """One program, and what to do with it."""

    requested: str
    launching: Launching
    profile: MachineProfile
    stops: tuple[str, ...]
    until: str | None
    seconds: float
    """How long all of it may take."""
    gdb: str | None

    @property
    def called(self) -> tuple[str, tuple[str, ...]]:
        """The path and the arguments by which the user named it."""
        return self.requested, self.launching.arguments


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one program: a reconciliation, or the prediction and the error that ended the rest."""

    prediction: Prediction
    reconciliation: Reconciliation | None
    error: InspectorError | None = None

    @property
    def exit_code(self) -> int:
        """The exit code this program alone would end the command with."""
        if self.error is not None:
            return self.error.exit_code
        return self.reconciliation.exit_code if self.reconciliation else 3


@click.command(cls=ProgramCommand, short_help="Predict, observe under gdb, and compare: the main job.")
@click.argument("programs", metavar="PROGRAM...", nargs=-1, type=AnyPath())
@launching_options
@list_option
@stop_options
@profile_option
@click.option("--jobs", "-j", type=click.IntRange(min=1), metavar="N", help="Programs at a time. [the cores]")
@html_option
@picture_options
def command(
    programs: tuple[str, ...],
    how: Launching,
    listed: str | None,
    stops: tuple[str, ...],
    until: str | None,
    seconds: float,
    gdb: str | None,
    profile: str | None,
    jobs: int | None,
    html: str | None,
    shown: Output,
) -> int:
    """Predict what Linux does with each PROGRAM, run it under gdb, and compare.

    What follows -- are arguments for the programs.

    Example: inspector check --until exec fixtures/build/hello
    """
    from inspector.cli.listing import wanted_programs
    from inspector.cli.pages import PageDirectory, PageFile

    wanted = [replace(each, stops=(*stops, *each.stops)) for each in wanted_programs(programs, listed, how)]
    for each in wanted:
        verify_stops(each, until)
    machine = machine_profile(profile)
    requests = [
        Request(each.requested, each.launching, machine, each.stops, until, seconds, gdb) for each in wanted
    ]
    if len(requests) == 1:
        page = None if html is None else PageFile(html)
        with working_on(requests[0].requested, seconds):
            checked = check_program(requests[0])
        return _show_one(checked, shown, page)
    refuse_picture_of_many(shown)
    if html is not None:
        shown.pages = PageDirectory(html, len(requests))
    from inspector.cli.batch import arguments_hint_for, run_batch

    preload()
    from inspector.observe.perf.sources import kept_registered

    with kept_registered():
        return run_batch(
            partial(_present, shown),
            requests,
            shown,
            jobs=jobs,
            called=attrgetter("called"),
            hint=arguments_hint_for(programs),
        )


def preload(*, faults: bool = True) -> None:
    """Import all that a check needs: before workers are forked, or while gdb gets ready.

    `faults`: whether page faults are recorded.
    """
    for name in (
        "observe.controller",
        *(("observe.perf.witness",) if faults else ()),
        "predict",
        "reconcile",
        "report.check",
        "report.summary",
        "report.terminal",
    ):
        import_module(f"inspector.{name}")


def verify_stops(wanted: Listed, until: str | None) -> None:
    """Raise UnknownSymbol or UsageError before anything is run, if some stop makes no sense for a program."""
    if not wanted.stops and until in (None, "exec", "exit"):
        return
    from inspector.elf.stops import plan_stops

    with replace(wanted.launching, in_place=True).prepare(wanted.requested) as program:
        executable = _executable(program)
    if executable is not None:
        plan_stops(executable, wanted.stops, until)


def _executable(program: Program) -> str | None:
    """Return the ELF file whose code would run, of a script its interpreter; None if there is none."""
    from inspector.elf.file import is_elf
    from inspector.elf.script import executable_behind

    path = executable_behind(program.path, program.cwd)
    return path if is_elf(path) else None


def check_program(request: Request) -> Checked:
    """Predict one program, run it, and compare: one deadline for all of it.

    Half of the time is the prediction's at most, for without a run there is nothing to compare it with.
    """
    from inspector.observe.deadline import Deadline

    deadline = Deadline.after(request.seconds)
    with request.launching.prepare(request.requested) as program:
        if program.randomize:
            return _check_randomized(request, program, deadline)
        with _debugger_warming_up(request, program) as session:
            from inspector.reconcile import reconcile

            prediction = _foretell(request, program, request.seconds / 2)
            preload(faults=request.until is None)
            try:
                observation = _observe(request, program, request.seconds, deadline.spent, session)
            except UsageError:
                raise
            except InspectorError as error:
                return Checked(prediction, None, error)
        return Checked(prediction, reconcile(prediction, observation))


def _debugger_warming_up(request: Request, program: Program) -> AbstractContextManager[GdbSession | None]:
    """Start gdb, which takes longer to be ready than all that is done before it is needed."""
    from inspector.observe.gdb.session import GdbSession

    if _executable(program) is None:
        return nullcontext()
    try:
        return GdbSession(request.gdb)
    except GdbError:
        return nullcontext()  # the observation tries again, and says why it cannot


def _check_randomized(request: Request, program: Program, deadline: Deadline) -> Checked:
    """Observe first, for half of the time: ASLR's choices are known once the kernel has made them."""
    from inspector.reconcile import reconcile

    try:
        observation = _observe(request, program, request.seconds / 2)
    except UsageError:
        raise
    except InspectorError as error:
        return Checked(_foretell(request, program, deadline.left), None, error)
    if observation.bases is None and not observation.snapshots:
        # Nothing was loaded, so nothing was left to chance: what refuses a program does not depend on ASLR.
        program = replace(program, randomize=False)
    prediction = _foretell(request, program, deadline.left, observation.bases)
    return Checked(prediction, reconcile(prediction, observation))


def _foretell(
    request: Request, program: Program, seconds: float, bases: RandomBases | None = None
) -> Prediction:
    stops = request.stops if _executable(program) is not None else ()
    return foretell(program, request.profile, bases, stops=stops, until=request.until, seconds=seconds)


def _observe(
    request: Request,
    program: Program,
    seconds: float,
    spent: float = 0.0,
    session: GdbSession | None = None,
) -> Observation:
    from inspector.observe import observe

    has_code = _executable(program) is not None
    stops = request.stops if has_code else ()
    until = request.until if has_code else None
    return observe(
        program, stops=stops, until=until, seconds=seconds, spent=spent, gdb=request.gdb, session=session
    )


def _show_one(checked: Checked, output: Output, page: PageFile | None) -> int:
    if output.wants_json:
        output.json(_json(checked))
    output.picture(checked.reconciliation or checked.prediction)
    if page is not None:
        page.save(_page(checked))
    if output.wants_text:
        output.document(_document(checked, output.detail))
    output.finish()
    if checked.error is not None:
        raise checked.error
    if checked.exit_code == CannotObserve.exit_code and checked.reconciliation is not None:
        complain_if_cut_short(checked.reconciliation.observation)
    return checked.exit_code


def _present(output: Output, request: Request) -> Presented:
    """Check one of many programs; this runs in a worker."""
    from inspector.cli.batch import Presented, failure_line
    from inspector.report.summary import Standing, checked_line
    from inspector.report.terminal import render

    checked = check_program(request)
    if checked.reconciliation is not None:
        line = checked_line(checked.reconciliation)
    else:
        line = failure_line(*request.called, checked.error or InspectorError("nothing was observed"))
    in_full = output.wants_text and (output.detail.verbose or line.standing is Standing.DIFFERS)
    return Presented(
        line,
        checked.exit_code,
        text=tuple(render(_document(checked, output.detail), output.style)) if in_full else (),
        json=_json(checked) if output.wants_json else None,
        page=_page(checked, in_directory=True) if output.pages is not None else None,
    )


def _document(checked: Checked, detail: Detail) -> Document:
    from inspector.elf.glance import glance
    from inspector.report import check as report

    seen = glance(checked.prediction.program.requested)
    if checked.reconciliation is None:
        return report.prediction_document(checked.prediction, seen=seen, detail=detail)
    return report.check_document(checked.reconciliation, seen=seen, detail=detail)


def _json(checked: Checked) -> bytes:
    from inspector.model.document import check_document

    reconciliation = checked.reconciliation
    return check_document(
        checked.prediction,
        reconciliation.observation if reconciliation else None,
        reconciliation.findings if reconciliation else (),
        checked.exit_code,
    )


def _page(checked: Checked, *, in_directory: bool = False) -> bytes:
    from inspector.cli.pages import program_page
    from inspector.report.detail import ORDINARY

    reconciliation = checked.reconciliation
    is_one_run = reconciliation is not None and reconciliation.of_one_run
    return program_page(
        checked.prediction,
        reconciliation.observation if reconciliation is not None and is_one_run else None,
        reconciliation.findings if reconciliation is not None else (),
        _document(checked, ORDINARY),
        in_directory=in_directory,
        unobserved="" if checked.error is None else tr_error(str(checked.error)),
    )
