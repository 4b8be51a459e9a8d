"""The witness run: a program run by nobody but the kernel, with every page fault recorded in order.

It is started as all programs are. Before its execve the events are opened on it, and it is kept on one
CPU, which all that it forks inherits. After execve it is let go and runs free, seen by no debugger.

Which faults of execve itself are recorded, fs/exec.c:begin_new_exec() decides: it starts the events
(perf_event_exec()) once the new address space is installed. So what the binary format's handler touches
from there on is seen as faults of kernel mode: the zeroed tail of a segment's last page
(fs/binfmt_elf.c:padzero()) and the tables of the initial stack (create_elf_tables()) where they reach
below the pages of its strings. Those pages themselves are written through get_user_pages, before and
without a fault: they count in min_flt, and no event tells of them.
"""

from __future__ import annotations

import math
import os
import select
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from inspector.errors import CannotObserve, InspectorError
from inspector.model.ending import Ending
from inspector.model.fault_trace import FaultSource, FaultTrace
from inspector.model.prediction import Outcome
from inspector.observe import ptrace
from inspector.observe.damon import DamonWatch
from inspector.observe.launch import launch
from inspector.observe.page_cache import settle
from inspector.observe.perf.endings import Endings, signal_name
from inspector.observe.perf.recorder import NoFaultSource, Recorder
from inspector.observe.perf.sequence import sequence
from inspector.observe.perf.sources import BY_HOW_MUCH_THEY_TELL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inspector.model.observation import Observation
    from inspector.model.program import Program
    from inspector.observe.deadline import Deadline
    from inspector.observe.launch import Launched
    from inspector.observe.perf.sequence import FaultSequence
    from inspector.observe.perf.sources import EventSet

_LINGER_SECONDS = 2.0
"""How long processes that outlive the first one are followed."""


def record_faults(
    program: Program,
    *,
    seconds: float,
    ways: Sequence[Callable[[], EventSet]] = BY_HOW_MUCH_THEY_TELL,
    damon: DamonWatch | None = None,
) -> FaultTrace:
    """Run `program` and return the page faults of it and of all that it forked, in order.

    The first of `ways` that the machine allows is taken; where none is, the program is not run, and the
    trace says why. After `seconds` the program is killed. `damon` is a watch that was entered some time ago.
    Raises LaunchFailed where it cannot be started, CannotObserve where it cannot be followed. Nothing is left
    running in any case.
    """
    with ExitStack() as opened:
        damon = damon or opened.enter_context(DamonWatch())
        damon.restart()
        trace = _record(program, seconds, ways)
        return replace(trace, reclaim=damon.evidence())


def _record(program: Program, seconds: float, ways: Sequence[Callable[[], EventSet]]) -> FaultTrace:
    settle(program)
    deadline = time.monotonic() + seconds
    end = _End()
    with Recorder(ways) as recorder, Endings() as endings:
        try:
            with launch(program, seconds=seconds, prepare=partial(_prepare, recorder)) as launched:
                if launched.verdict.outcome is Outcome.RUNS:
                    recorder.expect_to_see_more()
                    end = _follow(launched.pid, recorder, endings, deadline)
        except NoFaultSource as refusal:
            return FaultTrace(
                None, None, notes=(f"page faults were not recorded: {refusal} ({refusal.help})",)
            )
        except OSError as error:
            raise CannotObserve(
                f"the program could not be followed: {error}", help="see `inspector doctor`"
            ) from error
        # By now all that it started has ended, and nothing more will come.
        recorder.drain()
        return _trace(recorder, endings, launched, end)


def witnessed(observation: Observation, deadline: Deadline, damon: DamonWatch | None = None) -> Observation:
    """Run the program of `observation` once more and return that with the page faults added.

    Raises nothing: what came in the way, or came out otherwise than before, stands in the notes; `cut_short`
    says so if the program had not ended by the deadline.
    """
    if observation.program.randomize:
        note = "page faults were not recorded: ASLR gives every run, and so a second one, other addresses"
        return replace(observation, notes=(*observation.notes, note))
    try:
        trace = record_faults(observation.program, seconds=deadline.left, damon=damon)
    except InspectorError as error:
        trace = FaultTrace(None, None, notes=(f"page faults were not recorded: {error}",))
    notes = (*observation.notes, *trace.notes)
    before, now = (None if each is None else str(each) for each in (observation.ending, trace.ending))
    if before is not None and now is not None and before != now:
        notes = (*notes, f"the run that page faults were recorded of ended otherwise: {now}")
    cut_short = observation.cut_short
    if deadline.passed and trace.ending is None:
        cut_short = (
            f"the second run, which records page faults, was not over within the {deadline.seconds:g} s "
            "for all of the program (allow it more with --timeout)"
        )
    return replace(
        observation,
        notes=notes,
        cut_short=cut_short,
        faults=trace.faults,
        fault_source=None if trace.source is None else trace.source.value,
        faults_lost=trace.lost,
        faults_complete=trace.complete,
        reclaim_at_faults=trace.reclaim,
        children=trace.children,
    )


