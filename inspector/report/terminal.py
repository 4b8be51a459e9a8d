"""A document as lines of text for a terminal; tables are laid out by tabulate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tabulate import tabulate

from inspector.report.document import Document, Facts, Mark, Paragraph, Table
from inspector.report.text import ELLIPSIS, display_width, printable, shortened, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.report.document import Block, Column, Section

_SIGNS = {
    Mark.GOOD: ("✓", "ok"),
    Mark.BAD: ("✗", "X"),
    Mark.INSTEAD: ("≠", "!="),
    Mark.EXPLAINED: ("≈", "~"),
    Mark.UNKNOWN: ("?", "?"),
    Mark.UNJUDGED: ("·", "-"),
}
"""Each mark's sign, and the one for a terminal that has only ASCII."""

# Select Graphic Rendition (ECMA-48): ESC [ number m
_BOLD, _FAINT, _RED, _GREEN, _YELLOW = 1, 2, 31, 32, 33
_COLOURS = {
    Mark.GOOD: _GREEN,
    Mark.BAD: _RED,
    Mark.INSTEAD: _RED,
    Mark.EXPLAINED: _YELLOW,
    Mark.UNKNOWN: _YELLOW,
    Mark.UNJUDGED: _FAINT,
}

_GAP = 2
"""Columns tabulate leaves between two columns of a table."""
_LEAST_FLEXIBLE = 14
"""A flexible text is not made shorter than this."""
_MARGIN = 3
"""Columns in front of every line but a title; a line's mark stands there."""


@dataclass(frozen=True, slots=True)
class Style:
    """What the terminal can show."""

    width: int = 80
    colour: bool = False
    unicode: bool = True

    def sign(self, mark: Mark | None) -> str:
        """Return the sign of `mark`, coloured if that is allowed; nothing for None."""
        if mark is None:
            return ""
        return self.paint(self._plain(mark), _COLOURS[mark])

    def _plain(self, mark: Mark) -> str:
        return _SIGNS[mark][0 if self.unicode else 1]

    def sign_width(self, mark: Mark) -> int:
        """Return how many columns the sign of `mark` takes."""
        return len(self._plain(mark))

    def margin(self, mark: Mark | None) -> str:
        """Return the margin of a line: its sign, filled up with blanks."""
        return " " * _MARGIN if mark is None else self.sign(mark) + " " * (_MARGIN - self.sign_width(mark))

    def paint(self, text: str, colour: int) -> str:
        """Return `text` in a colour, if that is allowed."""
        return f"\x1b[{colour}m{text}\x1b[0m" if self.colour and text else text

    @property
    def ellipsis(self) -> str:
        """What stands for a text's missing middle."""
        return ELLIPSIS if self.unicode else "..."

    def clean(self, text: str) -> str:
        """Return `text` without anything this terminal cannot show or would act on."""
        text = printable(text)
        if self.unicode:
            return text
        return text.replace(ELLIPSIS, self.ellipsis).encode("ascii", "backslashreplace").decode("ascii")

    def headed(self, mark: Mark | None, title: str) -> Iterator[str]:
        """Yield the lines of a title, its mark in front."""
        lead = "" if mark is None else f"{self.sign(mark)} "
        indent = 0 if mark is None else self.sign_width(mark) + 1
        for line in wrapped(self.clean(title), self.width - indent):
            yield lead + self.paint(line, _BOLD)
            lead = " " * indent


def render(document: Document, style: Style) -> Iterator[str]:
    """Yield the lines of `document`, none of them ending in a newline."""
    yield from style.headed(document.mark, document.title)
    for section in document.sections:
        if section.title:
            yield ""
        yield from _section(section, style)
    yield from _legend(document, style)


def _legend(document: Document, style: Style) -> Iterator[str]:
    present = document.marks()
    lines, line, used = [], "", 0
    for mark, meaning in document.legend:
        if mark not in present:
            continue
        item = f"{style.sign(mark)} {style.clean(meaning)}"
        width = style.sign_width(mark) + 1 + display_width(meaning)
        if used and used + 3 + width > style.width:
            lines.append(line)
            line, used = "", 0
        line, used = (f"{line}   {item}", used + 3 + width) if used else (item, width)
    if line:
        yield ""
        yield from (*lines, line)


def _section(section: Section, style: Style) -> Iterator[str]:
    if section.title:
        yield from style.headed(section.mark, section.title)
    for block in section.blocks:
        yield from _block(block, style)


def _block(block: Block, style: Style) -> Iterator[str]:
    match block:
        case Table():
            yield from _table(block, style)
        case Facts():
            yield from _facts(block, style)
        case Paragraph(text=text, mark=mark):
            yield from _hanging(mark, style.clean(text), style)


def _hanging(mark: Mark | None, text: str, style: Style) -> Iterator[str]:
    """Yield a paragraph behind a margin, in which its mark stands."""
    for number, line in enumerate(wrapped(text, style.width - _MARGIN)):
        yield f"{style.margin(mark if number == 0 else None)}{line}".rstrip()


def _facts(facts: Facts, style: Style) -> Iterator[str]:
    label_width = max((display_width(fact.label) for fact in facts.facts), default=0)
    room = max(style.width - _MARGIN - label_width - _GAP, _LEAST_FLEXIBLE)
    for fact in facts.facts:
        first, *rest = wrapped(style.clean(fact.value), room)
        yield f"{style.margin(fact.mark)}{fact.label:{label_width}}{' ' * _GAP}{first}".rstrip()
        yield from (" " * (_MARGIN + label_width + _GAP) + line for line in rest)


def _table(table: Table, style: Style) -> Iterator[str]:
    cells = [[style.clean(cell) for cell in row.cells] for row in table.rows]
    columns, cells = _fitted(table.columns, cells, style.width - _MARGIN, style)
    # The titles go in as a row: as headers, tabulate would pad them beyond the room there is.
    text = tabulate(
        [[column.title for column in columns], *cells],
        tablefmt="plain",
        disable_numparse=True,
        colalign=["right" if column.right else "left" for column in columns],
    )
    head, *lines = text.splitlines()
    if head.strip():
        yield style.margin(None) + style.paint(head.rstrip(), _FAINT)
    for row, line in zip(table.rows, lines, strict=True):
        yield f"{style.margin(row.mark)}{line}".rstrip()


def _fitted(
    columns: Sequence[Column], cells: list[list[str]], room: int, style: Style
) -> tuple[list[Column], list[list[str]]]:
    """Return the columns and cells that fit `room`: flexible texts shortened, optional columns left out."""
    kept = list(columns)
    while True:
        widths = [
            max(map(display_width, (column.title, *(row[index] for row in cells))))
            for index, column in enumerate(kept)
        ]
        excess = sum(widths) + _GAP * (len(kept) - 1) - room
        spare = sum(
            max(width - _LEAST_FLEXIBLE, 0)
            for width, column in zip(widths, kept, strict=True)
            if column.flexible
        )
        dropped = next((index for index in reversed(range(len(kept))) if kept[index].optional), None)
        if excess <= spare or dropped is None:
            break
        del kept[dropped]
        cells = [row[:dropped] + row[dropped + 1 :] for row in cells]
    for index, column in enumerate(kept):
        if column.flexible and excess > 0:
            width = max(widths[index] - excess, _LEAST_FLEXIBLE)
            excess -= widths[index] - width
            for row in cells:
                row[index] = shortened(row[index], width, style.ellipsis)
    return kept, cells
