"""Questions about page faults: their order, which page comes first, and the one that ends the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from msgspec import Meta

from inspector.lab.evidence import faults_of
from inspector.lab.grading import by_order
from inspector.lab.kinds.base import MOST_ROWS, Question
from inspector.lab.needs import Needs, NotTold
from inspector.lab.table import (
    BadAnswer,
    Column,
    Row,
    Truth,
    one_of,
    quoted,
    read_address,
    read_number,
    show_hex,
    show_plain,
)
from inspector.model.address import page_down
from inspector.model.fault import FaultMode
from inspector.model.vma import Access

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.lab.evidence import Evidence
    from inspector.lab.table import Value
    from inspector.lab.variant import Variant
    from inspector.model.fault import Fault

_ACCESSES = {Access.READ: "read", Access.WRITE: "write", Access.EXECUTE: "execute"}
_LETTERS = {"r": "read", "w": "write", "x": "execute", "fetch": "execute"}
_WORDS_OF_A_LINE = 2


def read_page(text: str) -> Value:
    """Return the first address of the page that an address lies in. Raises BadAnswer."""
    return page_down(read_address(text))


def _read_access(text: str) -> Value:
    word = text.strip().lower()
    return one_of(*_ACCESSES.values())(_LETTERS.get(word, word))


PAGE = Column("page", read_page, show_hex)
ACCESS = Column("access", _read_access, show_plain)


class OfFaults(Question, frozen=True, kw_only=True):
    """A question that the order of page faults answers."""

    @property
    def evidence(self) -> Needs:
        """The faults."""
        return Needs.FAULTS

    def seen(self, variant: Variant, evidence: Evidence) -> tuple[Sequence[Fault], str | None, str]:
        """Return the faults of the program itself, what told of them, and the source. Raises NotTold."""
        contents = variant.files[variant.program or ""]
        observation, source = evidence.observe(contents, variant.arguments, self.evidence)
        return faults_of(observation), observation.fault_source, source


class FaultSequence(OfFaults, frozen=True, kw_only=True, tag="fault-sequence"):
    """Every page fault of user mode in order: a page and an access a line."""

    atomic: ClassVar[bool] = True
    matching = staticmethod(by_order)

    def columns(self) -> tuple[Column, ...]:
        """Return page and access."""
        return PAGE, ACCESS

    def line(self, text: str) -> tuple[Value | None, ...]:
        """Return the cells of `0x8049000 write`. Raises BadAnswer."""
        words = text.replace(",", " ").split()
        if len(words) != _WORDS_OF_A_LINE:
            raise BadAnswer(
                f"{quoted(text)} is not a fault", help="write a page and an access: 0x8049000 write"
            )
        return PAGE.read(words[0]), ACCESS.read(words[1])

    def form(self) -> str:
        """Return the form of a line."""
        return (
            "a line for each fault of user mode, in order: an address of the page, and read, write or execute"
        )

    def truth(self, variant: Variant, evidence: Evidence) -> Truth:
        """Return the sequence; where the machine does not tell the access, only the pages count."""
        faults, _, source = self.seen(variant, evidence)
        of_user = [fault for fault in faults if fault.mode is FaultMode.USER]
        if len(of_user) > MOST_ROWS:
            raise NotTold(f"{len(of_user)} page faults are more than an answer may have")
        rows = [
            Row(
                f"fault {number}",
                (fault.page, _ACCESSES.get(fault.access) if fault.access else None),
                self.why,
            )
            for number, fault in enumerate(of_user, 1)
        ]
        return Truth(tuple(rows), source)


class FirstFault(OfFaults, frozen=True, kw_only=True, tag="first-fault"):
    """Which of two pages, named by marks of the program, is the first to raise a page fault."""

    pages: tuple[str, str]

    def columns(self) -> tuple[Column, ...]:
        """Return the page."""
        return (
            Column("page", self._read, lambda value: value if isinstance(value, str) else show_hex(value)),
        )

    def _read(self, text: str) -> Value:
        return "neither" if text.strip().lower() == "neither" else read_page(text)

    def keys(self, variant: Variant) -> tuple[str, ...]:
        """There is one row."""
        del variant
        return ("first",)

    def given(self, variant: Variant) -> str:
        """Return the two pages."""
        first, second = (page_down(variant.marks[name]) for name in self.pages)
        return f"the pages {first:#x} and {second:#x}"

    def form(self) -> str:
        """Return what may be written."""
        return "the page's address, or neither"

    def truth(self, variant: Variant, evidence: Evidence) -> Truth:
        """Return the page of the first fault on either."""
        faults, _, source = self.seen(variant, evidence)
        pages = {page_down(variant.marks[name]) for name in self.pages}
        first = next(
            (fault.page for fault in faults if fault.page in pages and fault.mode is FaultMode.USER), None
        )
        return Truth((Row("first", ("neither" if first is None else first,), self.why),), source)


_SIGNALS = ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS", "none")
_SEGV_CODES = {"SEGV_MAPERR": 1, "SEGV_ACCERR": 2, "BUS_ADRALN": 1, "BUS_ADRERR": 2}
_PARTS = Literal["signal", "code", "address"]


def _read_ending(text: str) -> Value:
    word = text.strip().upper()
    if word in _SEGV_CODES:
        return _SEGV_CODES[word]
    if word.startswith("SIG") or word == "NONE":
        return one_of(*_SIGNALS)(word)
    return read_address(text) if word.startswith("0X") else read_number(text)


def _show_ending(value: Value) -> str:
    return (
        f"{value:#x}" if isinstance(value, int) and value > max(_SEGV_CODES.values()) else show_plain(value)
    )


class IllegalAccess(Question, frozen=True, kw_only=True, tag="illegal-access"):
    """The signal that ends the program, its si_code and the address in it (si_addr)."""

    parts: Annotated[tuple[_PARTS, ...], Meta(min_length=1)] = ("signal", "code", "address")

    @property
    def evidence(self) -> Needs:
        """si_code and address are read at the signal."""
        return Needs.STOPS

    def columns(self) -> tuple[Column, ...]:
        """Return a column that takes all three."""
        return (Column("value", _read_ending, _show_ending),)

    def listed(self) -> tuple[str, ...]:
        """Return the parts."""
        return self.parts

    def keys(self, variant: Variant) -> tuple[str, ...]:
        """Return the parts."""
        del variant
        return self.parts

    def form(self) -> str:
        """Return what may be written."""
        return "signal: SIGSEGV; code: 1 or SEGV_MAPERR; address: 0x..."

    def truth(self, variant: Variant, evidence: Evidence) -> Truth:
        """Return how the program ended. Raises NotTold."""
        contents = variant.files[variant.program or ""]
        observation, source = evidence.observe(contents, variant.arguments, self.evidence)
        ending = observation.ending
        if ending is None:
            raise NotTold("the program's end was not seen")
        told: dict[str, Value | None] = {
            "signal": ending.signal or "none",
            "code": ending.code,
            "address": ending.address,
        }
        return Truth(tuple(Row(part, (told[part],), self.why) for part in self.parts), source)
