"""A moment by which a whole run must be over, however many stops it makes on the way."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """`seconds` after what is timed began."""

    seconds: float
    end: float
    """On the clock of time.monotonic()."""

    @classmethod
    def after(cls, seconds: float, *, spent: float = 0.0) -> Deadline:
        """Return the deadline that many seconds from now, less those of them that are spent already."""
        return cls(seconds, time.monotonic() + seconds - spent)

    @property
    def left(self) -> float:
        """Seconds until then; 0 once it has passed."""
        return max(0.0, self.end - time.monotonic())

    @property
    def spent(self) -> float:
        """Seconds gone by since what is timed began."""
        return self.seconds - (self.end - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether it is over."""
        return not self.left
