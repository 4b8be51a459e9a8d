"""What is said of a question in one line or some, the same in every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.lab.result import is_wrong, shown_points
from inspector.report.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.lab.result import QuestionJson, ResultJson, RowJson

MOST_ROWS = 60
"""Rows that are told of one question."""
_LONGEST = 300
COULD_NOT_JUDGE = "could not judge"


def line(text: str) -> str:
    """Return someone else's text as one line that moves no cursor and has an end."""
    shown = printable(" ".join(text.split()))
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def is_hidden(question: QuestionJson) -> bool:
    """Whether a student is not to see more than whether it is right."""
    return question.visibility != "visible"


def score_words(question: QuestionJson) -> str:
    """Return `6.67 of 10`, or that it could not be judged."""
    if question.score is None:
        return COULD_NOT_JUDGE
    return f"{shown_points(question.score)} of {question.points}"


def total_words(result: ResultJson) -> str:
    """Return the sum, and what is not in it."""
    if not result.points:
        return COULD_NOT_JUDGE
    left = f"; {result.unjudged_points} points {COULD_NOT_JUDGE}" if result.unjudged_points else ""
    return f"{shown_points(result.earned)} of {result.points}{left}"


def row_words(row: RowJson, *, truth: bool = False) -> str:
    """Return what is to be said of one row; with `truth`, the right value too."""
    words = f"{line(row.key)}: {row.mark}"
    if row.answered is not None and row.mark != "missing":
        words += f", you wrote {line(row.answered)}"
    if row.detail:
        words += f" ({line(row.detail)})"
    if truth and row.expected is not None:
        words += f"; it is {line(row.expected)}"
    return words


def complaints(question: QuestionJson, *, truth: bool = False) -> Iterator[str]:
    """Yield what a student is told of a question: its note, the rows that cost something, the reason."""
    if question.note:
        yield line(question.note)
    if is_hidden(question) and not truth:
        return
    wrong = [row for row in question.rows if is_wrong(row)]
    if question.note != "no answer":
        yield from (row_words(row, truth=truth) for row in wrong[:MOST_ROWS])
        if len(wrong) > MOST_ROWS:
            yield f"and {len(wrong) - MOST_ROWS} rows more"
    reasons = dict.fromkeys(row.why for row in wrong if row.why)
    if truth:
        yield from map(line, reasons)


def notes(result: ResultJson) -> Iterator[str]:
    """Yield what is to be said of the whole submission."""
    yield from (line(each) for each in (result.problem, result.broken, *result.notes) if each)
    sources = dict.fromkeys(question.source for question in result.questions if question.source)
    if any("recording" in source for source in sources):
        yield line(f"graded from {', '.join(sources)}")
