"""Addresses, page numbers and ranges of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from collections.abc import Iterator

VirtAddr = NewType("VirtAddr", int)
"""A virtual address, in bytes."""
Vpn = NewType("Vpn", int)
"""A virtual page number: a virtual address shifted right by PAGE_SHIFT."""
Pfn = NewType("Pfn", int)
"""A physical page frame number."""
FileOffset = NewType("FileOffset", int)
"""A position in a file, in bytes."""

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT
"""Bytes in a page; every i386 and x86-64 kernel has 4 KiB base pages."""


def page_down(address: int) -> VirtAddr:
    """Return the start of the page that holds `address` (PAGE_ALIGN_DOWN)."""
    return VirtAddr(address & -PAGE_SIZE)


def page_up(address: int) -> VirtAddr:
    """Return `address`, or the start of the next page if it is inside one (PAGE_ALIGN)."""
    return VirtAddr((address + PAGE_SIZE - 1) & -PAGE_SIZE)


def vpn_of(address: int) -> Vpn:
    """Return the number of the page that holds `address`."""
    return Vpn(address >> PAGE_SHIFT)


def address_of(vpn: int) -> VirtAddr:
    """Return the first address of page `vpn`."""
    return VirtAddr(vpn << PAGE_SHIFT)


_HEXADECIMAL = re.compile(r"(?:0[xX])?(?P<digits>[0-9a-fA-F]+)", re.ASCII)
_DECIMAL = re.compile(r"[1-9][0-9]*", re.ASCII)
_DIGITS_IN_MAPS = 8
_MOST_DIGITS = 20
"""As many as the largest number of 64 bits takes; a longer text is no address anyone wrote down."""


def written_address(text: str) -> int | None:
    """Return the number that a person wrote for an address; None if it is none.

    Hexadecimal are 0x8049000, and what looks as /proc/PID/maps prints it (`%08lx`): 08049000, f7ffc000, so a
    leading 0 or eight digits. All else is decimal.
    """
    found = _HEXADECIMAL.fullmatch(text)
    if found is None or len(found["digits"]) > _MOST_DIGITS:
        return None
    if text.startswith("0") or len(text) == _DIGITS_IN_MAPS:
        return int(found["digits"], 16)
    return int(text) if _DECIMAL.fullmatch(text) else None


@dataclass(frozen=True, slots=True, order=True)
class AddressRange:
    """The addresses from `start` up to, not including, `end`."""

    start: VirtAddr
    end: VirtAddr

    def __post_init__(self) -> None:
        """Invariant: 0 <= start <= end."""
        if not 0 <= self.start <= self.end:
            raise ValueError(f"not an address range: {self.start:#x}-{self.end:#x}")

    def __contains__(self, address: int) -> bool:
        return self.start <= address < self.end

    def __str__(self) -> str:
        return f"{self.start:#x}-{self.end:#x}"

    @property
    def size_bytes(self) -> int:
        """Length in bytes."""
        return self.end - self.start

    def overlaps(self, other: AddressRange) -> bool:
        """Whether the two have an address in common."""
        return self.start < other.end and other.start < self.end

    def vpns(self) -> Iterator[Vpn]:
        """Yield the number of every page the range touches, in order."""
        return map(Vpn, range(self.start >> PAGE_SHIFT, -(-self.end >> PAGE_SHIFT)))
