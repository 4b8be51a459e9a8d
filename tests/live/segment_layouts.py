"""Programs whose segments lie close together, in any order: what decides which of them become one area.

Most continue each other in the file, so that permissions, order and cleared tails alone decide.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.live.odd_programs import ET_DYN, ET_EXEC, PAGE, STACK, OddElf, R, Segment, W, X

if TYPE_CHECKING:
    import random

_BASE = 0x08048000
_PERMISSIONS = (
    (R | W,),
    (R | W,),
    (R | W,),
    (R | W, R | W, R | W | X),
    (R | W, R | W, R, R | X),
    (R, R | X),
    (R | W, W, W | X, R | W | X),
)


def random_layout(source: random.Random) -> OddElf:
    """Return a program of two to nine PT_LOADs on adjacent or overlapping pages, in shuffled order."""
    choose = source.choice
    movable = source.random() < 0.25
    base = 0 if movable else _BASE
    permissions = choose(_PERMISSIONS)
    segments, page = [], 0
    for _ in range(source.randrange(2, 10)):
        pages = choose((1, 1, 1, 2, 3))
        # A full last page, or one whose tail is cleared; then perhaps pages that no file is behind.
        filesz = pages * PAGE - choose((0, 0x10, 0x800, PAGE - 1))
        memsz = pages * PAGE + choose((0, 0, 0, 0, 0, 0, 0, 1, PAGE, 3 * PAGE))
        memsz = choose((filesz, memsz, memsz))
        offset = page + choose((0,) * 15 + (1,))
        segments.append(
            Segment(
                offset=offset * PAGE,
                vaddr=base + page * PAGE,
                filesz=filesz,
                memsz=memsz,
                flags=choose(permissions),
            )
        )
        page = max(0, page + pages + choose((0,) * 12 + (-1, -2, 1)))
    source.shuffle(segments)
    if source.random() < 0.85:
        segments.append(replace(STACK, flags=choose((R | W, R | W | X))))
    return OddElf(
        tuple(segments), type=ET_DYN if movable else ET_EXEC, entry=segments[0].vaddr, size=40 * PAGE
    )
