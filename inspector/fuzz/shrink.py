"""From a mutant to the fewest changed fields that still show the same: pure, given who says what shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.fuzz.fields import apply, changes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inspector.fuzz.fields import Change


def shrink(original: bytes, mutant: bytes, still_shows: Callable[[bytes], bool]) -> bytes:
    """Return a file between `original` and `mutant` that still shows what the mutant shows.

    None of the fields in which it differs from `original` can be put back alone without losing that. First
    halves, quarters and so on are put back together, so that a thousand changed bytes are soon few.
    """
    left = list(changes(original, mutant))
    part = max(1, len(left) // 2)
    while True:
        reduced = _without_parts(original, left, part, still_shows)
        if part == 1 and len(reduced) == len(left):
            return apply(original, left)
        left = reduced
        part = max(1, min(part // 2, len(left) // 2))


def _without_parts(
    original: bytes, left: Sequence[Change], part: int, still_shows: Callable[[bytes], bool]
) -> list[Change]:
    """Put back `part` changes at a time wherever that leaves what is to be seen."""
    kept = list(left)
    position = 0
    while position < len(kept):
        fewer = kept[:position] + kept[position + part :]
        if fewer and still_shows(apply(original, fewer)):
            kept = fewer
        else:
            position += part
    return kept
