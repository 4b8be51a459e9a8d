"""What stops the processor from outside: a deadline, or a signal to this process that waits to be handled.

The engine leaves off after any load or store (qemu/tcg/tcg-op.c:check_exit_request() of Unicorn), and would
then run the whole instruction again: `add [ebx], 1` would add 2. So it is stopped only where nothing goes on
from there.
"""

from __future__ import annotations

import math
import os
import select
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment by which something has to be done."""

    seconds: float
    """How long it was given."""
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_at", time.monotonic() + self.seconds)

    def left(self) -> float:
        """Return the seconds left, at least 0."""
        return max(0.0, self._at - time.monotonic())

    def is_over(self) -> bool:
        """Whether there are none left."""
        return self.left() == 0


class Alarm:
    """Rings from a thread of its own, once and for all."""

    def __init__(self, stop: Callable[[], None]) -> None:
        """`stop` must be safe to call from another thread. It is called until the alarm is no longer set."""
        self._stop = stop
        self.has_rung = False

    @contextmanager
    def set(self, deadline: Deadline) -> Iterator[None]:
        """Ring when the deadline is over, and when a signal is there: its handler waits for the interpreter.

        Handlers run in the main thread alone; in another one, signals do not ring.
        """
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        over = threading.Event()
        thread = threading.Thread(target=self._wait, args=(reader, deadline, over), daemon=True)
        try:
            with _told_of_signals(writer):
                thread.start()
                try:
                    yield
                finally:
                    over.set()
                    os.write(writer, b"\0")
                    thread.join()
        finally:
            os.close(reader)
            os.close(writer)

    def _wait(self, reader: int, deadline: Deadline, over: threading.Event) -> None:
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        poll.poll(math.ceil(deadline.left() * _MILLISECONDS))
        while not over.is_set():
            self.has_rung = True
            self._stop()
            over.wait(_AGAIN_SECONDS)


@contextmanager
def _told_of_signals(writer: int) -> Iterator[None]:
    """Have a byte written to `writer` for each signal that has a handler in Python."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)


_MILLISECONDS = 1000
_AGAIN_SECONDS = 0.01
"""The engine may be about to start, and not see that it was stopped."""
