"""What a question must be told by the machine, and what happens where it is not."""

from __future__ import annotations

import enum

from inspector.errors import InspectorError


class Needs(enum.Flag):
    """What a question must be told by the machine."""

    NOTHING = 0
    EXEC = 1
    """execve's answer, and the process before its first instruction."""
    STOPS = 2
    """The process at stops on its way to its end, and how it ended."""
    FAULTS = 4
    """Every page fault in order."""


class NotTold(InspectorError):
    """The evidence does not tell what a question asks: it could not be judged."""
