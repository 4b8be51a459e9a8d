"""A quiz's questions and answers as lines of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.language import tr, tr_error
from inspector.report.document import Mark
from inspector.report.lab.words import given_words, key_words, told
from inspector.report.text import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.lab.quiz import Item
    from inspector.report.terminal import Style

_MARGIN = 3


def question_lines(item: Item, number: int, count: int, style: Style) -> Iterator[str]:
    """Yield the lines of a question."""
    yield ""
    yield from style.headed(None, _asks(item, number, count))
    for text in item.shown:
        for line in wrapped(style.clean(given_words(text)), style.width - _MARGIN):
            yield " " * _MARGIN + line


def reason_lines(item: Item, *, right: bool, unread: str, style: Style) -> Iterator[str]:
    """Yield whether it was right, the answer, and why."""
    answer = tr("It is {answer}. {why}").format(answer=item.answer, why=told(item.row.why))
    if unread:
        yield from _hanging(None, tr_error(unread), style)
    yield from _hanging(Mark.GOOD if right else Mark.BAD, answer, style)


def _hanging(mark: Mark | None, text: str, style: Style) -> Iterator[str]:
    for number, line in enumerate(wrapped(style.clean(given_words(text)), style.width - _MARGIN)):
        yield f"{style.margin(mark if number == 0 else None)}{line}"


def _asks(item: Item, number: int, count: int) -> str:
    """Return the question in a sentence or two, its row named."""
    return tr("{number} of {count}. {ask} [{row}]").format(
        number=number, count=count, ask=told(item.question.ask), row=key_words(item.row.key)
    )
