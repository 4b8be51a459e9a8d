"""What is said of a question in one line or some, the same in every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.lab.result import is_wrong, shown_points
from inspector.language import N_, N_in, tr, tr_error, tr_filled
from inspector.report.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.lab.result import QuestionJson, ResultJson, RowJson

MOST_ROWS = 60
"""Rows that are told of one question."""
_LONGEST = 300
COULD_NOT_JUDGE = N_("could not judge")
_NAMES = (
    N_in("error", "this machine"),
    N_in("error", "the simulator"),
    N_in("error", "the file"),
    N_in("error", "a number, or an address; eight digits without 0x are hexadecimal, as in maps"),
)
"""What labs call sources of truth, and how some answers are to be written."""
_ROWS = (N_in("row", "call {0} {1}"), N_in("row", "{0} page {1}"))
_GIVEN = (
    N_in("given", "base {0}"),
    N_in("given", "{0} {1} bytes, the root"),
    N_in("given", "{0} {1} bytes (called by {2})"),
    N_in("given", "calls: {0} (A>F: A itself calls F)"),
    N_in("given", "mapped pages (page numbers): {0}"),
    N_in("given", "flat: page table"),
    N_in("given", "{0} with {1} frames, at first empty"),
    N_in("given", "references: {0}"),
)
"""What is given with a question, part by part."""


def line(text: str) -> str:
    """Return someone else's text as one line that moves no cursor and has an end."""
    shown = printable(" ".join(text.split()))
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def told(text: str) -> str:
    """Return what is English in a result as it is spoken: a text of an exercise, or a remark."""
    shown = " ".join(text.split())
    said = tr(shown)
    return tr_error(shown) if said == shown else said


def given_words(text: str) -> str:
    """Return a line that is given with a question: parts of it, or a text of its own."""
    parts = text.split("; ")
    said = [tr_filled("given", part) for part in parts]
    return tr_error(text) if said == parts else tr("; ").join(said)


def key_words(key: str) -> str:
    """Return the name of a row: `area 3`."""
    return tr_filled("row", key)


def is_hidden(question: QuestionJson) -> bool:
    """Whether a student is not to see more than whether it is right."""
    return question.visibility != "visible"


def score_words(question: QuestionJson) -> str:
    """Return `6.67 of 10`, or that it could not be judged."""
    if question.score is None:
        return tr(COULD_NOT_JUDGE)
    return tr("{number} of {count}").format(number=shown_points(question.score), count=question.points)


def total_words(result: ResultJson) -> str:
    """Return the sum, and what is not in it."""
    if not result.points:
        return tr(COULD_NOT_JUDGE)
    sum_ = tr("{number} of {count}").format(number=shown_points(result.earned), count=result.points)
    if not result.unjudged_points:
        return sum_
    return tr("{sum}; {count} points could not judge").format(sum=sum_, count=result.unjudged_points)


def row_words(row: RowJson, *, truth: bool = False) -> str:
    """Return what is to be said of one row; with `truth`, the right value too."""
    words = [f"{line(key_words(row.key))}{tr(': ')}{tr_filled('mark', row.mark)}"]
    if row.answered is not None and row.mark != "missing":
        words.append(tr(", you wrote {answer}").format(answer=line(row.answered)))
    if row.detail:
        words.append(tr(" ({help})").format(help=line(told(row.detail))))
    if truth and row.expected is not None:
        words.append(tr("; it is {answer}").format(answer=line(row.expected)))
    return "".join(words)


def complaints(question: QuestionJson, *, truth: bool = False) -> Iterator[str]:
    """Yield what a student is told of a question: its note, the rows that cost something, the reason."""
    if question.note:
        yield line(told(question.note))
    if is_hidden(question) and not truth:
        return
    wrong = [row for row in question.rows if is_wrong(row)]
    if question.note != "no answer":
        yield from (row_words(row, truth=truth) for row in wrong[:MOST_ROWS])
        if len(wrong) > MOST_ROWS:
            yield tr("and {count} rows more").format(count=len(wrong) - MOST_ROWS)
    reasons = dict.fromkeys(row.why for row in wrong if row.why)
    if truth:
        yield from (line(told(each)) for each in reasons)


def notes(result: ResultJson) -> Iterator[str]:
    """Yield what is to be said of the whole submission."""
    yield from (line(told(each)) for each in (result.problem, result.broken, *result.notes) if each)
    sources = dict.fromkeys(question.source for question in result.questions if question.source)
    if any("recording" in source for source in sources):
        yield line(tr("graded from {sources}").format(sources=tr(", ").join(map(told, sources))))
