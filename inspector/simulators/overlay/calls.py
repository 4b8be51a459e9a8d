"""Who calls whom: a sequence of modules, written by hand or drawn at random.

    main A C B      A is called, and calls C; both return; B is called. A module that is named alone is called
                    from as deep as can be: whatever is not above it returns first. So such a call is always
                    allowed, and the caller is the nearest module above that runs.
    A>F             A itself calls F, without returning: forbidden, for F is in another branch.
    C>A             C calls A, up the path; C waits for it to return.

The root runs first, whether it is named or not.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, NamedTuple

from inspector.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.simulators.overlay.tree import Tree

MOST_CALLS = 10_000
_DIRECT, _FORBIDDEN = 0.2, 0.3
_FIRST_CHARACTERS, _FIRST_MODULES = 24, 8


class Call(NamedTuple):
    """One call."""

    callee: str
    directly: bool = False
    """Whether the module that was called last makes it, without returning first."""


def parse_calls(text: str, tree: Tree) -> tuple[Call, ...]:
    """Return the calls in `text`, the root's first. Raises UsageError."""
    words = [word for word in re.split(r"[\s,]+", re.sub(r"\s*>\s*", ">", text.strip())) if word]
    if not words:
        raise UsageError("the sequence of calls is empty", help='give modules, as in --calls "main A C B"')
    calls: list[Call] = []
    for word in words:
        for index, name in enumerate(word.split(">")):
            if not name:
                raise UsageError(f"{_shown(word)} lacks a module", help="A>F means that A calls F")
            if name not in tree.modules:
                raise UsageError(f"there is no module {_shown(name)}", help=f"there are {_known(tree)}")
            calls.append(Call(name, index > 0))
    if len(calls) > MOST_CALLS:
        raise UsageError(f"{len(calls)} calls", help=f"give at most {MOST_CALLS}")
    if calls[0].callee != tree.root.name:
        calls.insert(0, Call(tree.root.name))
    return tuple(calls)


def _known(tree: Tree) -> str:
    names = list(tree.modules)
    return ", ".join([*names[:_FIRST_MODULES], *["..."] * (len(names) > _FIRST_MODULES)])


def _shown(word: str) -> str:
    return repr(word if len(word) <= _FIRST_CHARACTERS else f"{word[:_FIRST_CHARACTERS]}...")


def calls_text(calls: Sequence[Call]) -> str:
    """Return the calls as they are written."""
    return "".join(f"{'>' if call.directly else ' '}{call.callee}" for call in calls).strip()


def random_calls(tree: Tree, length: int, seed: int) -> tuple[Call, ...]:
    """Return the root's and `length` more calls, no module twice in a row. Raises UsageError.

    Some are made by the module that was called last. Only the last may be a forbidden one.
    """
    if not 0 < length < MOST_CALLS:
        raise UsageError(f"{length} calls", help=f"give --length a number from 1 to {MOST_CALLS - 1}")
    draw = random.Random(f"calls {seed}")  # noqa: S311 - a simulation that can be repeated
    modules = list(tree.modules.values())
    last = tree.root
    calls = [Call(last.name)]
    for left in range(length, 0, -1):
        below = [module for module in modules if last.is_above(module)]
        across = [module for module in modules if not last.shares_a_path_with(module)]
        if left == 1 and across and draw.random() < _FORBIDDEN:
            callee, directly = draw.choice(across), True
        elif below and draw.random() < _DIRECT:
            callee, directly = draw.choice(below), True
        else:
            callee, directly = draw.choice([each for each in modules if each is not last] or modules), False
        calls.append(Call(callee.name, directly))
        last = callee
    return tuple(calls)
