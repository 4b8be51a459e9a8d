"""A line on stderr while one program takes long: what is done, for how long, and how long it may take."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

from inspector.language import N_, tr

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE_SECONDS = 2.0
"""What takes no longer than this needs no word."""
_EVERY_SECONDS = 1.0
_LONGEST_NAME = 30
PREDICTION = N_("prediction of {name}")
RUN = N_("run of {name}")
BOTH = N_("prediction and run of {name}")


def working_on(requested: str, seconds: float, what: str = BOTH) -> Working:
    """Return the context in which a terminal is told that work on a program goes on."""
    from inspector.report.text import printable, shortened

    return Working(tr(what).format(name=shortened(printable(requested), _LONGEST_NAME)), seconds)


class Working:
    """Work whose end is not known: a context in which a terminal is told once a second that it goes on."""

    def __init__(self, what: str, most_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`what`: in the user's language. `most_seconds`: when it is given up; `clock` tells seconds."""
        self._what, self._most, self._clock = what, most_seconds, clock
        self._begun = clock()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            self._thread = threading.Thread(target=self._tell, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._done.set()
            self._thread.join()

    def text(self) -> str:
        """Return the line: `prediction and run of fixtures/build/hello: 7 s, at most 30 s`."""
        elapsed = round(self._clock() - self._begun)
        line = tr("{work}: {elapsed} s, at most {most} s")
        return line.format(work=self._what, elapsed=elapsed, most=round(self._most))

    def _tell(self) -> None:
        """Write until the work is done, then take the line away.

        By the descriptor: a lock of sys.stderr's, held while the work forks, would stay locked in the child.
        """
        if self._done.wait(_PATIENCE_SECONDS):
            return
        try:
            while not self._done.wait(_EVERY_SECONDS):
                os.write(sys.stderr.fileno(), f"\r\x1b[K{self.text()}".encode(errors="replace"))
            os.write(sys.stderr.fileno(), b"\r\x1b[K")
        except OSError:
            pass  # nobody is left to be told
