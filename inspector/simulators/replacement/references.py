"""Strings of page references: written by hand, or drawn at random with the locality programs have."""

from __future__ import annotations

import random
import re

from inspector.errors import UsageError

MOST_REFERENCES = 10_000_000
LARGEST_PAGE = (1 << 52) - 1
"""The last page of a 64-bit address space."""
_NEIGHBOURHOOD = 4
_FIRST_WORDS = 40


def parse_references(text: str) -> list[int]:
    """Return the pages in `text`: numbers, decimal or 0x..., between blanks or commas. Raises UsageError."""
    words = re.split(r"[\s,]+", text.strip().strip(","))
    if words == [""]:
        raise UsageError("the string of references is empty", help='give pages, as in --refs "1 2 3 1"')
    return [_page(word) for word in words]


def _page(word: str) -> int:
    short = word if len(word) <= _FIRST_WORDS else f"{word[:_FIRST_WORDS]}..."
    if not re.fullmatch(r"-?(?:0[xX][0-9a-fA-F]+|[0-9]+)", word, re.ASCII):
        raise UsageError(f"{short!r} is not a page number", help="write pages as numbers: 7, or 0x8048")
    if word.startswith("-") or len(word) > _FIRST_WORDS:
        raise UsageError(f"page {short} is out of range", help=f"pages go from 0 to {LARGEST_PAGE}")
    page = int(word, 16) if "x" in word.lower() else int(word)
    if page > LARGEST_PAGE:
        raise UsageError(f"page {short} is out of range", help=f"pages go from 0 to {LARGEST_PAGE}")
    return page


def random_references(length: int, pages: int, seed: int, locality: float = 0.8) -> list[int]:
    """Return `length` references to pages 0 to `pages` - 1.

    With probability `locality` the next page lies in the neighbourhood of where the program is; otherwise the
    program moves on, to any page. Raises UsageError.
    """
    if not 0 < length <= MOST_REFERENCES:
        raise UsageError(f"{length} references", help=f"give --length a number from 1 to {MOST_REFERENCES}")
    if not 0 < pages <= LARGEST_PAGE:
        raise UsageError(f"{pages} pages", help=f"give --pages a number from 1 to {LARGEST_PAGE}")
    if not 0 <= locality <= 1:
        raise UsageError(f"a locality of {locality}", help="give --locality a number from 0 to 1")
    draw = random.Random(seed)  # noqa: S311 - a simulation that can be repeated
    here = draw.randrange(pages)
    near = min(_NEIGHBOURHOOD, pages)
    references = []
    for _ in range(length):
        if draw.random() >= locality:
            here = draw.randrange(pages)
        references.append((here + draw.randrange(near)) % pages)
    return references
