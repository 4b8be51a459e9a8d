"""Leading a launcher through execve: from its own stop to the errno, the death, or the new program.

Whoever starts a program, and for whatever reason, comes through here (launch.py, exec_stage.py).
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from signal import SIGTRAP
from typing import TYPE_CHECKING

from inspector.errors import LaunchFailed
from inspector.model.prediction import ExecVerdict, Outcome
from inspector.observe import ptrace
from inspector.observe.launcher import SETUP_FAILURES
from inspector.observe.limits import set_limits
from inspector.observe.snapshot import read_fault_counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.model.program import Limits
    from inspector.model.snapshot import FaultCounts

_EVENT_EXEC = 4


@dataclass(frozen=True, slots=True)
class ExecStop:
    """What execve answered. If the program runs, it stands before its first instruction."""

    verdict: ExecVerdict
    baseline: FaultCounts
    """Fault counters just before execve."""


def lead_through_exec(
    pid: int,
    wait: Callable[[], ptrace.Stopped | ptrace.Gone],
    limits: Limits,
    prepare: Callable[[int], None] = lambda _: None,
) -> ExecStop:
    """Lead process `pid`, a launcher just started, to the return of its execve.

    `wait` waits for its next stop or end; `prepare` is given its number just before execve. After a refusal
    or a death there is no process left, and it has been reaped. Raises LaunchFailed.
    """
    _expect_stage(wait())
    set_limits(pid, limits)
    prepare(pid)
    ptrace.set_options(pid)
    ptrace.continue_to_syscall(pid)
    _expect_syscall_stop(wait())
    baseline = read_fault_counts(pid)
    return ExecStop(_answer(pid, wait), baseline)


def _expect_stage(stop: ptrace.Stopped | ptrace.Gone) -> None:
    if isinstance(stop, ptrace.Gone):
        reason = SETUP_FAILURES.get(stop.status or 0, f"it ended early ({stop.signal or stop.status})")
        raise LaunchFailed(f"the launcher could not set the stage: {reason}", help="see `inspector doctor`")
    if stop.signal != SIGTRAP:
        raise LaunchFailed(f"the launcher was stopped by signal {stop.signal}")


def _expect_syscall_stop(stop: ptrace.Stopped | ptrace.Gone) -> None:
    if isinstance(stop, ptrace.Gone) or not stop.syscall:
        raise LaunchFailed(f"the launcher did not reach execve ({stop})")


def _answer(pid: int, wait: Callable[[], ptrace.Stopped | ptrace.Gone]) -> ExecVerdict:
    ptrace.continue_to_syscall(pid)
    stop = wait()
    if isinstance(stop, ptrace.Stopped) and stop.event == _EVENT_EXEC:
        ptrace.continue_to_syscall(pid)
        stop = wait()
    if isinstance(stop, ptrace.Stopped) and stop.syscall:
        answer = ptrace.syscall_result(pid)
        if answer >= 0:
            return ExecVerdict(Outcome.RUNS)
        # Past the point of no return execve still returns an errno, but to a process doomed to SIGSEGV.
        # Only what becomes of it tells the two apart: a refused launcher goes on, and exits with 0.
        ptrace.resume(pid)
        stop = wait()
        if stop == ptrace.Gone(0, None):
            return ExecVerdict(Outcome.REFUSED, errno=errno.errorcode.get(-answer, f"errno {-answer}"))
    if isinstance(stop, ptrace.Stopped):
        ptrace.resume(pid, stop.signal)
        stop = wait()
    if isinstance(stop, ptrace.Stopped) or stop.signal is None:
        raise LaunchFailed(f"execve did not come to an end ({stop})")
    return ExecVerdict(Outcome.KILLED, signal=stop.signal)
