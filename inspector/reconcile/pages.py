"""Resident pages: which there are, and where the contents of each live."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING

from inspector.model.address import Vpn
from inspector.model.finding import Finding, Verdict
from inspector.model.page import PageKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.model.page import PageState

_ABSENT, _UNKNOWN = "absent", "unknown"
_COULD_BE_UNKNOWN = {PageKind.ZERO.value, PageKind.ANONYMOUS.value}
"""An observer that sees no frames cannot tell these two apart; any other kind it can."""


Explanation = Callable[[Vpn, str, str], str | None]
"""Which rule explains that a page is of one kind predicted and of another observed; None: none does."""


def compare_pages(
    at: str,
    predicted: Sequence[PageState],
    observed: Sequence[PageState],
    explanation: Explanation = lambda *_: None,
) -> Iterator[Finding]:
    """Compare presence and kind; runs of pages that differ alike are one finding."""
    mine = {page.vpn: _kind(page) for page in predicted}
    seen = {page.vpn: _kind(page) for page in observed}
    judged = []
    for vpn in sorted(mine.keys() | seen.keys()):
        left, right = mine.get(vpn, _ABSENT), seen.get(vpn, _ABSENT)
        verdict = _verdict(left, right)
        rule = explanation(vpn, left, right) if verdict is Verdict.DIFFERS else None
        if verdict is not Verdict.AGREES:
            judged.append((vpn, left, right, Verdict.EXPLAINED if rule else verdict, rule))
    # Consecutive pages with the same difference share `vpn - position`.
    for _, run in groupby(enumerate(judged), key=lambda item: (item[1][0] - item[0], *item[1][1:])):
        entries = [entry for _, entry in run]
        vpn, left, right, verdict, rule = entries[0]
        where = f"{vpn << 12:#x}" + (f" and {len(entries) - 1} more" if len(entries) > 1 else "")
        yield Finding(at, "pages", where, left, right, verdict, rule)


def _verdict(mine: str, seen: str) -> Verdict:
    """Judge one page. That it is there can be compared even where its kind cannot."""
    if _ABSENT in (mine, seen):
        return Verdict.DIFFERS
    if mine == _UNKNOWN:
        return Verdict.NOT_PREDICTED
    if seen == _UNKNOWN:
        return Verdict.UNOBSERVED if mine in _COULD_BE_UNKNOWN else Verdict.DIFFERS
    return Verdict.AGREES if mine == seen else Verdict.DIFFERS


def _kind(page: PageState) -> str:
    return page.kind.value if page.kind is not None else _UNKNOWN
