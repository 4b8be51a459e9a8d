"""Questions about resident pages, and about what page tables cost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from inspector.lab.evidence import snapshot_at, undisturbed
from inspector.lab.grading import by_value
from inspector.lab.kinds.areas import AtStop
from inspector.lab.kinds.base import MOST_ROWS, Question
from inspector.lab.needs import Needs, NotTold
from inspector.lab.table import (
    Answer,
    BadAnswer,
    Column,
    Row,
    Truth,
    Unread,
    quoted,
    read_address,
    read_number,
    show_hex,
    show_plain,
)
from inspector.model.address import PAGE_SIZE, page_down
from inspector.model.vma import Special
from inspector.simulators.pagetable import GEOMETRIES, cost, geometry_named

if TYPE_CHECKING:
    from inspector.lab.evidence import Evidence
    from inspector.lab.table import Value
    from inspector.lab.variant import Variant

_PRESENT = Column("page", read_address, show_hex)


class ResidentPages(AtStop, frozen=True, kw_only=True, tag="resident-pages"):
    """Which pages of the program's own memory are resident at a stop; a row for each of them."""

    matching = staticmethod(by_value)

    def columns(self) -> tuple[Column, ...]:
        """Return the page."""
        return (_PRESENT,)

    def form(self) -> str:
        """Return the form of a line."""
        return (
            "a line for each page or each range of pages: 0x8049000, or 0x8049000-0x804b000; "
            "the kernel's own areas ([vdso], [vvar]) are not asked for"
        )

    def read_lines(self, text: str) -> Answer:
        """Return a row for each page of each line."""
        rows: dict[int, Row] = {}
        unread: list[Unread] = []
        lines = [line.partition("#")[0].strip() for line in text.splitlines()]
        for line in [line for line in lines if line][:MOST_ROWS]:
            try:
                pages = _pages(line)
            except BadAnswer as error:
                unread.append(Unread(line, line, str(error)))
                continue
            rows |= {page: Row(f"{page:#x}", (page,)) for page in pages}
            if len(rows) > MOST_ROWS:
                break
        return Answer(tuple(rows.values()), tuple(unread))

    def truth(self, variant: Variant, evidence: Evidence) -> Truth:
        """Return the pages that are there, the kernel's own left out. Raises NotTold."""
        contents = variant.files[variant.program or ""]
        observation, source = evidence.observe(contents, variant.arguments, self.evidence)
        snapshot = snapshot_at(undisturbed(observation), self.stop)
        if snapshot.pages is None or snapshot.vmas is None:
            raise NotTold("the resident pages were not seen")
        special = [vma.range for vma in snapshot.vmas if isinstance(vma.backing, Special)]
        own = [page.address for page in snapshot.pages if not any(page.address in area for area in special)]
        if len(own) > MOST_ROWS:
            raise NotTold(f"{len(own)} resident pages are more than an answer may have")
        rows = (Row(f"page {number}", (page,), self.why) for number, page in enumerate(own, 1))
        return Truth(tuple(rows), source)


def _pages(line: str) -> range:
    """Return the pages of a line. Raises BadAnswer."""
    words = re.split(r"\s*-\s*", line)
    if len(words) == 1:
        first = page_down(read_address(line))
        return range(first, first + PAGE_SIZE, PAGE_SIZE)
    if len(words) > 2:  # noqa: PLR2004 - a range has two ends
        raise BadAnswer(f"{quoted(line)} is not a range of pages", help="write 0x8049000-0x804b000")
    start, end = page_down(read_address(words[0])), read_address(words[1])
    if not start < end <= start + MOST_ROWS * PAGE_SIZE:
        raise BadAnswer(f"{quoted(line)} is not a range of some pages", help="write 0x8049000-0x804b000")
    return range(start, end, PAGE_SIZE)


def read_bytes(text: str) -> Value:
    """Return a size in bytes: 8192, 0x2000 or 8 KiB. Raises BadAnswer."""
    found = re.fullmatch(r"\s*(\S+?)\s*(|b|bytes|k|kb|kib|m|mb|mib)\s*", text, re.IGNORECASE)
    if found is None or re.fullmatch(r"0x.*[bB]", found[1] + found[2]):
        return read_number(text)
    factor = {"k": 1 << 10, "m": 1 << 20}.get(found[2][:1].lower(), 1)
    return read_number(found[1]) * factor


_BYTES = Column("bytes", read_bytes, show_plain)


class PageTableCost(Question, frozen=True, kw_only=True, tag="page-table-cost"):
    """What page tables cost: of the book's geometries for some mapped pages, or of the process (VmPTE).

    `of` names geometries of `inspector pagetable`, or is empty: then it is the running kernel's own tables
    below the top one, at `stop`.
    """

    of: tuple[Literal["flat", "i386", "pae", "x86-64", "x86-64-la57"], ...] = ()
    processes: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    stop: Literal["exec", "main", "exit"] = "exec"

    @property
    def evidence(self) -> Needs:
        """The book's geometries need no machine."""
        if self.of:
            return Needs.NOTHING
        return Needs.EXEC if self.stop == "exec" else Needs.STOPS

    def columns(self) -> tuple[Column, ...]:
        """Return the size."""
        return (_BYTES,)

    def listed(self) -> tuple[str, ...]:
        """Return the geometries."""
        return self.of

    def keys(self, variant: Variant) -> tuple[str, ...]:
        """Return the geometries."""
        del variant
        return self.of or ("VmPTE",)

    def form(self) -> str:
        """Return what may be written."""
        return "a size in bytes: 8192, 0x2000 or 8 KiB"

    def given(self, variant: Variant) -> str:
        """Return the mapped pages."""
        if not self.of:
            return ""
        levels = "; ".join(f"{name}: {', '.join(GEOMETRIES[name][1])}" for name in self.of)
        return f"mapped pages (page numbers): {' '.join(f'{page:#x}' for page in variant.pages)}; {levels}"

    def truth(self, variant: Variant, evidence: Evidence) -> Truth:
        """Return the sizes. Raises NotTold."""
        if self.of:
            sizes = (
                (name, cost(variant.pages, geometry_named(name)).bytes * self.processes) for name in self.of
            )
            return Truth(tuple(Row(name, (size,), self.why) for name, size in sizes), "the simulator")
        contents = variant.files[variant.program or ""]
        observation, source = evidence.observe(contents, variant.arguments, self.evidence)
        size = snapshot_at(undisturbed(observation), self.stop).page_table_bytes
        return Truth((Row("VmPTE", (size,), self.why),), source)


__all__ = ["PageTableCost", "ResidentPages"]
