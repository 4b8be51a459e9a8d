"""An address's way through the page tables, and what a fault writes there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.language import N_
from inspector.model.address import vpn_of
from inspector.model.fault import FaultKind
from inspector.model.vma import Access, Sharing
from inspector.simulators.pagetable import GEOMETRIES, split

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inspector.model.fault import Fault
    from inspector.model.profile import PageTableGeometry

Table = tuple[int, int]
"""A table below the top one: its depth (1 is the one below the top), and the addresses it maps, shifted right
by the bits that it and the levels below decide."""

_READ_ONLY_KINDS = (FaultKind.ZERO_PAGE, FaultKind.FILE_READ, FaultKind.DISK_READ)
_NX_ENTRY_BYTES = 8
"""An entry of 4 bytes has no bit 63 to forbid execution by."""


@dataclass(frozen=True, slots=True)
class TableStep:
    """One level on the way to a page."""

    level: str
    """What the level is called: `PGD`, `PTE`."""
    index: int
    bits: int
    """Of the address, that the index is made of."""

    def __str__(self) -> str:
        """Render as `PTE[72]`."""
        return f"{self.level}[{self.index}]"


@dataclass(frozen=True, slots=True)
class TableEntry:
    """What the last level's entry says once a fault is answered."""

    writable: bool
    no_execute: bool

    @property
    def words(self) -> tuple[str, ...]:
        """As the kernel prints them: `present`, `user`, then `writable` or `read-only`, `no-execute`."""
        may = N_("writable") if self.writable else N_("read-only")
        return (N_("present"), N_("user"), may, *((N_("no-execute"),) if self.no_execute else ()))


def level_names(geometry: PageTableGeometry) -> tuple[str, ...]:
    """Return what the levels of a page table are called, from the top."""
    for known, names in GEOMETRIES.values():
        if known.index_bits == geometry.index_bits:
            return names
    return tuple(f"level {number}" for number in range(len(geometry.index_bits), 0, -1))


def way_to(address: int, geometry: PageTableGeometry) -> tuple[TableStep, ...]:
    """Return the way to the page of `address`, from the top. Raises UsageError for one out of reach."""
    indices = split(address, geometry).indices
    return tuple(map(TableStep, level_names(geometry), indices, geometry.index_bits))


def entry_of(fault: Fault, geometry: PageTableGeometry) -> TableEntry | None:
    """Return the entry that a predicted fault leaves; None where it maps nothing, or its kind is not known.

    A page that is not the process's own may not be written yet, whatever the area allows
    (mm/memory.c:do_read_fault(), wp_page_copy()).
    """
    if fault.kind in (None, FaultKind.REFUSED) or fault.area is None:
        return None
    shared = fault.area.sharing is Sharing.SHARED
    writable = Access.WRITE in fault.area.access and (shared or fault.kind not in _READ_ONLY_KINDS)
    no_execute = geometry.entry_bytes == _NX_ENTRY_BYTES and Access.EXECUTE not in fault.area.access
    return TableEntry(writable, no_execute)


def tables_of(geometry: PageTableGeometry, vpn: int) -> frozenset[Table]:
    """Return the tables below the top one that lead to a page."""
    found, shift = set(), 0
    for depth in range(len(geometry.index_bits) - 1, 0, -1):
        shift += geometry.index_bits[depth]
        found.add((depth, vpn >> shift))
    return frozenset(found)


def tables_for(geometry: PageTableGeometry, vpns: Iterable[int]) -> frozenset[Table]:
    """Return the tables below the top one that lead to any of some pages."""
    return frozenset(table for vpn in vpns for table in tables_of(geometry, vpn))


def new_tables(fault: Fault, geometry: PageTableGeometry, there: Iterable[Table]) -> tuple[str, ...]:
    """Return the levels at which the fault needs a table that is not `there` yet, from the top."""
    names = level_names(geometry)
    return tuple(names[depth] for depth, _ in sorted(tables_of(geometry, vpn_of(fault.page)) - set(there)))
