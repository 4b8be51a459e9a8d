"""A quiz's questions and answers as lines of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.report.document import Mark
from inspector.report.text import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.lab.quiz import Item
    from inspector.report.terminal import Style

_MARGIN = 3


def question_lines(item: Item, number: int, count: int, style: Style) -> Iterator[str]:
    """Yield the lines of a question."""
    yield ""
    yield from style.headed(None, f"{number} of {count}. {item.asks}")
    for text in item.shown:
        for line in wrapped(style.clean(text), style.width - _MARGIN):
            yield " " * _MARGIN + line


def reason_lines(item: Item, *, right: bool, unread: str, style: Style) -> Iterator[str]:
    """Yield whether it was right, the answer, and why."""
    if unread:
        yield from _hanging(None, unread, style)
    yield from _hanging(Mark.GOOD if right else Mark.BAD, f"It is {item.answer}. {item.row.why}", style)


def _hanging(mark: Mark | None, text: str, style: Style) -> Iterator[str]:
    for number, line in enumerate(wrapped(style.clean(text), style.width - _MARGIN)):
        yield f"{style.margin(mark if number == 0 else None)}{line}"
