"""A report before any medium is chosen: sections of facts, tables and paragraphs, as plain data.

Texts stand here raw, as the kernel or the user gave them, whatever bytes they hold; making them fit to be
shown is up to the medium.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.view.areas import AreaKind
from inspector.view.pages import Cell

if TYPE_CHECKING:
    from inspector.view.pages import PageRun


class Mark(enum.Enum):
    """How a line of a report stands; each medium has its own sign for it."""

    GOOD = "good"
    BAD = "bad"
    INSTEAD = "instead"
    """The second line of a BAD or EXPLAINED one: what was there instead."""
    EXPLAINED = "explained"
    UNKNOWN = "unknown"
    """Could not be judged: neither good nor bad."""
    UNJUDGED = "unjudged"
    """Shown without a claim."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    right: bool = False
    """Aligned to the right."""
    flexible: bool = False
    """Its texts may be shortened in the middle where room is scarce."""
    optional: bool = False
    """It may be left out where even that does not make enough room; the last optional one goes first."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table; it has a cell for each of the table's columns."""

    cells: tuple[str, ...]
    mark: Mark | None = None
    kind: AreaKind | None = None
    """The kind of area that the row is about, for a medium that has colours."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under titles. The marks are a column of their own, which is there if any row has one."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        """Check that each row has as many cells as there are columns."""
        if any(len(row.cells) != len(self.columns) for row in self.rows):
            msg = f"a row does not have {len(self.columns)} cells"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Fact:
    """One labelled value."""

    label: str
    value: str
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Labelled values, one below the other."""

    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class GridArea:
    """All pages of one area."""

    label: str
    kind: AreaKind | None
    """None: the pages are in no area."""
    resident: str
    """How many are there, of how many."""
    runs: tuple[PageRun, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Pages as a picture, a cell each, an area below the other."""

    areas: tuple[GridArea, ...]


Block = Table | Facts | Paragraph | Grid
Sign = Mark | AreaKind | Cell
"""What a legend explains."""


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of a document; without a title, the part that opens it."""

    title: str
    blocks: tuple[Block, ...]
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report."""

    title: str
    sections: tuple[Section, ...]
    mark: Mark | None = None
    legend: tuple[tuple[Sign, str], ...] = ()
    """What each sign means here; a medium shows those that occur."""

    def signs(self) -> frozenset[Sign]:
        """Return every mark, kind of area and kind of page that occurs."""
        found: set[Sign | None] = {self.mark}
        for section in self.sections:
            found.add(section.mark)
            for block in section.blocks:
                match block:
                    case Table(rows=rows):
                        found.update(row.mark for row in rows)
                        found.update(row.kind for row in rows)
                    case Facts(facts=facts):
                        found.update(fact.mark for fact in facts)
                    case Paragraph(mark=mark):
                        found.add(mark)
                    case Grid(areas=areas):
                        found.update(area.kind for area in areas)
                        found.update(run.cell for area in areas for run in area.runs)
        return frozenset(sign for sign in found if sign is not None)
