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
from contextlib import suppress
from functools import partial
from signal import Signals
from typing import TYPE_CHECKING

from inspector.errors import CannotObserve
from inspector.model.ending import Ending
from inspector.model.fault_trace import FaultSource, FaultTrace
from inspector.model.prediction import ExecVerdict, Outcome
from inspector.observe import ptrace
from inspector.observe.launch import launch
from inspector.observe.perf.orphans import adopting_orphans, end_orphans
from inspector.observe.perf.recorder import NoFaultSource, Recorder
from inspector.observe.perf.records import Fork
from inspector.observe.perf.sequence import sequence
from inspector.observe.perf.sources import BY_HOW_MUCH_THEY_TELL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inspector.model.program import Program
    from inspector.observe.perf.sequence import FaultSequence
    from inspector.observe.perf.sources import EventSet

_LINGER_SECONDS = 2.0
"""How long processes that outlive the first one are followed."""
_CLEANUP_SECONDS = 5.0
_POLL_SECONDS = 0.001
_FIRST_REALTIME_SIGNAL = 32


def record_faults(
    program: Program, *, seconds: float, ways: Sequence[Callable[[], EventSet]] = BY_HOW_MUCH_THEY_TELL
) -> FaultTrace:
    """Run `program` and return the page faults of it and of all that it forked, in order.

    The first of `ways` that the machine allows is taken; where none is, the program is not run, and the
    trace says why. After `seconds` the program is killed. Raises LaunchFailed where it cannot be started,
    CannotObserve where it cannot be followed. Nothing is left running in any case.
    """
    deadline = time.monotonic() + seconds
    notes: list[str] = []
    ending: Ending | None = None
    with adopting_orphans(), Recorder(ways) as recorder:
        try:
            with launch(program, seconds=seconds, prepare=partial(_prepare, recorder)) as launched:
                if launched.verdict.outcome is Outcome.RUNS:
                    recorder.expect_to_see_more()
                    ending = _follow(launched.pid, recorder, deadline, notes)
        except NoFaultSource as refusal:
            return FaultTrace(
                None, None, notes=(f"page faults were not recorded: {refusal} ({refusal.help})",)
            )
        except OSError as error:
            raise CannotObserve(
                f"the program could not be followed: {error}", help="see `inspector doctor`"
            ) from error
        finally:
            _end_the_rest(recorder)
        return _trace(recorder, launched.pid, launched.verdict, ending, launched.terminal.output, notes)


def _prepare(recorder: Recorder, pid: int) -> None:
    """Keep the process, and all that it will fork, on one CPU, and open the events on it."""
    allowed = sorted(os.sched_getaffinity(pid))
    home = allowed[pid % len(allowed)]
    with suppress(OSError):  # a sandbox may forbid it: then the clock alone puts the CPUs' faults in order
        os.sched_setaffinity(pid, {home})
    recorder.attach(pid, home)


def _follow(pid: int, recorder: Recorder, deadline: float, notes: list[str]) -> Ending | None:
    """Let the process go and empty the rings until it and what it forked have ended; tell how it ended."""
    process = os.pidfd_open(pid)
    try:
        ptrace.detach(pid)
        ended, all_ended = _drain_until_end(recorder, process, deadline)
    finally:
        os.close(process)
    if not ended:
        notes.append("still running at the deadline, and killed: its faults are cut short")
        return None
    if not all_ended:
        tasks = sequence(recorder.records(), pid).tasks
        left = ", ".join(str(number) for number, count in enumerate(tasks) if count > 0)
        notes.append(f"outlived the program and killed, its faults cut short: process {left}")
    return _ending(pid)


def _drain_until_end(recorder: Recorder, process: int, deadline: float) -> tuple[bool, bool]:
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
    return ended, all_ended


def _ending(pid: int) -> Ending:
    """Return how the child ended, and leave it unreaped: until then its process group is no one else's."""
    info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    if info is None or info.si_code == os.CLD_EXITED:
        return Ending(status=0 if info is None else info.si_status)
    number = info.si_status
    # As gdb names them: the C library's names for real-time signals depend on the library.
    return Ending(signal=f"SIG{number}" if number >= _FIRST_REALTIME_SIGNAL else Signals(number).name)


def _end_the_rest(recorder: Recorder) -> None:
    """End whatever the program has forked and that is still there."""
    deadline = time.monotonic() + _CLEANUP_SECONDS
    while True:
        recorder.drain()
        born = [each.pid for each in recorder.records() if isinstance(each, Fork) and each.pid != each.parent]
        if not end_orphans(born) or time.monotonic() > deadline:
            return
        time.sleep(_POLL_SECONDS)


def _trace(
    recorder: Recorder,
    pid: int,
    verdict: ExecVerdict,
    ending: Ending | None,
    output: bytes,
    notes: list[str],
) -> FaultTrace:
    """Put together what was recorded, after everything has ended."""
    happened, counted = recorder.happened(), recorder.counted()
    found = sequence(recorder.records(), pid)
    lost = happened - len(found.faults)
    return FaultTrace(
        source=recorder.source,
        faults=tuple(found.faults),
        counts=tuple(found.counts),
        lost=lost,
        counted=counted,
        verdict=verdict,
        ending=ending,
        output=output,
        notes=(*_limits(recorder), *notes, *found.notes, *_gaps(found, lost, happened, counted)),
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
