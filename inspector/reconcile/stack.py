"""The initial stack, compared byte by byte; what cannot be predicted is named and left out."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from inspector.model.finding import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.snapshot import StackImage

_SHOWN_BYTES = 16


def comparable_bytes(stack: StackImage) -> int:
    """Return how many bytes of a stack can be held against another's."""
    return len(stack.contents) - len(_unpredictable(stack))


def compare_stack(at: str, predicted: StackImage, observed: StackImage) -> Iterator[Finding]:
    """Yield one finding for each run of bytes that differ, or one that says that none can be compared."""
    if (predicted.sp, len(predicted.contents)) != (observed.sp, len(observed.contents)):
        shown = [f"{image.sp:#x}, {len(image.contents)} bytes" for image in (predicted, observed)]
        yield Finding(at, "stack bytes", "extent", shown[0], shown[1], Verdict.DIFFERS)
        return
    free = _unpredictable(predicted)
    if predicted.contents and not comparable_bytes(predicted):
        yield Finding(at, "stack bytes", "", "", str(len(observed.contents)), Verdict.NOT_PREDICTED)
        return
    wrong = [
        predicted.sp + offset
        for offset, (mine, seen) in enumerate(zip(predicted.contents, observed.contents, strict=True))
        if mine != seen and predicted.sp + offset not in free
    ]
    for _, run in groupby(enumerate(wrong), key=lambda item: item[1] - item[0]):
        addresses = [address for _, address in run]
        start = addresses[0] - predicted.sp
        end = start + min(len(addresses), _SHOWN_BYTES)
        where = f"{addresses[0]:#x}, {len(addresses)} bytes"
        yield Finding(
            at,
            "stack bytes",
            where,
            predicted.contents[start:end].hex(),
            observed.contents[start:end].hex(),
            Verdict.DIFFERS,
            "stack.tables",
        )


def _unpredictable(stack: StackImage) -> set[int]:
    """Return the addresses of the bytes that no one can know beforehand."""
    return {address for gap in stack.unpredictable for address in range(gap.start, gap.start + gap.length)}
