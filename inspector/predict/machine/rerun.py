"""Why a simulation is made again, from its start: what it has given so far is worth nothing."""

from __future__ import annotations

import enum


class Special(enum.Enum):
    """Operands of arithmetic that are so rare that nothing is prepared for them until there is one."""

    DENORMAL = enum.auto()
    NAN = enum.auto()


class Disturbed(Exception):
    """The processor was halted, and nothing was to end: the simulation is to be made again."""


class SpecialMet(Exception):
    """An operand of this kind has taken part in the run that was the processor's `number`-th.

    Its results are worth nothing: the simulation is to be made again, by a processor told of the kind and the
    number. No user ever sees it.
    """

    def __init__(self, kind: Special, number: int) -> None:
        """Runs are counted from 0."""
        super().__init__(kind, number)
        self.kind = kind
        self.number = number
