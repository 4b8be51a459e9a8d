"""How a function becomes a system call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.model.system_call import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[..., int]


@dataclass(frozen=True, slots=True)
class Entry:
    """One system call: its function, and how many of the six argument registers it takes."""

    handler: Handler
    arguments: int


class Blocked(Exception):
    """The task cannot go on until `until()` is true; then it makes the same call again."""

    def __init__(self, until: Callable[[], bool], *, at_rest: bool = False) -> None:
        """`until` is asked whenever the scheduler looks for a task to run.

        `at_rest`: it goes on as well when no other task can, for then nothing more will happen first.
        """
        super().__init__()
        self.until = until
        self.at_rest = at_rest


HANDLERS: dict[int, Entry] = {}
"""By number; filled as the modules that define system calls are imported."""


def system_call(*names: str) -> Callable[[Handler], Handler]:
    """Make a function the handler of the system calls `names`.

    It takes the task and the first registers as unsigned 32-bit numbers, and returns what eax will hold.
    A KernelError it raises becomes its negative errno.
    """

    def register(handler: Handler) -> Handler:
        for name in names:
            HANDLERS[NUMBERS[name]] = Entry(handler, handler.__code__.co_argcount - 1)
        return handler

    return register


def signed(value: int) -> int:
    """Return a 32-bit register's value as a signed number."""
    return value - (1 << 32) if value & 0x8000_0000 else value
