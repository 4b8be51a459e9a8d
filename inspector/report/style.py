"""What a terminal can show: its width, its signs and its colours."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from inspector.report.areas import KIND_WORDS
from inspector.report.document import Mark
from inspector.report.text import ELLIPSIS, printable, wrapped
from inspector.view.areas import AreaKind
from inspector.view.pages import Cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inspector.report.document import Sign

MARGIN = 3
"""Columns in front of every line but a title; a line's mark stands there."""
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
PLAIN, BOLD, FAINT, _RED, _GREEN, _YELLOW, _BLUE, _MAGENTA, _CYAN = 0, 1, 2, 31, 32, 33, 34, 35, 36
_COLOURS = {
    Mark.GOOD: _GREEN,
    Mark.BAD: _RED,
    Mark.INSTEAD: _RED,
    Mark.EXPLAINED: _YELLOW,
    Mark.UNKNOWN: _YELLOW,
    Mark.UNJUDGED: FAINT,
}

_KIND_COLOURS = {
    AreaKind.CODE: _CYAN,
    AreaKind.DATA: _MAGENTA,
    AreaKind.HEAP: _BLUE,
    AreaKind.STACK: _YELLOW,
    AreaKind.VDSO: FAINT,
    AreaKind.NO_ACCESS: FAINT,
}
"""Close to those of pwndbg's and gef's maps, which readers know; but red and green are for the marks. What is
not here has the terminal's own colour."""
_CELLS = {
    Cell.ABSENT: (".", FAINT),
    Cell.FILE: ("f", _CYAN),
    Cell.ANONYMOUS: ("a", _MAGENTA),
    Cell.ZERO: ("z", _BLUE),
    Cell.SPECIAL: ("k", _CYAN),
    Cell.UNKNOWN: ("u", _YELLOW),
    Cell.PREDICTED_ONLY: ("-", _RED),
    Cell.OBSERVED_ONLY: ("+", _RED),
    Cell.OTHER_KIND: ("*", _RED),
}
"""Each page's letter and colour; a difference's sign is that of a unified diff."""


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
        return " " * MARGIN if mark is None else self.sign(mark) + " " * (MARGIN - self.sign_width(mark))

    def paint(self, text: str, colour: int) -> str:
        """Return `text` in a colour, if that is allowed."""
        return f"\x1b[{colour}m{text}\x1b[0m" if self.colour and text and colour != PLAIN else text

    def kind_colour(self, kind: AreaKind) -> int:
        """Return the colour of what is about an area of that kind."""
        return _KIND_COLOURS.get(kind, PLAIN)

    def cells(self, cells: Iterable[Cell]) -> str:
        """Return pages as letters, each run of a kind in its colour."""
        runs = ((_CELLS[cell], len(list(run))) for cell, run in groupby(cells))
        return "".join(self.paint(letter * count, colour) for (letter, colour), count in runs)

    def legend_sign(self, sign: Sign) -> tuple[str, int]:
        """Return a sign as a legend shows it, and how many columns it takes."""
        match sign:
            case Mark():
                return self.sign(sign), self.sign_width(sign)
            case Cell():
                return self.cells((sign,)), 1
        word = KIND_WORDS[sign]
        return f"{self.paint(word, self.kind_colour(sign))}:", len(word) + 1

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
            yield lead + self.paint(line, BOLD)
            lead = " " * indent
