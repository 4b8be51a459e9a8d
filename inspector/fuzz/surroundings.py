"""What a mutant is executed as, and under what: the part of a trial that is not in the file.

Both are functions of seed and number alone, so that a mutant's line needs no more to be seen again.
"""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SIZE
from inspector.model.program import UNLIMITED, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.profile import MachineProfile

_INTERPRETERS_SHARE = 1 / 8
_OTHERWISE_SHARE = 1 / 4
"""Of the mutants: those that are not started as `inspector check` starts programs."""
_LONGEST_STRING = 32 * PAGE_SIZE
"""MAX_ARG_STRLEN, the zero byte included."""
_STACK_LIMITS = (
    0,
    1,
    PAGE_SIZE,
    3 * PAGE_SIZE,
    0x1_0000,
    0x2_0000,  # as much as execve leaves below the strings
    0x2_1000,
    0x2_2000,
    1 << 20,
    128 << 20,  # the least gap between stack and mmap base
    1 << 30,
    3 << 30,  # more than five sixths of a 32-bit task
    1 << 46,
    (1 << 63) - 1,
    UNLIMITED,
)
_COUNTS = (0, 1, 2, 3, 10, 200, 1500)
_LENGTHS = (0, 1, 15, 16, 100, PAGE_SIZE - 1, PAGE_SIZE)
_LONG = (_LONGEST_STRING - 2, _LONGEST_STRING - 1, _LONGEST_STRING)
_MOST_BYTES = 300 << 10


class Role(enum.Enum):
    """What a mutant is to the kernel."""

    PROGRAM = "program"
    INTERPRETER = "interpreter"
    """A sound program names it in its PT_INTERP."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What execve is given beside the file."""

    stack_limit: int = Limits().stack
    """RLIMIT_STACK, soft, in bytes."""
    bottom_up: bool = False
    """Whether the personality has ADDR_COMPAT_LAYOUT, so that mmap searches upwards."""
    argv_lengths: tuple[int, ...] | None = None
    """In bytes, the zero byte not counted. None: argv[0] is the path."""
    envp_lengths: tuple[int, ...] | None = None
    """None: the environment every program gets."""

    def __str__(self) -> str:
        """`stack limit 65536, bottom-up, argv of 3 strings (131071 bytes)`; empty for the ordinary."""
        words = []
        if self.stack_limit != _ORDINARY.stack_limit:
            unlimited = self.stack_limit == UNLIMITED
            words.append("no stack limit" if unlimited else f"stack limit {self.stack_limit}")
        if self.bottom_up:
            words.append("bottom-up")
        for name, lengths in (("argv", self.argv_lengths), ("envp", self.envp_lengths)):
            if lengths is not None:
                strings = "string" if len(lengths) == 1 else "strings"
                words.append(f"{name} of {len(lengths)} {strings} ({sum(lengths)} bytes)")
        return ", ".join(words)

    def strings(self, name: str) -> tuple[str, ...] | None:
        """Return the strings of "argv" or "envp"; None: as every program's."""
        lengths = self.argv_lengths if name == "argv" else self.envp_lengths
        return None if lengths is None else tuple(name[0] * length for length in lengths)

    def profile(self, profile: MachineProfile) -> MachineProfile:
        """Return this machine as a program with this personality sees it.

        Source: arch/x86/mm/mmap.c:mmap_is_legacy(), which asks personality and sysctl alike.
        """
        if not self.bottom_up:
            return profile
        layouts = {name: replace(layout, bottom_up=True) for name, layout in profile.layouts.items()}
        native = profile.native
        if native is not None:
            native = replace(native, layout=replace(native.layout, bottom_up=True))
        return replace(profile, layouts=layouts, native=native)

    def plainer(self) -> Iterator[Surroundings]:
        """Yield it with one thing after the other as it ordinarily is."""
        for field in fields(self):
            ordinary = getattr(_ORDINARY, field.name)
            if getattr(self, field.name) != ordinary:
                yield replace(self, **{field.name: ordinary})


_ORDINARY = Surroundings()


def role(seed: int, number: int) -> Role:
    """Return what mutant `number` is tried as, of whatever program it is made."""
    chance = random.Random(f"role:{seed}:{number}")  # noqa: S311 - to be made again
    return Role.INTERPRETER if chance.random() < _INTERPRETERS_SHARE else Role.PROGRAM


def surroundings(seed: int, number: int) -> Surroundings:
    """Return under what mutant `number` is executed: mostly the ordinary, else one thing or more is not."""
    chance = random.Random(f"surroundings:{seed}:{number}")  # noqa: S311 - to be made again
    if chance.random() >= _OTHERWISE_SHARE:
        return _ORDINARY
    found = _ORDINARY
    while found == _ORDINARY:
        if chance.random() < 0.4:  # noqa: PLR2004
            found = replace(found, stack_limit=chance.choice(_STACK_LIMITS))
        if chance.random() < 0.4:  # noqa: PLR2004
            found = replace(found, bottom_up=True)
        if chance.random() < 0.3:  # noqa: PLR2004
            found = replace(found, argv_lengths=_lengths(chance))
        if chance.random() < 0.15:  # noqa: PLR2004
            found = replace(found, envp_lengths=_lengths(chance))
    return found


def _lengths(chance: random.Random) -> tuple[int, ...]:
    """Return the lengths of some strings: many short ones, or a few of which some are long."""
    count = chance.choice(_COUNTS)
    if count > 10:  # noqa: PLR2004
        return (chance.choice(_LENGTHS[:4]),) * count
    lengths: tuple[int, ...] = ()
    for _ in range(count):
        length = chance.choice(_LONG if chance.random() < 0.1 else _LENGTHS)  # noqa: PLR2004
        if sum(lengths) + length <= _MOST_BYTES:
            lengths += (length,)
    return lengths
