"""Numbers in a page, by column: little-endian and in base64, for a browser to read as one typed array."""

from __future__ import annotations

import base64
import sys
from array import array
from typing import TYPE_CHECKING, Generic, TypedDict, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

T = TypeVar("T", bound="Hashable")

_TYPES = (("u8", "B", 1 << 8), ("u16", "H", 1 << 16), ("u32", "I", 1 << 32))
MOST_EXACT = (1 << 53) - 1
"""Up to here a browser's numbers are exact."""


class Column(TypedDict):
    """A column as it stands in a page's JSON: `u8`, `u16`, `u32` or `f64`, and the numbers' bytes."""

    type: str
    data: str


def column(numbers: Sequence[int]) -> Column:
    """Return `numbers`, none of them negative, in as few bytes each as the largest needs.

    Raises ValueError for one that a browser could not hold exactly.
    """
    largest = max(numbers, default=0)
    if largest > MOST_EXACT:
        raise ValueError(f"{largest:#x} is too large for a page")
    name, code = next(((name, code) for name, code, limit in _TYPES if largest < limit), ("f64", "d"))
    values = array(code, numbers)
    if sys.byteorder == "big":
        values.byteswap()
    return {"type": name, "data": base64.b64encode(values.tobytes()).decode("ascii")}


class Numbering(Generic[T]):
    """Gives equal things one number, from 0, and keeps them in that order."""

    def __init__(self) -> None:
        """Start empty."""
        self._numbers: dict[T, int] = {}

    def of(self, thing: T) -> int:
        """Return the number of `thing`, a new one the first time."""
        return self._numbers.setdefault(thing, len(self._numbers))

    def all(self) -> list[T]:
        """Return all things by their number."""
        return list(self._numbers)
