"""Aligning two sequences that should be one: where they part, and where they meet again.

Myers' greedy algorithm (An O(ND) Difference Algorithm, 1986): D, the number of elements to remove and to
insert, is small where a prediction is nearly right, and 0 where it is right. What lies before the first
difference and behind the last takes one pass. Past a number of steps the search is given up, and
everything from the farthest point on is one gap; so the time is bounded however the two differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

_MOST_STEPS = 1_000_000
_MOST_EDITS = 1000
"""The layers of the search are kept to walk it back; this many hold half a million numbers."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Elements of one sequence, of the other or of both, that have no equal at this place."""

    left: range
    right: range


@dataclass(frozen=True, slots=True)
class Alignment:
    """Two sequences laid side by side. Between the gaps, and around them, both are equal."""

    gaps: tuple[Gap, ...]
    left_end: int
    """How much of the left sequence was held against the right one; all of it, if the right one is whole."""
    right_end: int

    @property
    def agreeing(self) -> int:
        """How many pairs of equal elements there are."""
        return self.left_end - sum(len(gap.left) for gap in self.gaps)

    def rows(self) -> Iterator[tuple[int | None, int | None]]:
        """Yield the positions of what stands side by side; in a gap, None where a side has no more."""
        left = right = 0
        end = Gap(range(self.left_end, self.left_end), range(self.right_end, self.right_end))
        for gap in (*self.gaps, end):
            yield from zip(range(left, gap.left.start), range(right, gap.right.start), strict=True)
            yield from zip_longest(gap.left, gap.right)
            left, right = gap.left.stop, gap.right.stop


def align(
    left: Sequence[Hashable],
    right: Sequence[Hashable],
    *,
    left_whole: bool = True,
    right_whole: bool = True,
) -> Alignment:
    """Align `left` and `right`.

    One that is not whole was cut off: what the other has beyond its last element is in no gap.
    """
    start = _common(left, right)
    end_left, end_right = len(left), len(right)
    if left_whole and right_whole:
        while end_left > start and end_right > start and left[end_left - 1] == right[end_right - 1]:
            end_left, end_right = end_left - 1, end_right - 1
    search = _Search(
        left[start:end_left], right[start:end_right], left_whole=left_whole, right_whole=right_whole
    )
    pairs, (reached_left, reached_right) = search.run()
    shifted = [(start + x, start + y) for x, y in pairs]
    gaps = tuple(_gaps(shifted, start, start + reached_left, start + reached_right))
    if left_whole and right_whole:
        return Alignment(gaps, len(left), len(right))
    return Alignment(gaps, start + reached_left, start + reached_right)


def _common(left: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    """Return how many elements the two have in common at their start."""
    length = min(len(left), len(right))
    return next((at for at in range(length) if left[at] != right[at]), length)


def _gaps(pairs: Sequence[tuple[int, int]], start: int, end_left: int, end_right: int) -> Iterator[Gap]:
    x = y = start
    for left, right in (*pairs, (end_left, end_right)):
        if x < left or y < right:
            yield Gap(range(x, left), range(y, right))
        x, y = left + 1, right + 1


class _Search:
    """One run of the algorithm; diagonal k holds the points (x, y) with x - y == k."""

    def __init__(
        self, left: Sequence[Hashable], right: Sequence[Hashable], *, left_whole: bool, right_whole: bool
    ) -> None:
        self._left, self._right = left, right
        self._left_whole, self._right_whole = left_whole, right_whole
        self._layers: list[dict[int, int]] = []
        """For each number of edits, the farthest x on each diagonal that can be reached with just as many."""

    def run(self) -> tuple[list[tuple[int, int]], tuple[int, int]]:
        """Return the pairs of equal elements, and how far the two were held against each other."""
        steps = 0
        best = (0, 0)
        for edits in range(min(len(self._left) + len(self._right), _MOST_EDITS) + 1):
            layer: dict[int, int] = {}
            self._layers.append(layer)
            for diagonal in range(-edits, edits + 1, 2):
                start = self._entry(edits, diagonal)
                if start is None:
                    continue
                x = self._slide(start, diagonal)
                layer[diagonal] = x
                steps += x - start + 1
                best = max(best, (x, x - diagonal), key=sum)
                if self._at_end(x, x - diagonal):
                    return self._walk_back(edits, x, diagonal), (x, x - diagonal)
            if steps > _MOST_STEPS:
                break
        x, y = best
        edits = next(number for number, layer in enumerate(self._layers) if layer.get(x - y) == x)
        return self._walk_back(edits, x, x - y), (len(self._left), len(self._right))

    def _at_end(self, x: int, y: int) -> bool:
        left_done, right_done = x == len(self._left), y == len(self._right)
        if left_done and right_done:
            return True
        return (left_done and not self._left_whole) or (right_done and not self._right_whole)

    def _entry(self, edits: int, diagonal: int) -> int | None:
        """Return the farthest x at which `edits` edits enter `diagonal`; None if they do not."""
        if not edits:
            return 0
        before = self._layers[edits - 1]
        removed, inserted = before.get(diagonal - 1), before.get(diagonal + 1)
        entries = []
        if removed is not None and removed < len(self._left):
            entries.append(removed + 1)
        if inserted is not None and inserted - diagonal <= len(self._right):
            entries.append(inserted)
        return max(entries, default=None)

    def _slide(self, x: int, diagonal: int) -> int:
        left, right = self._left, self._right
        length = min(len(left), len(right) + diagonal)
        while x < length and left[x] == right[x - diagonal]:
            x += 1
        return x

    def _walk_back(self, edits: int, x: int, diagonal: int) -> list[tuple[int, int]]:
        pairs: list[tuple[int, int]] = []
        while True:
            start = self._entry(edits, diagonal)
            if start is None:
                msg = "a point that was reached has no way back"
                raise AssertionError(msg)
            pairs.extend((at, at - diagonal) for at in range(x - 1, start - 1, -1))
            if not edits:
                return pairs[::-1]
            edits -= 1
            # The same choice as on the way here: the neighbour whose step led to `start`.
            if self._layers[edits].get(diagonal - 1) == start - 1:
                x, diagonal = start - 1, diagonal - 1
            else:
                x, diagonal = start, diagonal + 1
