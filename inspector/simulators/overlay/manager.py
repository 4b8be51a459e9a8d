"""The overlay manager: what each call brings into memory, and what that overwrites.

A module runs only while its whole path to the root is in memory, and so do those that wait for it to
return. All that run therefore lie on one path, which ends in the deepest of them; a call that leaves this
path would overwrite a module that is still to be returned to, and is refused. A module stays in memory,
whether it runs or not and whether its parent is there, until something is loaded over it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.simulators.overlay.calls import Call
    from inspector.simulators.overlay.tree import Module, Tree


class Load(NamedTuple):
    """A module that comes into memory."""

    module: Module
    evicted: tuple[Module, ...]
    """What was in memory there until now, by address."""


class Refusal(NamedTuple):
    """Why a call must not be made."""

    caller: str
    callee: str
    path: tuple[str, ...]
    """The path it would break: of the deepest module that runs."""

    def __str__(self) -> str:
        return f"{self.caller} must not call {self.callee}: it would break the path {' '.join(self.path)}"


class Outcome(NamedTuple):
    """One call, and what came of it."""

    caller: str | None
    """None: the root is started, not called."""
    callee: str
    loads: tuple[Load, ...]
    """From the root down; none: a hit, everything is there."""
    refusal: Refusal | None = None

    @property
    def is_hit(self) -> bool:
        """Whether nothing had to be loaded."""
        return not self.loads and self.refusal is None


class _Running(NamedTuple):
    module: Module
    deepest: Module
    """Of this one and all that wait for it."""


def run(tree: Tree, calls: Sequence[Call]) -> Iterator[Outcome]:
    """Yield what comes of each call; the last is a refused one, if one is."""
    running: list[_Running] = []
    resident: dict[str, Module] = {}
    for name, directly in calls:
        callee = tree.modules[name]
        while running and not directly and not running[-1].deepest.is_above(callee):
            running.pop()
        caller = running[-1].module.name if running else None
        deepest = running[-1].deepest if running else callee
        if caller is not None and not deepest.shares_a_path_with(callee):
            yield Outcome(caller, name, (), Refusal(caller, name, deepest.path))
            return
        yield Outcome(caller, name, tuple(_bring_in(tree, callee, resident)))
        running.append(_Running(callee, max(deepest, callee, key=lambda module: len(module.path))))


def _bring_in(tree: Tree, callee: Module, resident: dict[str, Module]) -> Iterator[Load]:
    for name in callee.path:
        if name in resident:
            continue
        module = tree.modules[name]
        evicted = sorted(
            (other for other in resident.values() if other.overlaps(module)), key=lambda other: other.address
        )
        for other in evicted:
            del resident[other.name]
        resident[name] = module
        yield Load(module, tuple(evicted))


@dataclass(frozen=True, slots=True)
class OverlayRun:
    """A tree, its calls and what came of them, kept."""

    tree: Tree
    calls: tuple[Call, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def loads(self) -> list[Load]:
        """Every load, in order."""
        return [load for outcome in self.outcomes for load in outcome.loads]

    @property
    def evictions(self) -> int:
        """How many times a module was overwritten."""
        return sum(len(load.evicted) for load in self.loads)

    @property
    def hits(self) -> int:
        """How many calls found everything in memory."""
        return sum(outcome.is_hit for outcome in self.outcomes)

    @property
    def bytes_read(self) -> int:
        """The size of all that was loaded."""
        return sum(load.module.size for load in self.loads)

    @property
    def refusal(self) -> Refusal | None:
        """Of the call that ended the run, if one did."""
        return self.outcomes[-1].refusal if self.outcomes else None
