"""The areas of an address space, in ascending order and never overlapping (mm_struct.mm_mt)."""

from __future__ import annotations

import bisect
import operator
from typing import TYPE_CHECKING

from inspector.model.address import AddressRange, VirtAddr
from inspector.model.vma import Access, Sharing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inspector.predict.kernel.vma import VmArea

_END = operator.attrgetter("range.end")


class Areas:
    """A list that is searched by address, and knows how much memory it holds without adding it up."""

    def __init__(self, areas: Iterable[VmArea] = ()) -> None:
        """Hold `areas`, which are in order."""
        self._list: list[VmArea] = []
        self.total_bytes = 0
        """Of all areas (mm->total_vm)."""
        self.data_bytes = 0
        """Of those that are private, writable and no stack (mm->data_vm)."""
        self.changes = 0
        """How often areas have been replaced: while it is the same, so are they."""
        self.replace(0, 0, *areas)

    def __iter__(self) -> Iterator[VmArea]:
        return iter(self._list)

    def __len__(self) -> int:
        return len(self._list)

    def at(self, index: int) -> VmArea | None:
        """Return the area of that number, from 0, if there is one."""
        return self._list[index] if 0 <= index < len(self._list) else None

    def first_above(self, address: int) -> int:
        """Return the index of the lowest area that ends above `address`. Source: mm/mmap.c:find_vma()."""
        return bisect.bisect_right(self._list, address, key=_END)

    def find_above(self, address: int) -> VmArea | None:
        """Return the lowest area that ends above `address`, if any. Source: mm/mmap.c:find_vma()."""
        return self.at(self.first_above(address))

    def find(self, address: int) -> VmArea | None:
        """Return the area that holds `address`, if any."""
        index = bisect.bisect_right(self._list, address, key=_END)
        if index == len(self._list):
            return None
        area = self._list[index]
        return area if area.range.start <= address else None

    def mapped(self, part: AddressRange) -> Iterator[tuple[VmArea, int]]:
        """Yield each area that reaches into `part`, and how many bytes of it lie there."""
        for index in range(self.first_above(part.start), len(self._list)):
            area = self._list[index]
            if area.start >= part.end:
                return
            yield area, min(area.end, part.end) - max(area.start, part.start)

    def replace(self, first: int, last: int, *areas: VmArea) -> None:
        """Put `areas` in the place of those from index `first` up to, but not, `last`."""
        for sign, changed in ((-1, self._list[first:last]), (1, areas)):
            for area in changed:
                self.total_bytes += sign * area.range.size_bytes
                if is_data_mapping(area):
                    self.data_bytes += sign * area.range.size_bytes
        self._list[first:last] = areas
        self.changes += 1

    def gaps(self, low: int, high: int) -> Iterator[tuple[int, int, VmArea | None]]:
        """Yield what is free between `low` and `high`, upward: start, end and the area above."""
        for index in range(self.first_above(low), len(self._list) + 1):
            below, above = self.at(index - 1), self.at(index)
            start = max(low, below.end) if below is not None else low
            end = min(high, above.start) if above is not None else high
            if start < end:
                yield start, end, above

    def room_around(self, index: int) -> AddressRange:
        """Return what lies between the areas `index - 1` and `index`."""
        below, above = self.at(index - 1), self.at(index)
        return AddressRange(
            below.end if below is not None else VirtAddr(0),
            above.start if above is not None else VirtAddr(1 << 47),
        )


def is_data_mapping(area: VmArea) -> bool:
    """Whether the limit of data is about `area`. Source: mm/vma.h:is_data_mapping()."""
    return Access.WRITE in area.access and area.sharing is Sharing.PRIVATE and not area.grows_down
