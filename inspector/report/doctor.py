"""What the machine allows, as a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.language import N_, tr
from inspector.observe.doctor import can_check
from inspector.report.document import Document, Fact, Facts, Mark, Section
from inspector.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.observe.doctor import Check

LEGEND = (
    (Mark.GOOD, N_("allowed")),
    (Mark.BAD, N_("missing, and needed")),
    (Mark.UNJUDGED, N_("missing, not needed by check")),
    (Mark.UNKNOWN, N_("could not be judged")),
)


def doctor_document(checks: Sequence[Check]) -> Document:
    """Return the list of checks, each with its fix where one is called for."""
    ready = can_check(list(checks))
    missing = sum(check.needed and check.ok is False for check in checks)
    title = tr("inspector check can run here")
    if not ready:
        title = tr("inspector check cannot run here: {things} missing").format(
            things=counted(missing, "thing")
        )
    facts = tuple(fact for check in checks for fact in _facts(check))
    return Document(title, (Section("", (Facts(facts),)),), Mark.GOOD if ready else Mark.BAD, LEGEND)


def _facts(check: Check) -> Iterator[Fact]:
    yield Fact(check.name, check.detail, _mark(check))
    if check.fix:
        yield Fact("", tr("fix: {fix}").format(fix=check.fix))


def _mark(check: Check) -> Mark:
    if check.ok is None:
        return Mark.UNKNOWN
    if check.ok:
        return Mark.GOOD
    return Mark.BAD if check.needed else Mark.UNJUDGED
