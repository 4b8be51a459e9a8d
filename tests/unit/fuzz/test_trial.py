"""What a smaller mutant must show to stand for a larger one."""

from __future__ import annotations

import pytest

from inspector.fuzz.trial import Standing, Trial
from inspector.model.finding import Finding, Verdict


def finding(
    aspect: str, where: str = "", predicted: str = "1", observed: str = "2", rule: str | None = None
) -> Finding:
    verdict = Verdict.AGREES if predicted == observed else Verdict.DIFFERS
    return Finding("exec", aspect, where, predicted, observed, verdict, rule)


RUNS = finding("verdict", predicted="runs", observed="runs")
KILLED = finding("verdict", predicted="killed: SIGSEGV", observed="runs")


def kind(*findings: Finding) -> tuple[object, ...]:
    return Trial(Standing.DIFFERS, findings).kind


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((KILLED,), (finding("verdict", predicted="runs", observed="killed: SIGSEGV"),)),
        ((RUNS, finding("VMAs", "0x1000 end")), (RUNS, finding("VMAs", "0x1000 perms"))),
        ((RUNS, finding("VMAs", "0x1000 end")), (RUNS, finding("VMAs", "0x1000 end"), finding("brk"))),
        ((RUNS, finding("registers", "esp")), (RUNS, finding("registers", "eip"))),
        ((RUNS, finding("brk", rule="layout.brk")), (RUNS, finding("brk"))),
    ],
    ids=["answers", "columns", "one more", "registers", "rules"],
)
def test_other_differences_are_of_another_kind(one: tuple[Finding, ...], other: tuple[Finding, ...]) -> None:
    assert kind(*one) != kind(*other)


def test_the_same_difference_elsewhere_is_of_the_same_kind() -> None:
    here = finding("VMAs", "0x8048000 end", "0x8049000", "0x804a000")
    there = finding("VMAs", "0x9000000 end", "0x9001000", "0x9002000")
    assert kind(RUNS, here) == kind(RUNS, there)


def test_what_agrees_besides_is_of_no_kind() -> None:
    assert kind(RUNS, finding("brk"), finding("VMAs", predicted="9", observed="9")) == kind(
        RUNS, finding("brk"), finding("VMAs", predicted="8", observed="8")
    )


def test_two_places_that_break_are_two_kinds() -> None:
    one, other = (
        Trial(Standing.BROKEN, reason=f"IndexError: {address}, at mm.py:{line}").kind
        for address, line in (("0x10", 5), ("0x20", 6))
    )
    assert one != other
    same = Trial(Standing.BROKEN, reason="IndexError: 0x30, at mm.py:5").kind
    assert same == one


def test_differences_and_what_agrees_are_told_apart() -> None:
    trial = Trial(Standing.DIFFERS, (RUNS, finding("brk")))
    assert (trial.compared, [each.aspect for each in trial.differences]) == (("verdict",), ["brk"])
