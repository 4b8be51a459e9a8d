"""What a parent hears of its child's end (kernel/exit.c, kernel/signal.c).

When a child ends, the scheduler decides. A parent can be sure of it once it has waited for the child, or has
taken the signal that says so; until then the child may have ended here, and not yet there.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.predict.kernel.signal import SIG_DFL, SIG_IGN, SignalInfo, send, signal_number

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

_CLD_EXITED, _CLD_KILLED = 1, 2


def exit_notify(child: Task) -> None:
    """Tell an ended task's parent, or let it be forgotten where the parent does not want to know.

    Source: kernel/exit.c:exit_notify(), kernel/signal.c:do_notify_parent().
    """
    parent = child.parent
    if parent is None or parent.ending is not None:
        return
    action = parent.signals.action(signal.SIGCHLD)
    if action.forgets_children:
        parent.children.remove(child)
    if action.handler != SIG_IGN:
        status = wait_status(child)
        code = _CLD_EXITED if status & 0x7F == 0 else _CLD_KILLED
        sender = (child.pid, child.credentials.uid, status >> 8 or status & 0x7F)
        send(parent, SignalInfo(signal.SIGCHLD, code, sender=sender), to_process=True)


def wait_status(task: Task) -> int:
    """Return how a task ended as wait tells it: the status in bits 8-15, or the signal in bits 0-6."""
    ending = task.ending
    if ending is None:
        raise ValueError("a task that has not ended has no status")
    if ending.signal is not None:
        return signal_number(ending.signal)
    return (ending.status or 0) << 8


def refuse_child_race(task: Task) -> None:
    """Raise NotModelled where, from here on, the end of a child may run a handler at any moment.

    In sigsuspend it makes no difference whether the one child has ended before or ends now. Of two, the
    handler would run once or twice. A child that the parent has not heard of yet may have ended here, and
    not yet there.
    """
    state = task.signals
    if state.is_blocked(signal.SIGCHLD) or state.action(signal.SIGCHLD).handler in (SIG_DFL, SIG_IGN):
        return
    unheard = {child.pid for child in task.children if not child.parent_was_told}
    waiting = {info.sender[0] for info in state.shared_pending.values() if info.number == signal.SIGCHLD}
    if state.saved_mask is not None and len(unheard | waiting) <= 1:
        return
    if unheard:
        raise NotModelled("a handler of SIGCHLD that is not blocked: when it runs, the scheduler decides")


def refuse_child_look(task: Task) -> None:
    """Raise NotModelled where the program looks whether SIGCHLD waits, and only the scheduler knows."""
    state = task.signals
    unheard = any(not child.parent_was_told for child in task.children)
    if unheard and state.is_blocked(signal.SIGCHLD):
        raise NotModelled("a look at whether SIGCHLD waits, which is the scheduler's to say")


def hear_of_child(task: Task, info: SignalInfo) -> None:
    """Note that a task has taken SIGCHLD, and from whom: that child has ended for certain."""
    for child in task.children:
        child.parent_was_told |= child.ending is not None and info.sender[:1] == (child.pid,)
