"""A tree of modules, and the addresses it gives them.

The root begins at the base. Every other module begins where its parent ends, so that

    main   0 ─────────── 1024              siblings share their first byte, and
    A                    1024 ── 1536      no two modules of one path share any.
    B                    1024 ─ 1280
    C, under A                   1536 ─ 1920

Of two modules that are not on one path, two ancestors (or they themselves) are siblings: to have the whole
path of one in memory breaks the path of the other, wherever the two lie.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from inspector.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_MODULES = 1000
ADDRESS_SPACE_BYTES = 1 << 32
_LONGEST_NAME = 24
_SEPARATORS = ">,"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DRAWN_UNIT_BYTES, _DRAWN_UNITS = 128, 8


class Described(NamedTuple):
    """A module as the programmer gives it."""

    name: str
    size: int
    """In bytes, at least 1."""
    parent: str | None
    """None: it is the root, which stays in memory."""


@dataclass(frozen=True, slots=True)
class Module:
    """A module in its place."""

    name: str
    size: int
    """In bytes."""
    address: int
    path: tuple[str, ...]
    """The names from the root down to its own."""

    @property
    def end(self) -> int:
        """The first address past it."""
        return self.address + self.size

    @property
    def parent(self) -> str | None:
        """The module above it; None for the root."""
        return self.path[-2] if len(self.path) > 1 else None

    def overlaps(self, other: Module) -> bool:
        """Whether the two share a byte."""
        return self.address < other.end and other.address < self.end

    def is_above(self, other: Module) -> bool:
        """Whether it is on the path from the root to `other`, and not `other` itself."""
        return self.name in other.path[:-1]

    def shares_a_path_with(self, other: Module) -> bool:
        """Whether one is on the other's path, or both are the same."""
        return self.name in other.path or other.name in self.path


@dataclass(frozen=True, slots=True)
class Tree:
    """Modules in their places, in the order in which they were given."""

    modules: Mapping[str, Module]
    root: Module

    @property
    def longest(self) -> Module:
        """The module whose path takes the most memory; of several, the first."""
        return max(self.modules.values(), key=lambda module: module.end)

    @property
    def memory_bytes(self) -> int:
        """What the program takes with overlays: its largest path."""
        return self.longest.end - self.root.address

    @property
    def whole_bytes(self) -> int:
        """What it takes without: all modules one after the other."""
        return sum(module.size for module in self.modules.values())


def place(described: Sequence[Described], base: int = 0) -> Tree:
    """Return the tree with its addresses, the root's being `base`. Raises UsageError for what is no tree."""
    if not described:
        raise UsageError("the tree is empty", help="give it a module without a parent, the root")
    if len(described) > MOST_MODULES:
        raise UsageError(f"{len(described)} modules", help=f"give at most {MOST_MODULES}")
    if not 0 <= base < ADDRESS_SPACE_BYTES:
        raise UsageError(f"the base {base:#x} is out of range", help="addresses go from 0 to 0xffffffff")
    by_name: dict[str, Described] = {}
    for each in described:
        _check(each)
        if each.name in by_name:
            raise UsageError(f"two modules are named {each.name!r}", help="give each a name of its own")
        by_name[each.name] = each
    paths = _paths(by_name)
    roots = [each.name for each in described if each.parent is None]
    if len(roots) > 1:
        raise UsageError(f"{roots[0]!r} and {roots[1]!r} have no parent", help="a tree has one root")
    modules: dict[str, Module] = {}
    for name, path in sorted(paths.items(), key=lambda item: len(item[1])):
        address = modules[path[-2]].end if len(path) > 1 else base
        modules[name] = Module(name, by_name[name].size, address, path)
    tree = Tree({each.name: modules[each.name] for each in described}, modules[roots[0]])
    if tree.longest.end > ADDRESS_SPACE_BYTES:
        raise UsageError(
            f"the path {' '.join(tree.longest.path)} ends at {tree.longest.end:#x}, beyond 4 GiB",
            help="make its modules smaller, or the base lower",
        )
    return tree


def _check(described: Described) -> None:
    name, size, _ = described
    if (
        not 0 < len(name) <= _LONGEST_NAME
        or not name.isprintable()
        or any(each.isspace() or each in _SEPARATORS for each in name)
    ):
        raise UsageError(
            f"{name[:_LONGEST_NAME]!r} is no name for a module",
            help=f"give names of up to {_LONGEST_NAME} characters, without blanks, commas and >",
        )
    if not 0 < size <= ADDRESS_SPACE_BYTES:
        shown = f"{size}" if abs(size) < 1 << 64 else "far too many"
        raise UsageError(
            f"module {name!r} has {shown} bytes", help=f"give a size from 1 to {ADDRESS_SPACE_BYTES} bytes"
        )


def _paths(by_name: Mapping[str, Described]) -> dict[str, tuple[str, ...]]:
    """Return each module's path from its root. Raises UsageError for a missing parent and for a cycle."""
    paths: dict[str, tuple[str, ...]] = {}
    for start in by_name:
        climbed: dict[str, None] = {}
        name: str | None = start
        while name is not None and name not in paths:
            if name in climbed:
                cycle = [*list(climbed)[list(climbed).index(name) :], name]
                raise UsageError(
                    f"the parents go round in a cycle: {_shortened(cycle)}",
                    help="let one of them be the root",
                )
            climbed[name] = None
            parent = by_name[name].parent
            if parent is not None and parent not in by_name:
                raise UsageError(
                    f"module {name!r} has the parent {parent[:_LONGEST_NAME]!r}, which is not there",
                    help="add that module, or name another parent",
                )
            name = parent
        above = paths[name] if name is not None else ()
        for each in reversed(climbed):
            above = paths[each] = (*above, each)
    return paths


def _shortened(names: Sequence[str], most: int = 8) -> str:
    return " ".join(names if len(names) <= most else [*names[:most], "..."])


def random_tree(count: int, seed: int) -> Tree:
    """Return a tree of `count` modules, of up to 1 KiB each. Raises UsageError."""
    if not 0 < count <= MOST_MODULES:
        raise UsageError(f"{count} modules", help=f"give --modules a number from 1 to {MOST_MODULES}")
    draw = random.Random(f"tree {seed}")  # noqa: S311 - a simulation that can be repeated
    described: list[Described] = []
    for name in _names(count):
        size = _DRAWN_UNIT_BYTES * draw.randint(1, _DRAWN_UNITS)
        # From among the modules of the upper half, so that the tree is neither a star nor a line.
        parent = described[draw.randrange((len(described) + 1) // 2)].name if described else None
        described.append(Described(name, size, parent))
    return place(described)


def _names(count: int) -> Iterable[str]:
    yield "main"
    for number in range(count - 1):
        rounds, letter = divmod(number, len(_LETTERS))
        yield f"{_LETTERS[letter]}{rounds or ''}"


BOOK = place(
    (
        Described("main", 1024, None),
        Described("A", 512, "main"),
        Described("B", 256, "main"),
        Described("C", 384, "A"),
        Described("D", 128, "A"),
        Described("E", 512, "B"),
        Described("F", 256, "B"),
    )
)
"""The book's tree: main with A and B, whose sizes it gives; C and D under A, E and F under B."""
