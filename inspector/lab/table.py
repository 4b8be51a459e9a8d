"""Answers and truths as tables: rows under a key, cells under a column, each a canonical value.

    column   value in a cell                                       how it may be written
    address  int                                                   0x8048000, 134512640, 08048000
    count    int                                                   3, 0x3
    words    text without differences that do not count            "SIGSEGV", "sigsegv"

A cell of a truth that is None is not told by the evidence: it is left out of the marks. A cell of an answer
that is None was left blank.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.errors import InspectorError

if TYPE_CHECKING:
    from collections.abc import Callable

Value = int | str | tuple[int | str, ...]
"""What a cell holds; tuples are lists whose order counts."""

LONGEST_WORD = 200
_MAPS_DIGITS = 8
_LARGEST = 1 << 64


class BadAnswer(InspectorError):
    """An answer that cannot be read; the message says which words and why."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: how an answer's words become a value, and how a value is shown."""

    name: str
    read: Callable[[str], Value]
    """Raises BadAnswer."""
    show: Callable[[Value], str]


@dataclass(frozen=True, slots=True)
class Row:
    """One row; it has a cell for each column of its table."""

    key: str
    cells: tuple[Value | None, ...]
    why: str = ""
    """Of a truth: the reason, in a sentence."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A row of an answer that could not be read; it gets no marks, and the others are not lost for it."""

    key: str
    text: str
    problem: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a student wrote to one question."""

    rows: tuple[Row, ...] = ()
    unread: tuple[Unread, ...] = ()

    @property
    def is_blank(self) -> bool:
        """Whether nothing was written at all."""
        return not self.unread and all(cell is None for row in self.rows for cell in row.cells)


@dataclass(frozen=True, slots=True)
class Truth:
    """What the machine says to one question."""

    rows: tuple[Row, ...]
    source: str = ""
    """Where it comes from, in words: `this machine`."""


def quoted(text: str) -> str:
    """Return a student's words for a message: one line, and not without end."""
    short = text if len(text) <= LONGEST_WORD else f"{text[:LONGEST_WORD]}..."
    return repr(short)


def read_number(text: str) -> int:
    """Return the number in `text`: 0x and hexadecimal digits, or decimal ones. Raises BadAnswer."""
    word = text.strip().replace("_", "")
    if len(word) <= LONGEST_WORD:
        if re.fullmatch(r"0[xX][0-9a-fA-F]+", word, re.ASCII):
            number = int(word, 16)
        elif re.fullmatch(r"[0-9]+", word, re.ASCII):
            number = int(word)
        else:
            number = _LARGEST
        if number < _LARGEST:
            return number
    raise BadAnswer(f"{quoted(text)} is not a number", help="write 0x8048000, or 134512640")


def read_address(text: str) -> int:
    """Return the address in `text`; eight digits, or some with a letter, are hexadecimal. BadAnswer."""
    word = text.strip()
    bare = re.fullmatch(r"[0-9a-fA-F]{1,16}", word, re.ASCII)
    if bare and (len(word) == _MAPS_DIGITS or re.search(r"[a-fA-F]", word)):
        return int(word, 16)
    return read_number(text)


def read_name(text: str) -> str:
    """Return words in lower case with single blanks."""
    return " ".join(text.lower().split())


def show_hex(value: Value) -> str:
    """Show an address."""
    return f"{value:#x}" if isinstance(value, int) else str(value)


def show_plain(value: Value) -> str:
    """Show a number or words as they are; a list with blanks between."""
    return " ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)


def one_of(*words: str) -> Callable[[str], Value]:
    """Return a reader that takes these words only, in any case."""

    def read(text: str) -> Value:
        for word in words:
            if read_name(text) == word.lower():
                return word
        raise BadAnswer(f"{quoted(text)} is none of the answers", help=f"write one of {', '.join(words)}")

    return read


ADDRESS = Column("address", read_address, show_hex)
NUMBER = Column("number", read_number, show_plain)
