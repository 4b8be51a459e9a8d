"""Findings as tables: each aspect with what was held against what, and every difference in full."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from inspector.language import N_, NOT_MODELLED, tr, tr_error, tr_in
from inspector.model.finding import Finding, Verdict
from inspector.reconcile.compare import STOP
from inspector.reconcile.faults import CHECKPOINT
from inspector.report.document import Block, Column, Fact, Facts, Paragraph, Row, Section, Table
from inspector.report.judge import MARKS, worst
from inspector.report.snapshot import moment
from inspector.report.text import counted, joined
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
_VERDICT = "verdict"
_COUNTED = (
    (Verdict.DIFFERS, N_("wrong")),
    (Verdict.EXPLAINED, N_("explained by a rule")),
    (Verdict.UNOBSERVED, N_("not observed")),
)
_WORDS = {
    Verdict.EXPLAINED: N_("explained by a rule"),
    Verdict.UNOBSERVED: N_("not observed"),
    Verdict.NOT_PREDICTED: N_("not predicted"),
}
_UNITS = {"page tables": "byte"}
"""What the numbers of an aspect count, if its name does not say so."""


def aspects_section(checkpoint: str, findings: Sequence[Finding]) -> Section:
    """Return one line for each aspect of a checkpoint."""
    here = [finding for finding in findings if finding.checkpoint == checkpoint]
    return Section(
        tr("Compared {moment}").format(moment=moment(checkpoint)), (aspects_table(here),), worst(here)
    )


def aspects_table(findings: Sequence[Finding]) -> Table:
    """Return one line for each aspect that `findings` speak of."""
    aspects = dict.fromkeys(finding.aspect for finding in findings)
    rows = (_aspect([finding for finding in findings if finding.aspect == aspect]) for aspect in aspects)
    return Table(_ASPECT_COLUMNS, tuple(rows))


def _aspect(findings: Sequence[Finding]) -> Row:
    first = findings[0]
    mark = worst(findings)
    if not first.where:
        values = tuple(
            _with_unit(in_words(value, first.aspect), first.aspect)
            for value in (first.predicted, first.observed)
        )
        rest = dict.fromkeys(_WORDS[finding.verdict] for finding in findings[1:] if finding.verdict in _WORDS)
        own = tr(_WORDS.get(first.verdict, ""))
        others = (tr("the rest {verdict}").format(verdict=tr(word)) for word in rest)
        return Row((tr(first.aspect), *values, tr(", ").join(filter(None, (own, *others)))), mark)
    counts = [(words, sum(finding.verdict is verdict for finding in findings)) for verdict, words in _COUNTED]
    words = tr(", ").join(f"{number} {tr(words)}" for words, number in counts if number)
    return Row((tr(first.aspect), "", "", words), mark)


def _with_unit(value: str, aspect: str) -> str:
    return counted(int(value), _UNITS[aspect]) if value.isdecimal() and aspect in _UNITS else value


def in_words(value: str, aspect: str) -> str:
    """Return one side of a finding as it is shown: documents hold it in English."""
    if aspect == _VERDICT and not value.startswith(NOT_MODELLED):
        outcome, _, detail = value.partition(": ")
        return tr(": ").join(filter(None, (tr(outcome), detail)))
    return tr_error(value) if value.startswith(NOT_MODELLED) else tr(value)


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


def checkpoint_text(checkpoint: str) -> str:
    """Return a checkpoint's name as it is shown; that of the run as a whole is a word."""
    return tr_in("checkpoint", "run") if checkpoint == CHECKPOINT else checkpoint


def _place(finding: Finding) -> str:
    return " ".join(filter(None, (checkpoint_text(finding.checkpoint), tr(finding.aspect), finding.where)))


def _in_full(finding: Finding) -> Iterator[Block]:
    yield Paragraph(_place(finding), MARKS[finding.verdict])
    facts = [
        Fact("predicted", in_words(finding.predicted, finding.aspect) or "''"),
        Fact("observed", in_words(finding.observed, finding.aspect) or "''"),
    ]
    # What differs is explained by no rule; one may have led to what was predicted.
    rule = RULES.get(finding.rule or "")
    if rule is not None:
        facts.append(Fact("predicted by", f"{rule.id}{tr(': ')}{tr(rule.statement)}"))
    facts += [Fact("" if number else tr("around"), line) for number, line in enumerate(finding.context)]
    yield Facts(tuple(facts))


def _by_rule(rule_id: str | None, findings: Sequence[Finding]) -> Iterator[Block]:
    rule = RULES.get(rule_id or "")
    text = (
        rule_id or "" if rule is None else joined(f"{rule.id}{tr(': ')}{tr(rule.statement)}", tr(rule.reason))
    )
    yield Paragraph(text, MARKS[Verdict.EXPLAINED])
    places = tr("; ").join(_place(finding) for finding in findings[:_PLACES_SHOWN])
    more = len(findings) - _PLACES_SHOWN
    yield Facts(
        (
            Fact(
                "bears on",
                tr("{places}; and {more} more").format(places=places, more=more) if more > 0 else places,
            ),
        )
    )
