"""`inspector loading`: how programs come into memory, from stop to stop, beside each other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from inspector.cli.check import Request, check_program
from inspector.cli.foretell import foretell, nothing_to_show, require_file
from inspector.cli.options import (
    AnyPath,
    Launching,
    ProgramCommand,
    json_option,
    launching_options,
    list_option,
    machine_profile,
    predict_only_option,
    profile_option,
    refuse_aslr_alone,
    running_options,
)
from inspector.cli.working import BOTH, PREDICTION, working_on
from inspector.errors import CannotObserve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.cli.output import Output
    from inspector.loading import Loading, Ways
    from inspector.model.fault import Fault
    from inspector.model.snapshot import Snapshot

_GRAVEST_FIRST = (1, 3, 0)


@click.command(cls=ProgramCommand, short_help="How programs come into memory, beside each other.")
@click.argument("programs", metavar="PROGRAM...", nargs=-1, type=AnyPath())
@launching_options
@list_option
@predict_only_option
@running_options
@profile_option
@json_option
def command(
    programs: tuple[str, ...],
    how: Launching,
    listed: str | None,
    predict_only: bool,
    seconds: float,
    gdb: str | None,
    profile: str | None,
    json: str | None,
) -> int:
    """Show what each PROGRAM has in memory from stop to stop, predicted and observed.

    The stops are exec, main, exit, and the system calls that read, write or map memory. The columns:

    \b
      resident    pages its page tables map
      file        of these, files' own pages, out of the page cache
      copied      pages of its own that began as a file's
      own         pages of its own that no file is behind
      read        bytes that it has asked read and pread64 for
      minor       page faults counted since execve, which no disk was needed for
      major       those that waited for a disk

    What follows -- are arguments for the programs.

    Example: inspector loading --list fixtures/ways_of_loading.list
    """  # noqa: D301 - as in `overlay`: the lines stay as they are
    from inspector.cli.listing import wanted_programs
    from inspector.cli.output import Output

    refuse_aslr_alone(how, predict_only=predict_only)
    wanted = wanted_programs(programs, listed, how)
    for each in wanted:
        require_file(each.requested)
    machine = machine_profile(profile)
    output = Output(json)
    found: list[Ways] = []
    codes: list[int] = []
    for each in wanted:
        request = Request(each.requested, each.launching, machine, each.stops, None, seconds, gdb)
        with working_on(each.requested, seconds, PREDICTION if predict_only else BOTH):
            ways, code = _load(request, predict_only=predict_only)
        found.append(ways)
        codes.append(code)
        _show(output, len(found), ways, code)
    if len(found) > 1:
        from inspector.report.loading import comparison_document

        output.lines([""])
        output.document(comparison_document(found))
    output.finish()
    return next(code for code in _GRAVEST_FIRST if code in codes)


def _show(output: Output, number: int, ways: Ways, code: int) -> None:
    from inspector.loading.document import loading_json
    from inspector.report.loading import loading_document

    if output.wants_json:
        output.json(loading_json(ways, code))
    if number > 1:
        output.lines([""])
    output.document(loading_document(number, ways))


def _load(request: Request, *, predict_only: bool) -> tuple[Ways, int]:
    """Predict one program and, unless told not to, observe it; return the exit code as well.

    Raises InspectorError where it does not run: there is nothing to show.
    """
    from inspector.loading import STOPS, Ways
    from inspector.observe.deadline import Deadline

    stops = (*STOPS, *request.stops)
    deadline = Deadline.after(request.seconds)
    # What is run is predicted once more, and then has at least another third for that.
    seconds = request.seconds if predict_only else request.seconds / 3
    with request.launching.prepare(request.requested) as program:
        where = () if predict_only or program.randomize else stops
        prediction = foretell(program, request.profile, stops=stops, seconds=seconds)
    if not prediction.snapshots:
        raise nothing_to_show(request.requested, prediction, "nothing comes into memory")
    reached = {snapshot.checkpoint.partition("#")[0] for snapshot in prediction.snapshots}
    stops = tuple(stop for stop in where if stop in reached)
    limit = prediction.not_modelled
    ways = Ways(
        request.requested,
        request.launching.arguments,
        _run(prediction.snapshots, prediction.faults),
        None,
        None if limit is None else limit.what,
    )
    if predict_only:
        return ways, 0 if limit is None else CannotObserve.exit_code
    checked = check_program(replace(request, stops=stops, seconds=round(deadline.left, 1)))
    if checked.reconciliation is None:
        return replace(ways, unobserved=str(checked.error)), checked.exit_code
    observation = checked.reconciliation.observation
    # What traps is counted, and a part of the faults is no count.
    seen = _run(observation.snapshots, observation.faults if observation.saw_every_fault else None)
    ways = replace(ways, observed=seen, unobserved=observation.cut_short)
    # Registers and all the rest are for `inspector check` to judge.
    return ways, 1 if ways.differs else CannotObserve.exit_code if ways.is_partial else 0


def _run(snapshots: Sequence[Snapshot], faults: Sequence[Fault] | None) -> Loading:
    from inspector.loading import Loading, moments

    traps = None if faults is None else sum(not fault.process for fault in faults)
    return Loading(tuple(moments(snapshots)), traps)
