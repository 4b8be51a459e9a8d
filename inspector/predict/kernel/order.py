"""Whether the scheduler decides what comes first of two things that processes do to what they share.

Simulated processes run one after the other, real ones at the same time. So a shared thing is used only in
turns that every schedule keeps, and two uses that nothing puts in order are not modelled. What does put
them in order, each process's vector clock knows: of every process, how many of its turns came before.

    fork                    the child knows what its parent knew
    wait4                   the parent knows what its child knew
    reading from a pipe     the reader knows what the writer knew when it wrote
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inspector.errors import NotModelled

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

Clock = dict[int, int]
"""Number of a process -> how many of its turns are known of."""


def learn(task: Task, clock: Clock) -> None:
    """Let `task` know what was known to whoever had `clock`."""
    for number, turns in clock.items():
        task.clock[number] = max(task.clock.get(number, 0), turns)


@dataclass(slots=True)
class Turns:
    """The uses of one thing. Two of them need an order if at least one changes the thing."""

    what: str
    """What no one can tell where there is none."""
    _change: tuple[int, int] | None = None
    """The last: whose, and which of its turns."""
    _looks: Clock = field(default_factory=dict)
    """Since then."""

    def look(self, task: Task) -> None:
        """Use it without changing it. Raises NotModelled."""
        self._check(task, self._change)
        self._looks[task.number] = _next_turn(task)

    def change(self, task: Task) -> None:
        """Change it. Raises NotModelled."""
        self._check(task, self._change)
        for look in self._looks.items():
            self._check(task, look)
        self._looks = {}
        self._change = task.number, _next_turn(task)

    def _check(self, task: Task, turn: tuple[int, int] | None) -> None:
        if turn is not None and task.clock.get(turn[0], 0) < turn[1]:
            raise NotModelled(f"{self.what}, which is the scheduler's to say")


def _next_turn(task: Task) -> int:
    task.clock[task.number] = turn = task.clock.get(task.number, 0) + 1
    return turn
