"""What came of one submission, as data (inspector.lab-result/1)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import msgspec

from inspector.lab.grading import Mark, Visibility

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inspector.lab.exercise import Exercise
    from inspector.lab.grading import QuestionVerdict

ALL_RIGHT, NOT_ALL_RIGHT, NOT_JUDGED = 0, 1, 3
"""Exit codes of a result."""
_DIGITS = Decimal("0.0001")


class RowJson(msgspec.Struct, frozen=True):
    """One row: how it came out, what was answered and what was so; null: nothing, or not known."""

    key: str
    mark: str
    answered: str | None
    expected: str | None
    detail: str
    why: str


class QuestionJson(msgspec.Struct, frozen=True):
    """One question; `earned` is exact, as a fraction in words, and null where it could not be judged."""

    id: str
    ask: str
    points: int
    earned: str | None
    rows: tuple[RowJson, ...]
    note: str
    source: str
    visibility: Visibility

    @property
    def score(self) -> Fraction | None:
        """What was earned."""
        return None if self.earned is None else Fraction(self.earned)

    @property
    def is_full(self) -> bool:
        """Whether every mark was earned."""
        return self.score == self.points


class ResultJson(msgspec.Struct, frozen=True, kw_only=True):
    """One submission graded."""

    schema: Literal["inspector.lab-result/1"] = "inspector.lab-result/1"
    submission: str
    student: str
    exercise: str
    title: str
    questions: tuple[QuestionJson, ...]
    notes: tuple[str, ...] = ()
    problem: str = ""
    """Why nothing of it could be read: then nothing is earned."""
    broken: str = ""
    """Why nothing of it could be judged, which is not the student's doing."""

    @property
    def points(self) -> int:
        """What could be earned in what was judged."""
        return sum(question.points for question in self.questions if question.earned is not None)

    @property
    def unjudged_points(self) -> int:
        """What could not be judged."""
        return sum(question.points for question in self.questions if question.earned is None)

    @property
    def earned(self) -> Fraction:
        """What was earned."""
        return sum((question.score or Fraction(0) for question in self.questions), Fraction(0))

    @property
    def is_judged(self) -> bool:
        """Whether all of it could be judged; if not, what was earned is no score."""
        return not (self.broken or self.unjudged_points)

    @property
    def exit_code(self) -> int:
        """ALL_RIGHT, NOT_ALL_RIGHT, or NOT_JUDGED where something could not be."""
        if not self.is_judged:
            return NOT_JUDGED
        return ALL_RIGHT if not self.problem and self.earned == self.points else NOT_ALL_RIGHT

    def document(self) -> bytes:
        """Return it as one line of JSON."""
        return msgspec.json.encode(self)


def result_of(
    exercise: Exercise,
    verdicts: Iterable[QuestionVerdict],
    *,
    submission: str,
    student: str,
    notes: Iterable[str] = (),
) -> ResultJson:
    """Return the result that verdicts make."""
    asks = {question.id: question.ask for question in exercise.questions}
    questions = tuple(
        QuestionJson(
            each.id,
            " ".join(asks[each.id].split()),
            each.points,
            None if each.earned is None else str(each.earned),
            tuple(
                RowJson(row.key, row.mark.value, row.answered, row.expected, row.detail, row.why)
                for row in each.rows
            ),
            each.note,
            each.source,
            each.visibility,
        )
        for each in verdicts
    )
    return ResultJson(
        submission=valid_text(submission),
        student=valid_text(student),
        exercise=exercise.name,
        title=exercise.title,
        questions=questions,
        notes=tuple(map(valid_text, notes)),
    )


def without_truth(result: ResultJson) -> ResultJson:
    """Return a result that does not give the right values away."""

    def bare(question: QuestionJson) -> QuestionJson:
        rows = tuple(msgspec.structs.replace(row, expected=None) for row in question.rows)
        return msgspec.structs.replace(question, rows=rows)

    return msgspec.structs.replace(result, questions=tuple(map(bare, result.questions)))


def refused(exercise: Exercise, submission: str, student: str, problem: str) -> ResultJson:
    """Return the result of a submission that cannot be read: nothing earned, of everything."""
    result = _without_rows(exercise, submission, student, earned="0", why="")
    return msgspec.structs.replace(result, problem=valid_text(problem))


def unjudged(exercise: Exercise, submission: str, student: str, reason: str) -> ResultJson:
    """Return the result of a submission that the machine kept us from judging."""
    result = _without_rows(exercise, submission, student, earned=None, why=reason)
    return msgspec.structs.replace(result, broken=valid_text(reason))


def _without_rows(
    exercise: Exercise, submission: str, student: str, *, earned: str | None, why: str
) -> ResultJson:
    questions = tuple(
        QuestionJson(each.id, " ".join(each.ask.split()), each.points, earned, (), why, "", each.visibility)
        for each in exercise.questions
    )
    return ResultJson(
        submission=valid_text(submission),
        student=valid_text(student),
        exercise=exercise.name,
        title=exercise.title,
        questions=questions,
    )


def parse_result(data: bytes) -> ResultJson:
    """Undo `document`. Raises ValueError."""
    return msgspec.json.decode(data, type=ResultJson)


def valid_text(text: str) -> str:
    """Return a text that may name files as one that can be written: a byte that is no text as an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def decimal(number: Fraction) -> float:
    """Return a number of points for a file of a grader, to four digits."""
    return float((Decimal(number.numerator) / Decimal(number.denominator)).quantize(_DIGITS))


def shown_points(number: Fraction) -> str:
    """Return a number of points for people: `7`, `6.67`."""
    return f"{number.numerator}" if number.denominator == 1 else f"{float(number):.2f}"


def is_wrong(row: RowJson) -> bool:
    """Whether a row cost something."""
    return row.mark not in (Mark.RIGHT.value, Mark.UNJUDGED.value)
