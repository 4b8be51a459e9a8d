"""The map to scale: where each address lies on a line, with what is not mapped folded, and labels beside it.

The line is piecewise straight. Between two neighbouring ends of areas it follows the scale if something is
mapped there, and no gap is longer than FOLD; an area so small that it would not be seen is MINIMUM long.
The unit is that of the medium, a pixel as a rule; the highest address lies at 0, as textbooks draw it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.model.address import AddressRange
    from inspector.view.areas import Area

FOLD = 28.0
"""The length of a folded gap."""
MINIMUM = 4.0
"""The least length of what is mapped."""
LINE = 18.0
"""The least distance of two labels."""


@dataclass(frozen=True, slots=True)
class Fold:
    """A gap that is not drawn to scale."""

    range: AddressRange
    y: float
    """Of its middle."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Where addresses lie on the line."""

    addresses: tuple[int, ...]
    """Every address at which an area of either side begins or ends, ascending."""
    offsets: tuple[float, ...]
    """How far each of them is from the lowest."""
    bytes_a_unit: float
    folded: tuple[tuple[int, int], ...]
    """The gaps that are not to scale, ascending."""
    enlarged: bool
    """Whether some area is drawn longer than the scale has it."""

    @property
    def height(self) -> float:
        """The length of the whole line."""
        return self.offsets[-1] if self.offsets else 0.0

    def y(self, address: int) -> float:
        """Return how far below the highest address one lies; it is between the lowest and the highest."""
        place = min(max(bisect_right(self.addresses, address) - 1, 0), len(self.addresses) - 2)
        low, high = self.addresses[place], self.addresses[place + 1]
        start, end = self.offsets[place], self.offsets[place + 1]
        return self.height - start - (end - start) * (address - low) / (high - low)


def figure_of(areas: Sequence[Area], height: float) -> Figure:
    """Return the line on which all that is mapped takes about `height`; there is at least one area."""
    vmas = [vma for area in areas for vma in (area.predicted, area.observed) if vma is not None]
    ends = sorted({end for vma in vmas for end in (vma.start, vma.end)})
    covered = _covered(ends, sorted((vma.start, vma.end) for vma in vmas))
    spans = list(pairwise(ends))
    mapped = sum(end - start for (start, end), is_covered in zip(spans, covered, strict=True) if is_covered)
    scale = mapped / height
    offsets, folded, enlarged = [0.0], [], False
    for (start, end), is_covered in zip(spans, covered, strict=True):
        length = (end - start) / scale
        if is_covered and length < MINIMUM:
            length, enlarged = MINIMUM, True
        elif not is_covered and length > FOLD:
            length = FOLD
            folded.append((start, end))
        offsets.append(offsets[-1] + length)
    return Figure(tuple(ends), tuple(offsets), scale, tuple(folded), enlarged)


def _covered(ends: Sequence[int], spans: Sequence[tuple[int, int]]) -> list[bool]:
    """Return of each stretch between two neighbouring `ends` whether some span covers it."""
    covered, reached, position = [], 0, 0
    for start, _ in pairwise(ends):
        while position < len(spans) and spans[position][0] <= start:
            reached = max(reached, spans[position][1])
            position += 1
        covered.append(start < reached)
    return covered


def spread(wanted: Sequence[float], distance: float = LINE) -> list[float]:
    """Return places as near to the `wanted` ones, which ascend, as a distance between them allows.

    Labels that would lie over each other are pushed apart as a block around their common middle.
    """
    blocks: list[tuple[float, int]] = []  # where the first of a block lies, and how many there are
    for place in wanted:
        first, count = place, 1
        while blocks and blocks[-1][0] + blocks[-1][1] * distance > first:
            before, number = blocks.pop()
            # The middle of both blocks is kept, weighted by how many stand in each.
            total = number + count
            first = (before * number + (first - number * distance) * count) / total
            count = total
        blocks.append((first, count))
    return [first + number * distance for first, count in blocks for number in range(count)]
