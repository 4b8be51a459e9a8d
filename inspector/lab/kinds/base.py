"""What every question has, whatever its kind."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec import Meta, Struct

from inspector.lab.grading import Visibility, by_key
from inspector.lab.needs import Needs
from inspector.lab.table import Answer, BadAnswer, Row, Truth, Unread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inspector.lab.evidence import Evidence
    from inspector.lab.table import Column, Value
    from inspector.lab.variant import Variant

# Of Python's $ alone a line end may follow; in other languages' it cannot, and the rest changes nothing.
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]*$(?!\n)", max_length=40)]
Text = Annotated[str, Meta(min_length=1, max_length=4000)]

MOST_ROWS = 1000
"""Rows of an answer that are read; no truth has as many."""


class Hint(Struct, frozen=True, forbid_unknown_fields=True):
    """A hint, shown by `inspector lab check` after so many wrong answers to the question."""

    after: Annotated[int, Meta(ge=0, le=100)]
    text: Text


class Question(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What is common to all kinds: `needs` are questions that must be right before this one counts."""

    id: Name
    ask: Text
    points: Annotated[int, Meta(ge=1, le=1000)]
    needs: tuple[Name, ...] = ()
    hints: tuple[Hint, ...] = ()
    visibility: Visibility = "visible"
    why: Annotated[str, Meta(description="the reason for the answer, shown once it is graded")] = ""

    atomic: ClassVar[bool] = False
    """Whether a row with a wrong cell earns nothing."""
    matching = staticmethod(by_key)

    @property
    def evidence(self) -> Needs:
        """What it must be told."""
        return Needs.NOTHING

    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """Return its table's columns."""

    def listed(self) -> tuple[str, ...]:
        """Return the rows that its own options name."""
        return ()

    def keys(self, variant: Variant) -> tuple[str, ...]:
        """Return the rows that the sheet lists; none: the student writes the rows, a line for each."""
        del variant
        return ()

    @abstractmethod
    def truth(self, variant: Variant, evidence: Evidence) -> Truth:
        """Return what the machine says. Raises NotTold."""

    def line(self, text: str) -> tuple[Value | None, ...]:
        """Return the cells of a line that the student wrote. Raises BadAnswer."""
        (column,) = self.columns()
        return (column.read(text),)

    def form(self) -> str:
        """Return in a line how an answer is written."""
        return ""

    def given(self, variant: Variant) -> str:
        """Return the numbers of this variant that the question is about, for the README; may be empty."""
        del variant
        return ""

    def read_keyed(self, written: Mapping[str, str]) -> Answer:
        """Return the answer that words under keys are; blank words are no answer."""
        rows: list[Row] = []
        unread: list[Unread] = []
        for key, text in list(written.items())[:MOST_ROWS]:
            if not text.strip():
                continue
            try:
                rows.append(Row(key, self.line(text)))
            except BadAnswer as error:
                unread.append(Unread(key, text, str(error)))
        return Answer(tuple(rows), tuple(unread))

    def read_lines(self, text: str) -> Answer:
        """Return the answer that lines are; blank ones and what follows # do not count."""
        lines = [line.partition("#")[0].strip() for line in text.splitlines()]
        rows: list[Row] = []
        unread: list[Unread] = []
        for number, line in enumerate([line for line in lines if line][:MOST_ROWS], 1):
            try:
                rows.append(Row(f"line {number}", self.line(line)))
            except BadAnswer as error:
                unread.append(Unread(f"line {number}", line, str(error)))
        return Answer(tuple(rows), tuple(unread))
