"""What the findings say of a line of a report. Nothing is compared here: that was done before."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Self

from inspector.model.finding import Finding, Verdict
from inspector.report.document import Mark

if TYPE_CHECKING:
    from collections.abc import Iterable

MARKS = {
    Verdict.AGREES: Mark.GOOD,
    Verdict.EXPLAINED: Mark.EXPLAINED,
    Verdict.DIFFERS: Mark.BAD,
    Verdict.UNOBSERVED: Mark.UNKNOWN,
    Verdict.NOT_PREDICTED: Mark.UNJUDGED,
}
"""How each verdict is shown."""

_WORST_FIRST = (
    Verdict.DIFFERS,
    Verdict.UNOBSERVED,
    Verdict.NOT_PREDICTED,
    Verdict.EXPLAINED,
    Verdict.AGREES,
)


def worst(findings: Iterable[Finding]) -> Mark | None:
    """Return the mark of the gravest finding; None if there is none."""
    verdicts = {finding.verdict for finding in findings}
    return next((MARKS[verdict] for verdict in _WORST_FIRST if verdict in verdicts), None)


class Judge:
    """The findings of one checkpoint, ready to be asked by aspect and place."""

    def __init__(self, findings: Iterable[Finding] = (), *, otherwise: Mark | None = None) -> None:
        """`otherwise` is the mark of an aspect that no finding speaks of."""
        self._by_aspect: dict[str, list[Finding]] = defaultdict(list)
        for finding in findings:
            self._by_aspect[finding.aspect].append(finding)
        self._otherwise = otherwise

    @classmethod
    def of(cls, checkpoint: str, findings: Iterable[Finding]) -> Self:
        """Return the judge of one checkpoint that was compared."""
        return cls(finding for finding in findings if finding.checkpoint == checkpoint)

    def aspect(self, name: str) -> Mark | None:
        """Return the mark of a whole aspect."""
        return worst(self._by_aspect.get(name, ())) or self._otherwise

    def place(self, aspect: str, where: str) -> Mark | None:
        """Return the mark of the place that findings name `where`, or `where` and more, such as a column."""
        findings = self._by_aspect.get(aspect)
        if not findings:
            return self._otherwise
        here = [finding for finding in findings if f"{finding.where} ".startswith(f"{where} ")]
        # An aspect with findings about other places says of this one that nothing was wrong.
        return worst(here) or worst(finding for finding in findings if not finding.where) or Mark.GOOD
