"""Programs that try the address space: which of their segments are one area, and where there is room left."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.elf.header import ET_DYN, ET_EXEC
from inspector.model.address import PAGE_SIZE as PAGE
from inspector.model.program import Layout
from tests.live.odd_programs import STACK, OddElf, R, Segment, W, X, with_interpreter

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
    """Return a program of two to nine PT_LOADs on adjacent or overlapping pages, in shuffled order.

    Most continue each other in the file, so that permissions, order and cleared tails alone decide.
    """
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


_LOWEST = 0x10000
_STACK_PAGES = 33
_TASK_SIZE = {Layout.DEFAULT: 0xFFFFE000, Layout.THREE_GB: 0xC0000000}


def crowded(source: random.Random, layout: Layout) -> OddElf:
    """Return a program that fills its address space but for a few holes, where a search begins or ends.

    What the kernel places by itself, the vdso and perhaps an interpreter, has to go there or has no room.
    """
    task_size = _TASK_SIZE[layout]
    stack = task_size - _STACK_PAGES * PAGE
    places = (_LOWEST, task_size // 3, task_size - (129 << 20), stack - 256 * PAGE, stack)
    holes = []
    for _ in range(source.randrange(1, 7)):
        at = source.choice(places) // PAGE * PAGE + source.randrange(-24, 24) * PAGE
        holes.append((at, at + source.choice((1, 4, 7, 8, 8, 9, 11, 16, 270)) * PAGE))
    holes.append((stack - source.choice((0, 0, 1, 8, 40, 250, 256, 257, 264, 265, 300)) * PAGE, stack))
    segments, start = [], _LOWEST
    for low, high in sorted(holes):
        if start < min(low, stack):
            size = min(low, stack) - start
            segments.append(Segment(vaddr=start, filesz=size, memsz=size))
        start = max(start, high)
    elf = OddElf((*segments, STACK), entry=segments[0].vaddr if segments else 0)
    return with_interpreter(elf, b"interp\0") if source.random() < 0.3 else elf
