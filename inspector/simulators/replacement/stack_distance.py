"""LRU for every number of frames at once.

LRU keeps the pages in the order of their last use; with n frames the first n of them are resident, whatever n
is (its inclusion property). So a reference is a fault with fewer frames than its place in that order, its
stack distance, and one count of distances tells the faults of every n.
Source: Mattson, Gecsei, Slutz, Traiger, "Evaluation techniques for storage hierarchies", 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SLOTS = 4096
"""A block's slots: enough that there are few blocks to add up, few enough for numbers of so many bits."""


@dataclass(frozen=True, slots=True)
class MissRatioCurve:
    """The faults of LRU as a function of the number of frames."""

    references: int
    faults: tuple[int, ...]
    """With 0, 1, 2, ... frames; from as many frames as pages on, only each page's first use is one."""

    def at(self, frames: int) -> int:
        """Return the faults with that many frames."""
        return self.faults[min(frames, len(self.faults) - 1)]


def lru_curve(references: Iterable[int]) -> MissRatioCurve:
    """Return LRU's curve, in one pass over `references`."""
    order = _OrderOfUse()
    hits: list[int] = [0]
    total = 0
    for page in references:
        total += 1
        distance = order.use(page)
        if distance is None:
            hits.append(0)
        else:
            hits[distance] += 1
    return MissRatioCurve(total, tuple(total - hit for hit in accumulate(hits)))


class _OrderOfUse:
    """Pages on a time line, each in the slot of its last use: a bit of one number for each block of slots."""

    def __init__(self) -> None:
        self._slot_of: dict[int, int] = {}
        self._blocks = [0]
        self._used = [0]
        """How many bits of each block are set."""
        self._end = 0

    def use(self, page: int) -> int | None:
        """Move `page` to the end; return how many pages are from its old place on, itself among them."""
        slot = self._slot_of.pop(page, None)
        distance = None
        if slot is not None:
            block, bit = divmod(slot, _SLOTS)
            above = self._blocks[block] >> bit
            distance = above.bit_count() + sum(self._used[block + 1 :])
            self._blocks[block] ^= 1 << bit
            self._used[block] -= 1
        if self._end == len(self._blocks) * _SLOTS:
            self._make_room()
        block, bit = divmod(self._end, _SLOTS)
        self._blocks[block] |= 1 << bit
        self._used[block] += 1
        self._slot_of[page] = self._end
        self._end += 1
        return distance

    def _make_room(self) -> None:
        """Add a block; when most slots are empty, close the gaps instead."""
        pages = len(self._slot_of)
        if self._end < 2 * pages + _SLOTS:
            self._blocks.append(0)
            self._used.append(0)
            return
        # A dictionary keeps the order in which pages were used last.
        self._slot_of = {page: slot for slot, page in enumerate(self._slot_of)}
        full, rest = divmod(pages, _SLOTS)
        self._blocks = [(1 << _SLOTS) - 1] * full + [(1 << rest) - 1]
        self._used = [_SLOTS] * full + [rest]
        self._end = pages
