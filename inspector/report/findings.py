"""Findings as tables: each aspect with what was held against what, and every difference in full."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from inspector.model.finding import Finding, Verdict
from inspector.reconcile.compare import STOP
from inspector.report.document import Block, Column, Fact, Facts, Paragraph, Row, Section, Table
from inspector.report.judge import MARKS, worst
from inspector.report.snapshot import moment
from inspector.report.text import counted
from inspector.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ASPECT_COLUMNS = (
    Column("aspect"),
    Column("predicted", flexible=True),
    Column("observed", flexible=True),
    Column("", flexible=True),
)
_PLACES_SHOWN = 6
_COUNTED = (
    (Verdict.DIFFERS, "wrong"),
    (Verdict.EXPLAINED, "explained by a rule"),
    (Verdict.UNOBSERVED, "not observed"),
)
_WORDS = {
    Verdict.EXPLAINED: "explained by a rule",
    Verdict.UNOBSERVED: "not observed",
    Verdict.NOT_PREDICTED: "not predicted",
}
_UNITS = {"page tables": " bytes"}


def aspects_section(checkpoint: str, findings: Sequence[Finding]) -> Section:
    """Return one line for each aspect of a checkpoint."""
    here = [finding for finding in findings if finding.checkpoint == checkpoint]
    return Section(f"Compared {moment(checkpoint)}", (aspects_table(here),), worst(here))


def aspects_table(findings: Sequence[Finding]) -> Table:
    """Return one line for each aspect that `findings` speak of."""
    aspects = dict.fromkeys(finding.aspect for finding in findings)
    rows = (_aspect([finding for finding in findings if finding.aspect == aspect]) for aspect in aspects)
    return Table(_ASPECT_COLUMNS, tuple(rows))


def _aspect(findings: Sequence[Finding]) -> Row:
    first = findings[0]
    mark = worst(findings)
    if not first.where:
        unit = _UNITS.get(first.aspect, "")
        values = tuple(f"{value}{unit}" if value else "" for value in (first.predicted, first.observed))
        rest = dict.fromkeys(_WORDS[finding.verdict] for finding in findings[1:] if finding.verdict in _WORDS)
        words = ", ".join(filter(None, (_WORDS.get(first.verdict), *(f"the rest {word}" for word in rest))))
        return Row((first.aspect, *values, words), mark)
    counts = [(words, sum(finding.verdict is verdict for finding in findings)) for verdict, words in _COUNTED]
    words = ", ".join(f"{number} {words}" for words, number in counts if number)
    return Row((first.aspect, "", "", words), mark)


def difference_sections(findings: Sequence[Finding]) -> Iterator[Section]:
    """Yield the differences one by one, then what is explained, by rule, and what could not be seen."""
    differing = [finding for finding in findings if finding.verdict is Verdict.DIFFERS]
    if differing:
        blocks = tuple(block for finding in differing for block in _in_full(finding))
        yield Section(counted(len(differing), "difference"), blocks, MARKS[Verdict.DIFFERS])
    explained = sorted(
        (finding for finding in findings if finding.verdict is Verdict.EXPLAINED),
        key=lambda item: item.rule or "",
    )
    if explained:
        blocks = tuple(
            block
            for rule, group in groupby(explained, lambda item: item.rule)
            for block in _by_rule(rule, list(group))
        )
        yield Section("Different, and explained by a rule", blocks, MARKS[Verdict.EXPLAINED])
    # What was never reached stands with what was not seen.
    unseen = [
        finding for finding in findings if finding.verdict is Verdict.UNOBSERVED and finding.aspect != STOP
    ]
    if unseen:
        facts = tuple(Fact(_place(finding), finding.predicted) for finding in unseen)
        yield Section("Predicted, not observed", (Facts(facts),), MARKS[Verdict.UNOBSERVED])


def _place(finding: Finding) -> str:
    return " ".join(filter(None, (finding.checkpoint, finding.aspect, finding.where)))


def _in_full(finding: Finding) -> Iterator[Block]:
    yield Paragraph(_place(finding), MARKS[finding.verdict])
    facts = [Fact("predicted", finding.predicted or "''"), Fact("observed", finding.observed or "''")]
    rule = RULES.get(finding.rule or "")
    if rule is not None:
        facts.append(Fact("rule", f"{rule.id}: {rule.statement}"))
    facts += [Fact("" if number else "around", line) for number, line in enumerate(finding.context)]
    yield Facts(tuple(facts))


def _by_rule(rule_id: str | None, findings: Sequence[Finding]) -> Iterator[Block]:
    rule = RULES.get(rule_id or "")
    text = rule_id or "" if rule is None else f"{rule.id}: {rule.statement} {rule.reason}"
    yield Paragraph(text, MARKS[Verdict.EXPLAINED])
    places = "; ".join(_place(finding) for finding in findings[:_PLACES_SHOWN])
    more = len(findings) - _PLACES_SHOWN
    yield Facts((Fact("bears on", f"{places}; and {more} more" if more > 0 else places),))
