"""The page that leads to those of several programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.report.html.environment import render
from inspector.report.summary import MARKS_OF_STANDINGS, total_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.report.summary import Line


@dataclass(frozen=True, slots=True)
class Entry:
    """A program in the index."""

    line: Line
    file: str
    """The name of its page, beside the index. Empty: it has none."""


def index_page(entries: Sequence[Entry]) -> bytes:
    """Return the index of `entries`, in their order."""
    rows = [(entry, MARKS_OF_STANDINGS[entry.line.standing]) for entry in entries]
    total = total_text([entry.line.standing for entry in entries])
    return render("index.html", scripts=False, rows=rows, total=total)
