"""How much of a process is shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Detail:
    """What the reader asked for beyond the ordinary."""

    verbose: bool = False
    """Everything: long tables whole, the auxiliary vector, every column of an area."""
    gaps: bool = False
    """The addresses between the areas, too."""
    pages: bool = False
    """The page grid of every area, however long it is."""


ORDINARY = Detail()
