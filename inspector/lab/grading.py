"""Grading: an answer and the truth in, a verdict for every row out. Pure functions.

    earned by a row      the share of its judged cells that are right
    earned by a question points x max(0, sum of the rows - rows too many) / judged rows of the truth

A row that the truth does not have costs what a right one earns, so that naming everything gains nothing. A
blank answer earns nothing, whatever the truth: for "there are none" one has to write `none`. What the
evidence does not tell is judged by no one: it is left out of both sides of the fraction, and where nothing is
left, so is the whole question.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from inspector.lab.table import Answer, Row, Truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from inspector.lab.table import Column


class Mark(enum.Enum):
    """How a row came out."""

    RIGHT = "right"
    PARTLY = "partly right"
    WRONG = "wrong"
    MISSING = "missing"
    """In the truth, and not in the answer."""
    EXTRA = "too much"
    """In the answer, and not in the truth."""
    UNREAD = "not readable"
    UNJUDGED = "could not judge"


Visibility = Literal["visible", "after_due_date", "after_published", "hidden"]
"""When a student may see how a question came out; the words are Gradescope's."""


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """One row of the truth beside what was answered, or one row too many."""

    key: str
    mark: Mark
    earned: Fraction
    """Of one row: 0 to 1; a row too many has -1."""
    answered: str | None = None
    expected: str | None = None
    detail: str = ""
    """Which cells are wrong, or what could not be read; it does not give the truth away."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class QuestionVerdict:
    """One question. Invariant: `earned` is None where it could not be judged."""

    id: str
    points: int
    earned: Fraction | None
    rows: tuple[RowVerdict, ...] = ()
    note: str = ""
    """Why it earned nothing, or could not be judged."""
    source: str = ""
    """Where the truth is from."""
    visibility: Visibility = "visible"

    @property
    def is_full(self) -> bool:
        """Whether every mark was earned."""
        return self.earned == self.points


Match = tuple[Row | None, Row | None]
"""A row of the truth and one of the answer; None where the other has no counterpart."""


def by_key(truth: Sequence[Row], answer: Sequence[Row]) -> Iterator[Match]:
    """Match rows by their keys; of several answers with one key the first counts, the others are too many."""
    written: dict[str, Row] = {}
    extra: list[Row] = []
    known = {row.key for row in truth}
    for row in answer:
        if row.key in written or row.key not in known:
            extra.append(row)
        else:
            written[row.key] = row
    for row in truth:
        yield row, written.get(row.key)
    yield from ((None, row) for row in extra)


def by_order(truth: Sequence[Row], answer: Sequence[Row]) -> Iterator[Match]:
    """Match equal rows in order: a longest common subsequence, so that one row left out costs one row.

    A cell that the truth does not tell matches anything.
    """
    lengths = _common_lengths(truth, answer)
    i = j = 0
    while i < len(truth) and j < len(answer):
        if _agree(truth[i], answer[j]) and lengths[i][j] == lengths[i + 1][j + 1] + 1:
            yield truth[i], answer[j]
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            yield truth[i], None
            i += 1
        else:
            yield None, answer[j]
            j += 1
    yield from ((row, None) for row in truth[i:])
    yield from ((None, row) for row in answer[j:])


def by_value(truth: Sequence[Row], answer: Sequence[Row]) -> Iterator[Match]:
    """Match rows that are equal, in any order, each once."""
    left = {row.cells: row for row in answer}
    for row in truth:
        yield row, left.pop(row.cells, None)
    yield from ((None, row) for row in left.values())


def by_place(truth: Sequence[Row], answer: Sequence[Row]) -> Iterator[Match]:
    """Match rows by their first cell, then by their second: areas by where they start, or else end."""
    left = list(answer)
    found: dict[int, Row] = {}
    for cell in (0, 1):
        for index, row in enumerate(truth):
            same = (each for each in left if each.cells[cell] == row.cells[cell] is not None)
            if index not in found and (match := next(same, None)) is not None:
                found[index] = match
                left.remove(match)
    for index, row in enumerate(truth):
        yield row, found.get(index)
    yield from ((None, row) for row in left)


def grade_rows(
    columns: Sequence[Column], matches: Iterable[Match], *, atomic: bool = False
) -> Iterator[RowVerdict]:
    """Yield a verdict for each match. `atomic`: a row with a wrong cell earns nothing."""
    for truth, answer in matches:
        if truth is None:
            assert answer is not None  # noqa: S101 - a match has at least one side
            if any(cell is not None for cell in answer.cells):
                yield RowVerdict(answer.key, Mark.EXTRA, Fraction(-1), shown(columns, answer))
            continue
        yield _judged(columns, truth, answer, atomic=atomic)


def _judged(columns: Sequence[Column], truth: Row, answer: Row | None, *, atomic: bool) -> RowVerdict:
    expected = shown(columns, truth)
    told = [index for index, cell in enumerate(truth.cells) if cell is not None]
    if not told:
        return RowVerdict(truth.key, Mark.UNJUDGED, Fraction(0), None, None, "the evidence does not tell it")
    if answer is None or all(cell is None for cell in answer.cells):
        return RowVerdict(truth.key, Mark.MISSING, Fraction(0), None, expected, why=truth.why)
    wrong = [columns[index].name for index in told if answer.cells[index] != truth.cells[index]]
    earned = Fraction(len(told) - len(wrong), len(told))
    if wrong and atomic:
        earned = Fraction(0)
    mark = Mark.RIGHT if not wrong else Mark.PARTLY if earned else Mark.WRONG
    detail = f"{', '.join(wrong)}" if wrong and len(columns) > 1 else ""
    return RowVerdict(truth.key, mark, earned, shown(columns, answer), expected, detail, truth.why)


def shown(columns: Sequence[Column], row: Row) -> str:
    """Return a row's cells in one line; `-` for what is blank or not told."""
    return "  ".join(
        "-" if cell is None else column.show(cell) or "(none)"
        for column, cell in zip(columns, row.cells, strict=True)
    )


