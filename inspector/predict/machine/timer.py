"""A clock that interrupts the processor, so that whoever runs it can look up."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Timer:
    """Rings from a thread of its own."""

    def __init__(self, interrupt: Callable[[], None]) -> None:
        """Call `interrupt` at each ring; it must be safe to call from another thread."""
        self._interrupt = interrupt
        self._has_rung = False

    def has_rung(self) -> bool:
        """Whether it has rung since this was last asked."""
        rung, self._has_rung = self._has_rung, False
        return rung

    @contextmanager
    def every(self, seconds: float) -> Iterator[None]:
        """Ring every `seconds`."""
        over = threading.Event()

        def ring() -> None:
            while not over.wait(seconds):
                self._has_rung = True
                self._interrupt()

        thread = threading.Thread(target=ring, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
