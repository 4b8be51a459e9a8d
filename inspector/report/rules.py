"""The catalogue of rules, listed or one by one."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from inspector.report.document import Document, Fact, Facts, Section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.rules import Rule


def catalogue_document(rules: Sequence[Rule]) -> Document:
    """Return the list of `rules`: a section for each area, in the catalogue's order."""
    sections = tuple(
        Section(area, (Facts(tuple(Fact(rule.id, rule.statement) for rule in group)),))
        for area, group in groupby(rules, lambda rule: rule.id.partition(".")[0])
    )
    return Document(
        f"{len(rules)} rules; `inspector rules ID` shows one with its reason and source", sections
    )


def rule_document(rule: Rule) -> Document:
    """Return all there is to one rule."""
    facts = (Fact("rule", rule.statement), Fact("reason", rule.reason), Fact("source", rule.source))
    return Document(rule.id, (Section("", (Facts(facts),)),))
