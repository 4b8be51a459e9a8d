"""Numbers for the book's machines: a tree of overlays and calls, a string of references, mapped pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from inspector.lab.variant import Variant
from inspector.simulators.overlay import random_calls, random_tree
from inspector.simulators.replacement import random_references

if TYPE_CHECKING:
    from inspector.lab.draw import Draw

_SEEDS = 1 << 32
_LAST_PAGE = 0xB_FFFF
"""Below 3 GiB, so that every geometry reaches it."""


class Overlay(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="generator", tag="overlay"
):
    """A tree of modules and a sequence of calls."""

    modules: Annotated[int, Meta(ge=2, le=26)] = 7
    calls: Annotated[int, Meta(ge=1, le=40)] = 8

    def gives(self) -> frozenset[str]:
        """Return what questions may be about."""
        return frozenset({"tree"})

    def make(self, draw: Draw) -> Variant:
        """Return the tree and the calls of one student."""
        tree = random_tree(self.modules, draw.branch("tree").below(_SEEDS))
        return Variant(tree=tree, calls=random_calls(tree, self.calls, draw.branch("calls").below(_SEEDS)))


class References(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="generator", tag="references"
):
    """A string of references to pages."""

    length: Annotated[int, Meta(ge=1, le=60)] = 15
    pages: Annotated[int, Meta(ge=2, le=20)] = 6

    def gives(self) -> frozenset[str]:
        """Return what questions may be about."""
        return frozenset({"references"})

    def make(self, draw: Draw) -> Variant:
        """Return the string of one student."""
        seed = draw.branch("references").below(_SEEDS)
        return Variant(references=tuple(random_references(self.length, self.pages, seed, 0.0)))


class Pages(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="generator", tag="pages"
):
    """Page numbers in two clusters and some far from both."""

    pages: Annotated[int, Meta(ge=1, le=20)] = 5

    def gives(self) -> frozenset[str]:
        """Return what questions may be about."""
        return frozenset({"pages"})

    def make(self, draw: Draw) -> Variant:
        """Return the pages of one student."""
        own = draw.branch("pages")
        clusters = [own.below(_LAST_PAGE - 1200) for _ in range(2)]
        chosen: set[int] = set()
        while len(chosen) < self.pages:
            cluster = own.below(3)
            chosen.add(own.below(_LAST_PAGE) if cluster == 2 else clusters[cluster] + own.below(1200))  # noqa: PLR2004
        return Variant(pages=tuple(sorted(chosen)))