def _prepare(recorder: Recorder, pid: int) -> None:
    """Keep the process, and all that it will fork, on one CPU, and open the events on it."""
    allowed = sorted(os.sched_getaffinity(pid))
    home = allowed[pid % len(allowed)]
    with suppress(OSError):  # a sandbox may forbid it: then the clock alone puts the CPUs' faults in order
        os.sched_setaffinity(pid, {home})
    recorder.attach(pid, home)


@dataclass(frozen=True, slots=True)
class _End:
    """How a run came to its end."""

    ending: Ending | None = None
    cut: str | None = None
    """What had to be killed, in words. None: nothing."""


def _follow(pid: int, recorder: Recorder, endings: Endings, deadline: float) -> _End:
    """Let the process go and empty the rings until it and what it forked have ended, or are to be killed."""
    process = os.pidfd_open(pid)
    try:
        ptrace.detach(pid)
        ended, all_ended = _drain_until_end(recorder, endings, process, deadline)
    finally:
        os.close(process)
    if not ended:
        return _End(cut="the program was killed at the deadline")
    if not all_ended:
        tasks = sequence(recorder.records(), pid).tasks
        left = ", ".join(str(number) for number, count in enumerate(tasks) if count > 0)
        return _End(_ending(pid), cut=f"process {left} outlived the program and was killed")
    return _End(_ending(pid))


def _drain_until_end(
    recorder: Recorder, endings: Endings, process: int, deadline: float
) -> tuple[bool, bool]:
    """Return whether the process of the descriptor has ended by the deadline, and whether all have."""
    poll = select.poll()
    poll.register(process, select.POLLIN)
    for owner in recorder.owners:
        poll.register(owner, select.POLLIN)
    ended = all_ended = False
    while not (ended and all_ended) and (left := deadline - time.monotonic()) > 0:
        for descriptor, event in poll.poll(math.ceil(left * 1000)):
            if descriptor == process:
                ended = True
                deadline = min(deadline, time.monotonic() + _LINGER_SECONDS)
                poll.unregister(process)
            elif event & select.POLLHUP:  # no process has this event any more
                all_ended = True
                poll.unregister(descriptor)
        recorder.drain()
        endings.drain()
    return ended, all_ended


def _ending(pid: int) -> Ending:
    """Return how the child ended, and leave it unreaped: until then its process group is no one else's."""
    info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    if info is None or info.si_code == os.CLD_EXITED:
        return Ending(status=0 if info is None else info.si_status)
    return Ending(signal=signal_name(info.si_status))


def _trace(recorder: Recorder, endings: Endings, launched: Launched, end: _End) -> FaultTrace:
    """Put together what was recorded, after everything has ended."""
    happened, counted = recorder.happened(), recorder.counted()
    found = sequence(recorder.records(), launched.pid)
    lost = happened - len(found.faults)
    cut = [] if end.cut is None else [f"{end.cut}: the page faults are cut short"]
    return FaultTrace(
        source=recorder.source,
        faults=tuple(found.faults),
        counts=tuple(found.counts),
        lost=lost,
        complete=end.cut is None,
        counted=counted,
        verdict=launched.verdict,
        ending=end.ending,
        children=endings.of(found.pids[1:]) if end.cut is None else (),
        output=launched.terminal.output,
        notes=(*_limits(recorder), *cut, *found.notes, *_gaps(found, lost, happened, counted)),
    )


def _limits(recorder: Recorder) -> list[str]:
    """Say what the source does not tell, and why it is not a better one."""
    refused = "; ".join(recorder.refusals)
    match recorder.source:
        case FaultSource.SOFTWARE:
            return [f"reads, writes and instruction fetches are not told apart ({refused})"]
        case FaultSource.SOFTWARE_USER:
            return [f"faults that the kernel took for the program, in execve too, were not seen ({refused})"]
        case _:
            return []


def _gaps(found: FaultSequence, lost: int, happened: int, counted: int) -> list[str]:
    notes = []
    if lost:
        gap = len(found.faults) if found.first_gap is None else found.first_gap
        notes.append(f"{lost} of {happened} faults were lost, the first after {gap} faults")
    if counted != happened:
        notes.append(f"the kernel's counter of page faults says {counted}, its events {happened}")
    return notes
