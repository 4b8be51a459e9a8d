"""One address through every view: file, address space, pages, page tables, faults, and who may touch it.

`find.py` looks it up in what both wings know, `tell.py` and `nothing.py` put it into words, `document.py`
into JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspector.elf.header import ProgramHeader
    from inspector.elf.sections import Section
    from inspector.elf.symbol_index import Symbol
    from inspector.model.address import VirtAddr
    from inspector.model.fault import Fault
    from inspector.model.page import PageState
    from inspector.model.vma import Vma
    from inspector.view.tables import TableEntry, TableStep


@dataclass(frozen=True, slots=True)
class FilePlace:
    """Where an address lies in the file that it comes from."""

    path: str
    address: int
    """As the file has it, without the load bias."""
    symbol: Symbol | None
    section: Section | None
    segment: tuple[int, ProgramHeader] | None
    """The PT_LOAD, with its number among the program headers."""
    offset: int | None
    """In bytes from the start of the file. None: the file has no byte for it (.bss)."""
    is_program: bool
    """Whether it is the program's own file."""


@dataclass(frozen=True, slots=True)
class AtStop:
    """The area and the page of an address at one stop, on both sides."""

    checkpoint: str
    predicted_area: Vma | None
    observed_area: Vma | None
    predicted_page: PageState | None
    observed_page: PageState | None
    """None: the page is absent."""
    observed: bool
    """Whether the stop was observed at all."""
    areas_observed: bool
    pages_observed: bool


@dataclass(frozen=True, slots=True)
class NumberedFault:
    """A page fault and its number among the process's, from 1."""

    number: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is known of one address."""

    program: str
    """As the user named it."""
    asked: str
    address: VirtAddr
    place: FilePlace | None
    """None: it comes from no file."""
    stops: tuple[AtStop, ...]
    """In the order of the run."""
    area: Vma | None
    """The predicted area at the last stop that has one. None: it is in no area at any stop."""
    area_stop: str
    """The checkpoint of `area`; empty without one."""
    rules: tuple[str, ...]
    """Ids of the rules that made the area, or by which there is none."""
    below: Vma | None
    above: Vma | None
    """The nearest areas at the last stop."""
    faults: tuple[NumberedFault, ...]
    """Those that the program took on the page itself."""
    mapped_by: NumberedFault | None
    """The fault that made the page resident, its own or one around it. None: no fault did, or not at all."""
    way: tuple[TableStep, ...]
    """Through the page tables."""
    entry: TableEntry | None
    """As the last fault that wrote it left it. None: no fault did."""
    stack_floor: VirtAddr | None
    """The lowest page that a touch would extend the stack down to. None: it is not below the stack."""
    stack_limit: int
    """Of the stack, in bytes (RLIMIT_STACK)."""
    unobserved: str | None
    """Why nothing was observed. None: it was."""
    not_modelled: str | None = None
    """What the prediction could not follow, so that it ends there. None: it goes to the end."""
    page_rule: str | None = None
    """Id of the rule by which pages may be resident otherwise than predicted. None: they may not."""

    @property
    def stack_may_grow(self) -> bool:
        """Whether a touch would extend the stack down to it."""
        return self.stack_floor is not None and self.address >= self.stack_floor


__all__ = ["AtStop", "Explanation", "FilePlace", "NumberedFault"]
