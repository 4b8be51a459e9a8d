"""What comparing the two wings found."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Verdict(enum.Enum):
    """How a prediction fared."""

    AGREES = "agrees"
    EXPLAINED = "explained"
    """They differ, and a rule says why they must."""
    DIFFERS = "differs"
    UNOBSERVED = "unobserved"
    """The observer could not look: neither a pass nor a failure."""
    NOT_PREDICTED = "not predicted"
    """The observer looked, the predictor does not reach that far."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One aspect of one checkpoint, held against each other.

    An aspect that agrees everywhere is one finding; each place where it does not is one more.
    """

    checkpoint: str
    aspect: str
    """`verdict`, `vma`, `register`, `stack`, `auxv`, `page`, `minor faults`, ..."""
    where: str
    """The address, register or entry; empty where the aspect is one number."""
    predicted: str
    observed: str
    verdict: Verdict
    rule: str | None = None
    """Id of the rule that explains the difference; of one that is not explained, what it was predicted by."""
    context: tuple[str, ...] = ()
    """What stands around the place, a line each, as a unified diff marks it: `-` predicted, `+` observed."""
