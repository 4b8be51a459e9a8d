"""The catalogue of rules, listed or one by one."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from inspector.language import tr
from inspector.report.document import Document, Fact, Facts, Paragraph, Section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inspector.examples import Example
    from inspector.rules import Rule


def catalogue_document(rules: Sequence[Rule]) -> Document:
    """Return the list of `rules`: a section for each area, in the catalogue's order."""
    sections = tuple(
        Section(area, (Facts(tuple(Fact(rule.id, tr(rule.statement)) for rule in group)),))
        for area, group in groupby(rules, lambda rule: rule.id.partition(".")[0])
    )
    return Document(
        tr("{count} rules; `inspector rules ID` shows one with its reason and source").format(
            count=len(rules)
        ),
        sections,
    )


def rule_document(rule: Rule, example: Example | None = None) -> Document:
    """Return all there is to one rule; `example` is where it can be seen."""
    facts = [Fact("rule", tr(rule.statement)), Fact("reason", tr(rule.reason)), Fact("source", rule.source)]
    if example is not None:
        facts += [Fact("example", f"inspector {example.command}"), Fact("look for", tr(example.look_for))]
        facts += [
            Fact("" if number else tr("answers"), tr(text)) for number, text in enumerate(example.questions)
        ]
    return Document(rule.id, (Section("", (Facts(tuple(facts)),)),))


def questions_document(questions: Mapping[str, str]) -> Document:
    """Return the questions, each with the id of the rule that answers it."""
    blocks = tuple(
        block
        for question, rule_id in questions.items()
        for block in (Paragraph(question), Facts((Fact("", f"inspector rules {rule_id}"),)))
    )
    return Document(
        tr("{count} questions, and the rule that answers each").format(count=len(questions)),
        (Section("", blocks),),
    )