def grade(
    question: str,
    points: int,
    columns: Sequence[Column],
    truth: Truth,
    answer: Answer,
    matching: Callable[[Sequence[Row], Sequence[Row]], Iterable[Match]],
    *,
    atomic: bool = False,
) -> QuestionVerdict:
    """Grade one question."""
    rows = list(grade_rows(columns, matching(truth.rows, answer.rows), atomic=atomic))
    unread = {each.key: each for each in answer.unread}
    for index, row in enumerate(rows):
        if row.mark is Mark.MISSING and (text := unread.pop(row.key, None)) is not None:
            rows[index] = RowVerdict(
                row.key, Mark.UNREAD, Fraction(0), text.text, row.expected, text.problem, row.why
            )
    rows += [
        RowVerdict(key, Mark.UNREAD, Fraction(0), each.text, None, each.problem)
        for key, each in unread.items()
    ]
    judged = sum(1 for row in truth.rows if any(cell is not None for cell in row.cells))
    if not judged:
        return QuestionVerdict(
            question, points, None, tuple(rows), "the evidence does not tell it", truth.source
        )
    share = max(Fraction(0), sum((row.earned for row in rows), Fraction(0)) / judged)
    note = "" if not answer.is_blank else "no answer"
    return QuestionVerdict(question, points, points * share, tuple(rows), note, truth.source)


def apply_needs(
    verdicts: Sequence[QuestionVerdict], needs: Mapping[str, Sequence[str]]
) -> tuple[QuestionVerdict, ...]:
    """Return the verdicts with nothing earned where a question that one needs is not wholly right.

    Questions are in the exercise's order, in which each comes after those that it needs. A question that
    could not be judged holds up nothing: a broken machine costs no one marks.
    """
    done: dict[str, QuestionVerdict] = {}
    for verdict in verdicts:
        unmet = [
            name
            for name in needs.get(verdict.id, ())
            if done[name].earned is not None and not done[name].is_full
        ]
        if unmet and verdict.earned:
            verdict = QuestionVerdict(  # noqa: PLW2901 - the same question, held up
                verdict.id,
                verdict.points,
                Fraction(0),
                verdict.rows,
                f"waits for {', '.join(unmet)}",
                verdict.source,
                verdict.visibility,
            )
        done[verdict.id] = verdict
    return tuple(done.values())


def _agree(truth: Row, answer: Row) -> bool:
    return all(cell is None or cell == other for cell, other in zip(truth.cells, answer.cells, strict=True))


def _common_lengths(truth: Sequence[Row], answer: Sequence[Row]) -> list[list[int]]:
    """Return, for every pair of suffixes, the length of their longest common subsequence."""
    lengths = [[0] * (len(answer) + 1) for _ in range(len(truth) + 1)]
    for i in range(len(truth) - 1, -1, -1):
        for j in range(len(answer) - 1, -1, -1):
            if _agree(truth[i], answer[j]):
                lengths[i][j] = lengths[i + 1][j + 1] + 1
            else:
                lengths[i][j] = max(lengths[i + 1][j], lengths[i][j + 1])
    return lengths
