"""Page tables of one to five levels: how each takes an address apart, and what its tables cost.

The shapes are data (`GEOMETRIES`), from the flat table of the textbooks to five levels. A table is as
large as all its entries together; a level's table exists if any page below it is mapped, and the top level's
always. So a flat table costs the same whatever is mapped, which is what the other levels are for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.errors import UsageError
from inspector.model.address import written_address
from inspector.model.profile import PageTableGeometry

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE_BITS = 12
_PAGE_BYTES = 1 << PAGE_BITS
_MOST_PAGES = 1 << 22
_LONGEST_WORD = 40

GEOMETRIES: dict[str, tuple[PageTableGeometry, tuple[str, ...]]] = {
    "flat": (PageTableGeometry("flat", (20,), 4), ("page table",)),
    "i386": (PageTableGeometry("i386", (10, 10), 4), ("PD", "PT")),
    "pae": (PageTableGeometry("pae", (2, 9, 9), 8), ("PDPT", "PD", "PT")),
    "x86-64": (PageTableGeometry("x86-64", (9, 9, 9, 9), 8), ("PGD", "PUD", "PMD", "PTE")),
    "x86-64-la57": (PageTableGeometry("x86-64-la57", (9,) * 5, 8), ("PGD", "P4D", "PUD", "PMD", "PTE")),
}
"""Each shape with what its levels are called, from the top."""


@dataclass(frozen=True, slots=True)
class SplitAddress:
    """A virtual address, taken apart."""

    address: int
    indices: tuple[int, ...]
    """Into each level's table, from the top."""
    offset: int
    """Into the page."""


@dataclass(frozen=True, slots=True)
class TableCost:
    """The tables that some mapped pages need."""

    geometry: PageTableGeometry
    tables: tuple[int, ...]
    """How many of each level, from the top."""

    @property
    def bytes(self) -> int:
        """The memory they take together."""
        sizes = (self.geometry.entry_bytes << bits for bits in self.geometry.index_bits)
        return sum(count * size for count, size in zip(self.tables, sizes, strict=True))


def geometry_named(name: str) -> PageTableGeometry:
    """Return one of GEOMETRIES. Raises UsageError."""
    if name not in GEOMETRIES:
        raise UsageError(f"there is no geometry {name!r}", help=f"choose one of {', '.join(GEOMETRIES)}")
    return GEOMETRIES[name][0]


def address_bits(geometry: PageTableGeometry) -> int:
    """Return how many bits of an address count."""
    return sum(geometry.index_bits) + PAGE_BITS


def split(address: int, geometry: PageTableGeometry) -> SplitAddress:
    """Take `address` apart. Raises UsageError for one beyond what the tables reach."""
    if not 0 <= address < 1 << address_bits(geometry):
        raise UsageError(
            f"address {address:#x} is out of range",
            help=f"{geometry.name} reaches {(1 << address_bits(geometry)) - 1:#x}",
        )
    page = address >> PAGE_BITS
    indices = []
    for bits in reversed(geometry.index_bits):
        indices.append(page & ((1 << bits) - 1))
        page >>= bits
    return SplitAddress(address, tuple(reversed(indices)), address & (_PAGE_BYTES - 1))


def cost(pages: Iterable[int], geometry: PageTableGeometry) -> TableCost:
    """Return the tables that `pages`, virtual page numbers, need. Raises UsageError for one out of reach."""
    mapped = set(pages)
    if mapped and not (min(mapped) >= 0 and max(mapped) < 1 << (address_bits(geometry) - PAGE_BITS)):
        beyond = next(page for page in mapped if not 0 <= page < 1 << (address_bits(geometry) - PAGE_BITS))
        raise UsageError(
            f"page {beyond:#x} is out of range",
            help=f"{_if_address(beyond, geometry)}{geometry.name} has "
            f"{1 << (address_bits(geometry) - PAGE_BITS)} pages; for others choose with --geometry",
        )
    counts = []
    for bits in reversed(geometry.index_bits):
        mapped = {page >> bits for page in mapped}
        counts.append(len(mapped))
    counts[-1] = 1  # the top level's is there before any page is
    return TableCost(geometry, tuple(reversed(counts)))


def _if_address(number: int, geometry: PageTableGeometry) -> str:
    """Return what is to be written if `number` is an address that the geometry has; else nothing."""
    if not 0 <= number < 1 << address_bits(geometry):
        return ""
    return f"of address {number:#x} the page is {number >> PAGE_BITS:#x}; "


def parse_pages(text: str) -> list[int]:
    """Return the virtual page numbers in `text`, numbers and ranges: `0x8048 0x8049-0x804c`.

    Raises UsageError.
    """
    words = re.split(r"[\s,]+", text.strip().strip(","))
    if words == [""]:
        raise UsageError(
            "the list of pages is empty", help='give page numbers, as in --mapped "0x8048 0xbffff"'
        )
    pages: list[int] = []
    for word in words:
        first, dash, last = word.partition("-") if not word.startswith("-") else (word, "", "")
        start = _number(first)
        end = _number(last) if dash else start
        if end < start:
            raise UsageError(f"the range {word} ends before it begins", help=f"write {last}-{first}")
        if end - start + len(pages) >= _MOST_PAGES:
            raise UsageError("too many pages", help=f"give at most {_MOST_PAGES}")
        pages.extend(range(start, end + 1))
    return pages


def parse_address(text: str) -> int:
    """Return the address in `text`, in hexadecimal or decimal (`written_address`). Raises UsageError."""
    number = written_address(text)
    return _number(text) if number is None else number


def _number(word: str) -> int:
    if not re.fullmatch(r"0[xX][0-9a-fA-F]+|[0-9]+", word, re.ASCII) or len(word) > _LONGEST_WORD:
        short = word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}..."
        raise UsageError(f"{short!r} is not a number here", help="write 0x8048000, or 134512640")
    return int(word, 16) if word[:2].lower() == "0x" else int(word)
