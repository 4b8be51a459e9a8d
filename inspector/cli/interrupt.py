"""SIGINT, SIGTERM and SIGHUP as an exception, so that every context manager on the way out cleans up."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
_CLEANING_SECONDS = 5.0
_SHORTLY_SECONDS = 0.01


class Interrupted(BaseException):
    """A signal asks the command to end. Not an Exception: nothing on the way may take it for an error."""

    def __init__(self, number: int) -> None:
        """`number` is the signal's."""
        super().__init__(_WORDS.get(signal.Signals(number), f"ended by signal {number}"))
        self.exit_code = 128 + number


class _Handler:
    """Raises Interrupted, once in a while: an impatient second signal must not break the cleaning up.

    Python loses an exception that is raised where it has no caller, such as in a weak reference's callback.
    So the alarm is set, which raises it again should the process still be at work by then.

    What is raised in a function that C has called is not only lost but shown with a traceback. It waits:
    logging is called by fork itself, before and after, to hold its lock meanwhile (os.register_at_fork());
    imports clean up in a weak reference's callback; and the simulated processor asks for its memory.
    """

    def __init__(self) -> None:
        self._last = float("-inf")
        self._number = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last > _CLEANING_SECONDS:
            self._last = now
            self._number = number
            signal.setitimer(signal.ITIMER_REAL, _CLEANING_SECONDS, _CLEANING_SECONDS)
            self._raise(frame)

    def again(self, _: int, frame: FrameType | None) -> None:
        """Raise once more what was lost."""
        self._raise(frame)

    def _raise(self, frame: FrameType | None) -> None:
        if frame is not None and _is_called_by_c(frame):
            signal.setitimer(signal.ITIMER_REAL, _SHORTLY_SECONDS, _CLEANING_SECONDS)
        else:
            raise Interrupted(self._number)


def _is_called_by_c(frame: FrameType) -> bool:
    module, function = frame.f_globals.get("__name__", ""), frame.f_code.co_name
    return module == "logging" or function in _CALLED_BY_C.get(module.partition(".")[0], ())


_CALLED_BY_C = {
    "importlib": {"cb"},
    "unicorn": {"wrapper", "__init__", "__del__"},
    "inspector": {"fill", "on_code", "on_memory"},
}
"""By package: of `_bootstrap._get_module_lock()`, `uccallback()`, and `predict/machine/engine.py`.

A `UcContext` that is interrupted in the making complains when it goes.
"""


def raise_interrupts(*, ignore: tuple[signal.Signals, ...] = ()) -> None:
    """Turn signals into Interrupted from now on; `ignore` those named.

    One that was ignored when the process started (`nohup`, a job in the background) stays so.
    """
    handler = _Handler()
    signal.signal(signal.SIGALRM, handler.again)
    for number in SIGNALS:
        if number in ignore:
            signal.signal(number, signal.SIG_IGN)
        elif signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def no_more_interrupts() -> None:
    """Let nothing disturb the end of the process."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
