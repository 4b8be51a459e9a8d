from __future__ import annotations

import pytest

from inspector.model.address import Vpn
from inspector.model.finding import Verdict
from inspector.model.page import PageKind, PageState
from inspector.reconcile.pages import compare_pages

ABSENT = "absent"
FILE, ANONYMOUS, ZERO, SPECIAL = PageKind.FILE, PageKind.ANONYMOUS, PageKind.ZERO, PageKind.SPECIAL


def page(kind: PageKind | str | None, vpn: int = 0x8048) -> tuple[PageState, ...]:
    return () if isinstance(kind, str) else (PageState(Vpn(vpn), kind),)


@pytest.mark.parametrize(
    ("predicted", "observed", "verdict"),
    [
        (FILE, FILE, None),
        (FILE, ANONYMOUS, Verdict.DIFFERS),
        (FILE, ABSENT, Verdict.DIFFERS),
        (ABSENT, FILE, Verdict.DIFFERS),
        # It is there, whatever it is.
        (ABSENT, None, Verdict.DIFFERS),
        (None, ABSENT, Verdict.DIFFERS),
        # Unknown means zero or anonymous: nothing else looks like these.
        (ANONYMOUS, None, Verdict.UNOBSERVED),
        (ZERO, None, Verdict.UNOBSERVED),
        (FILE, None, Verdict.DIFFERS),
        (SPECIAL, None, Verdict.DIFFERS),
        (None, ANONYMOUS, Verdict.NOT_PREDICTED),
        (None, None, Verdict.NOT_PREDICTED),
    ],
)
def test_one_page(
    predicted: PageKind | str | None, observed: PageKind | str | None, verdict: Verdict | None
) -> None:
    found = list(compare_pages("exec", page(predicted), page(observed)))
    assert [finding.verdict for finding in found] == ([] if verdict is None else [verdict])


def test_a_rule_explains_only_where_it_applies() -> None:
    mine = tuple(PageState(Vpn(number), FILE) for number in (1, 2))
    found = list(compare_pages("exec", mine, (), lambda vpn, *_: "fault.page-cache" if vpn == 1 else None))
    assert [(f.where, f.verdict, f.rule) for f in found] == [
        ("0x1000", Verdict.EXPLAINED, "fault.page-cache"),
        ("0x2000", Verdict.DIFFERS, None),
    ]


def test_neighbours_that_differ_alike_are_one_finding() -> None:
    mine = tuple(PageState(Vpn(number), FILE) for number in (1, 2, 3, 4, 6))
    theirs = (PageState(Vpn(1), FILE), PageState(Vpn(4), ZERO))
    found = list(compare_pages("exec", mine, theirs))
    assert [(f.where, f.predicted, f.observed) for f in found] == [
        ("0x2000 and 1 more", "file", "absent"),
        ("0x4000", "file", "zero"),
        ("0x6000", "file", "absent"),
    ]
