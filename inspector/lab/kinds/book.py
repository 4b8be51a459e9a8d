"""Questions about the book's machines: overlays and page replacement. Their truth is the simulators'."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from inspector.lab.kinds.base import Question
from inspector.lab.table import (
    ADDRESS,
    NUMBER,
    BadAnswer,
    Column,
    Row,
    Truth,
    quoted,
    read_number,
    show_plain,
)
from inspector.simulators.overlay import calls_text, run
from inspector.simulators.replacement import make_policy, replay

if TYPE_CHECKING:
    from inspector.lab.evidence import Evidence
    from inspector.lab.table import Value
    from inspector.lab.variant import Variant
    from inspector.simulators.overlay import Outcome, Tree

_SIMULATOR = "the simulator"
_EMPTY, _REFUSED = "none", "refused"


def _tree(variant: Variant) -> Tree:
    assert variant.tree is not None  # noqa: S101 - the exercise's reader has seen to it
    return variant.tree


def _tree_text(tree: Tree) -> str:
    parts = (
        f"{each.name} {each.size} bytes" + (f" (called by {each.parent})" if each.parent else ", the root")
        for each in tree.modules.values()
    )
    return f"base {tree.root.address:#x}; {'; '.join(parts)}"


class OverlayAddresses(Question, frozen=True, kw_only=True, tag="overlay-addresses"):
    """Where each module of a tree of overlays begins."""

    def columns(self) -> tuple[Column, ...]:
        """Return the address."""
        return (ADDRESS,)

    def keys(self, variant: Variant) -> tuple[str, ...]:
        """Return the modules; the root's address is given."""
        tree = _tree(variant)
        return tuple(name for name in tree.modules if name != tree.root.name)

    def given(self, variant: Variant) -> str:
        """Return the tree."""
        return _tree_text(_tree(variant))

    def truth(self, variant: Variant, evidence: Evidence) -> Truth:
        """Return the addresses."""
        del evidence
        modules = _tree(variant).modules
        rows = (Row(name, (modules[name].address,), self.why) for name in self.keys(variant))
        return Truth(tuple(rows), _SIMULATOR)


class OverlayLoads(Question, frozen=True, kw_only=True, tag="overlay-loads"):
    """Which modules each call of a sequence brings into memory."""

    def columns(self) -> tuple[Column, ...]:
        """Return the loads."""
        return (Column("loads", self._read, show_plain),)

    @staticmethod
    def _read(text: str) -> Value:
        words = tuple(text.replace(",", " ").split())
        return () if words in ((_EMPTY,), ("hit",)) else words

    def keys(self, variant: Variant) -> tuple[str, ...]:
        """Return the calls, numbered, up to one that is refused."""
        return tuple(
            f"call {number} {outcome.callee}" for number, outcome in enumerate(self._outcomes(variant), 1)
        )

    def given(self, variant: Variant) -> str:
        """Return tree and calls."""
        return f"{_tree_text(_tree(variant))}; calls: {calls_text(variant.calls)} (A>F: A itself calls F)"

    def form(self) -> str:
        """Return what may be written."""
        return (
            "the modules that are loaded, from the root down; none if all are in memory; "
            "refused for a call that must not be made"
        )

    def truth(self, variant: Variant, evidence: Evidence) -> Truth:
        """Return the loads."""
        del evidence
        rows = [
            Row(
                key,
                ((_REFUSED,) if each.refusal else tuple(load.module.name for load in each.loads),),
                self.why,
            )
            for key, each in zip(self.keys(variant), self._outcomes(variant), strict=True)
        ]
        return Truth(tuple(rows), _SIMULATOR)

    @staticmethod
    def _outcomes(variant: Variant) -> tuple[Outcome, ...]:
        return tuple(run(_tree(variant), variant.calls))


class ReplacementTable(Question, frozen=True, kw_only=True, tag="replacement-table"):
    """What each reference of a string does: a hit, or a fault and the page that leaves; or their number.

    `table` is `steps`, a row for each reference, or `faults`, the number of faults alone.
    """

    policy: Literal["fifo", "lru", "clock", "lfu", "opt"]
    frames: Annotated[int, Meta(ge=1, le=64)]
    table: Literal["steps", "faults"] = "steps"

    def columns(self) -> tuple[Column, ...]:
        """Return the step, or the number."""
        return (NUMBER,) if self.table == "faults" else (Column("step", _read_step, show_plain),)

    def keys(self, variant: Variant) -> tuple[str, ...]:
        """Return the references, numbered, or the one number's name."""
        if self.table == "faults":
            return ("faults",)
        return tuple(f"{number} page {page}" for number, page in enumerate(variant.references, 1))

    def given(self, variant: Variant) -> str:
        """Return the string."""
        references = " ".join(map(str, variant.references))
        return f"{self.policy} with {self.frames} frames, at first empty; references: {references}"

    def form(self) -> str:
        """Return what may be written."""
        return (
            "a number"
            if self.table == "faults"
            else "hit; fault, if no page leaves; fault 3, if page 3 leaves"
        )

    def truth(self, variant: Variant, evidence: Evidence) -> Truth:
        """Return the steps, or the number of faults."""
        del evidence
        policy = make_policy(self.policy, frames=self.frames, references=variant.references)
        steps = tuple(replay(variant.references, policy))
        if self.table == "faults":
            rows = [Row("faults", (sum(step.fault for step in steps),), self.why)]
        else:
            rows = [
                Row(key, (_step_cell(step.fault, step.evicted),), self.why)
                for key, step in zip(self.keys(variant), steps, strict=True)
            ]
        return Truth(tuple(rows), _SIMULATOR)


def _step_cell(fault: bool, evicted: int | None) -> Value:
    if not fault:
        return ("hit",)
    return ("fault",) if evicted is None else ("fault", evicted)


def _read_step(text: str) -> Value:
    found = re.fullmatch(
        r"(hit|fault|miss)(?:\s*[,:>-]?\s*(?:page\s*)?([0-9]\S*)(?:\s+leaves)?)?",
        text.strip().lower(),
        re.ASCII,
    )
    if found is None or (found[1] == "hit" and found[2]):
        raise BadAnswer(f"{quoted(text)} is not a step", help="write hit, fault or fault 3")
    if found[1] == "hit":
        return ("hit",)
    return ("fault",) if found[2] is None else ("fault", read_number(found[2]))
