"""Marks: what rows earn, what costs, and what is judged by no one."""

from __future__ import annotations

from fractions import Fraction

import pytest

from inspector.lab.grading import (
    Mark,
    QuestionVerdict,
    apply_needs,
    by_key,
    by_order,
    by_place,
    by_value,
    grade,
)
from inspector.lab.kinds.areas import AREA_COLUMNS, read_area
from inspector.lab.table import ADDRESS, NUMBER, Answer, Column, Row, Truth, Unread, show_plain

WORD = Column("word", str, show_plain)


def keyed(**cells: int | None) -> tuple[Row, ...]:
    return tuple(Row(key, (cell,)) for key, cell in cells.items())


def lines(*words: str | None) -> tuple[Row, ...]:
    return tuple(Row(f"line {number}", (word,)) for number, word in enumerate(words))


def graded(truth: tuple[Row, ...], answer: tuple[Row, ...], points: int = 12) -> QuestionVerdict:
    return grade("q", points, (NUMBER,), Truth(truth), Answer(answer), by_key)


def test_each_row_earns_its_share() -> None:
    truth = keyed(a=1, b=2, c=3)
    assert graded(truth, keyed(a=1, b=2, c=3)).earned == 12
    assert graded(truth, keyed(a=1, b=9, c=3)).earned == 8
    assert graded(truth, keyed(b=2)).earned == 4
    assert graded(keyed(a=1, b=2, c=3), keyed(a=1), points=10).earned == Fraction(10, 3)


def test_nothing_is_earned_for_nothing() -> None:
    blank = graded(keyed(a=0, b=0), ())
    assert (blank.earned, blank.note) == (Fraction(0), "no answer")
    assert graded(keyed(a=0), keyed(a=None)).earned == 0
    assert graded(keyed(a=0), keyed(a=0)).earned == 12


def test_a_row_too_many_costs_one_and_never_more_than_all() -> None:
    truth = keyed(a=1, b=2, c=3)
    assert graded(truth, keyed(a=1, b=2, c=3, d=4)).earned == 8
    assert graded(truth, keyed(d=4, e=5, f=6)).earned == 0
    twice = graded(truth, (*keyed(a=1, b=2, c=3), Row("a", (7,))))
    assert twice.earned == 8
    assert [row.mark for row in twice.rows].count(Mark.EXTRA) == 1


def test_what_the_evidence_does_not_tell_is_left_out_of_both_sides() -> None:
    partly = graded(keyed(a=1, b=None), keyed(a=1, b=77))
    assert partly.earned == 12
    assert {row.key: row.mark for row in partly.rows} == {"a": Mark.RIGHT, "b": Mark.UNJUDGED}
    assert graded(keyed(a=None), keyed(a=1)).earned is None


def test_a_row_that_cannot_be_read_is_named_and_the_others_count() -> None:
    answer = Answer(keyed(a=1), (Unread("b", "zwei", "'zwei' is not a number"),))
    verdict = grade("q", 4, (NUMBER,), Truth(keyed(a=1, b=2)), answer, by_key)
    assert verdict.earned == 2
    unread = verdict.rows[1]
    assert (unread.mark, unread.answered, unread.detail) == (Mark.UNREAD, "zwei", "'zwei' is not a number")


@pytest.mark.parametrize(
    ("answer", "earned"),
    [
        ("abcdef", 6),
        ("bcdef", 5),  # one left out costs one, not all that follow
        ("abXcdef", 5),  # one too many costs one
        ("abdcef", 4),  # two in the wrong order: one missing, one too many
        ("fedcba", 0),
        ("", 0),
    ],
)
def test_sequences_are_compared_in_order(answer: str, earned: int) -> None:
    verdict = grade("q", 6, (WORD,), Truth(lines(*"abcdef")), Answer(lines(*answer)), by_order)
    assert verdict.earned == earned


def area(text: str) -> Row:
    return Row(text, read_area(text))


TRUTH = (
    area("08048000-0804b000 r-xp 00000000 prog"),
    area("0804c000-0804e000 rw-p 00003000 prog"),
    area("0804e000-08050000 rw-p 00000000"),
)


def areas(*texts: str) -> QuestionVerdict:
    return grade("q", 15, AREA_COLUMNS, Truth(TRUTH), Answer(tuple(map(area, texts))), by_place)


def test_an_area_is_found_by_its_start_or_its_end_and_earns_by_its_cells() -> None:
    whole = ["08048000-0804b000 r-xp 00000000 prog", "0804c000-0804e000 rw-p 00003000 prog"]
    assert areas(*whole, "0804e000-08050000 rw-p").earned == 15
    late = areas(*whole, "0804e000-08051000 rw-p")
    assert late.earned == 14
    assert late.rows[-1].detail == "end"
    early = areas(*whole, "0804d000-08050000 rw-p 00001000")
    assert early.earned == 13
    assert early.rows[-1].detail == "start, offset"
    assert areas(*whole).earned == 10
    assert areas(*whole, "0804e000-08050000 rw-p", "0a000000-0a001000 rw-p").earned == 10


def test_the_order_of_areas_does_not_count() -> None:
    assert areas(*[row.key for row in reversed(TRUTH)]).earned == 15


def test_an_atomic_row_is_right_or_earns_nothing() -> None:
    columns = (ADDRESS, NUMBER)
    truth = Truth((Row("a", (1, 2)),))
    verdict = grade("q", 1, columns, truth, Answer((Row("a", (1, 3)),)), by_key, atomic=True)
    assert (verdict.earned, verdict.rows[0].mark) == (Fraction(0), Mark.WRONG)
    verdict = grade("q", 1, columns, truth, Answer((Row("a", (1, 3)),)), by_key)
    assert (verdict.earned, verdict.rows[0].mark) == (Fraction(1, 2), Mark.PARTLY)


def test_a_question_waits_for_those_it_needs_but_never_for_a_broken_machine() -> None:
    needs = {"b": ("a",), "c": ("b",)}

    def after(first: Fraction | None) -> list[Fraction | None]:
        verdicts = [QuestionVerdict("a", 2, first), *(QuestionVerdict(i, 2, Fraction(2)) for i in "bc")]
        return [each.earned for each in apply_needs(verdicts, needs)]

    assert after(Fraction(2)) == [2, 2, 2]
    assert after(Fraction(1)) == [1, 0, 0]
    assert after(None) == [None, 2, 2]


def test_equal_rows_match_in_any_order_and_once() -> None:
    truth, answer = keyed(a=1, b=2, c=3), (*keyed(x=3, y=1), Row("z", (1,)), Row("w", (9,)))
    verdict = grade("q", 3, (NUMBER,), Truth(truth), Answer(answer), by_value)
    assert [row.mark for row in verdict.rows] == [Mark.RIGHT, Mark.MISSING, Mark.RIGHT, Mark.EXTRA]
    assert verdict.earned == 1
