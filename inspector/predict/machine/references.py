"""Which pages a program refers to, one after the other: the reference string that page replacement is about.

A reference is a change of page in what the processor does, instruction by instruction: the page or pages it
is fetched from, then those where it reads and writes, in the order in which the simulated processor does. The
kernel's own accesses to the program's memory count as the program's. Equal neighbours are one reference.

    rep movsb       fetched once, and then one reading and one writing for each byte
    page fault      the instruction is tried again, and has not done before what it had begun
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_REFERENCES = 2_000_000
"""A replay keeps a step of some 150 bytes for each."""
_ADDRESSES = 0xFFFF_FFFF


class PageReferences:
    """The references of one program so far."""

    def __init__(self, most: int = MOST_REFERENCES) -> None:
        """Begin with none; where there would be more than `most`, the prediction ends."""
        self.most = most
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self.is_on = True
        """Whether what the processor does is the program's."""
        self.instructions = 0
        self.accesses = 0
        """Readings and writings, the kernel's not counted."""
        self._pages = array("Q")
        self._last = -1
        self._ip = -1
        self._begun = 0, 0
        """Pages and accesses when the instruction, or its present repetition, began."""

    @property
    def pages(self) -> Sequence[int]:
        """Page numbers, no two neighbours equal."""
        return self._pages

    def fetch(self, address: int, size: int) -> None:
        """Note that an instruction begins, or begins once more to repeat itself."""
        if not self.is_on:
            return
        if address != self._ip:
            self._ip = address
            self.instructions += 1
            self._touch(address >> PAGE_SHIFT)
            if address % PAGE_SIZE + size > PAGE_SIZE:
                self._touch((address + size - 1 & _ADDRESSES) >> PAGE_SHIFT)
        self._begun = len(self._pages), self.accesses

    def access(self, page: int, next_page: int | None = None) -> None:
        """Note that the instruction reads or writes there, and in the next page if it reaches that far."""
        if self.is_on:
            self.accesses += 1
            self._touch(page)
            if next_page is not None:
                self._touch(next_page)

    def access_by_kernel(self, page: int) -> None:
        """Note that the kernel reads or writes there for the program."""
        self._touch(page)

    def undo(self) -> None:
        """Forget the accesses of an instruction that has faulted: it has done nothing yet."""
        if self.is_on:
            pages, self.accesses = self._begun
            del self._pages[pages:]
            self._last = self._pages[-1] if self._pages else -1

    def _touch(self, page: int) -> None:
        if page != self._last:
            if len(self._pages) >= self.most:
                raise NotModelled(f"a string of more than {self.most} references")
            self._pages.append(page)
            self._last = page
