"""The stretches of user memory that one read or write moves its bytes through (lib/iov_iter.c).

A move ends at the first byte that cannot be touched; what lies before it has been moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, Vpn
from inspector.model.vma import Access
from inspector.predict.kernel.errno import KernelError
from inspector.predict.kernel.uaccess import touch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.predict.kernel.task import Task

LARGEST_TRANSFER = 0x7FFF_F000
"""Bytes that one call moves at most (MAX_RW_COUNT)."""


@dataclass(slots=True)
class IovIter:
    """Segments of user memory, (address, size in bytes) each, of which the first bytes have been used up."""

    task: Task
    segments: list[tuple[int, int]]

    @property
    def count(self) -> int:
        """How many bytes are left."""
        return sum(size for _, size in self.segments)

    def truncate(self, size: int) -> None:
        """Leave at most `size` bytes. Source: include/linux/uio.h:iov_iter_truncate()."""
        kept = []
        for address, length in self.segments:
            kept.append((address, min(length, size)))
            size -= kept[-1][1]
        self.segments = kept

    def copy_to(self, data: bytes) -> int:
        """Store `data` and return how many bytes of it. Source: lib/iov_iter.c:_copy_to_iter()."""
        memory, done = self.task.mm.memory, 0
        for address, size in self._pages(len(data)):
            try:
                entry = touch(self.task, address, Access.WRITE)
            except KernelError:
                break
            memory.write(entry.frame, address % PAGE_SIZE, data[done : done + size])
            done += size
        self.advance(done)
        return done

    def copy_page_to(self, data: bytes) -> int:
        """Store `data`, which lies in one page of the kernel's; what fails in part is tried once more.

        Source: lib/iov_iter.c:copy_page_to_iter().
        """
        done = 0
        while copied := self.copy_to(data[done:]):
            done += copied
        return done

    def copy_page_from(self, size: int) -> bytes:
        """Return the next `size` bytes, at most a page, in the same way.

        Source: lib/iov_iter.c:copy_page_from_iter().
        """
        data = b""
        while piece := self.copy_from(size - len(data)):
            data += piece
        return data

    def copy_from(self, size: int) -> bytes:
        """Return the next `size` bytes, or those of them that can be read.

        Source: lib/iov_iter.c:_copy_from_iter().
        """
        memory, data = self.task.mm.memory, b""
        for address, length in self._pages(size):
            try:
                entry = touch(self.task, address, Access.READ)
            except KernelError:
                break
            data += memory.read(entry.frame, address % PAGE_SIZE, length)
        self.advance(len(data))
        return data

    def is_resident(self, size: int) -> bool:
        """Whether the next `size` bytes can be read without a fault."""
        tables = self.task.mm.page_tables
        entries = (tables.lookup(Vpn(address >> PAGE_SHIFT)) for address, _ in self._pages(size))
        return all(entry is not None and Access.READ in entry.access for entry in entries)

    def advance(self, size: int) -> None:
        """Use up `size` bytes. Source: lib/iov_iter.c:iov_iter_advance()."""
        while size:
            address, length = self.segments[0]
            used = min(size, length)
            self.segments[:1] = [(address + used, length - used)] if used < length else []
            size -= used

    def _pages(self, size: int) -> Iterator[tuple[int, int]]:
        """Cut the next `size` bytes at page boundaries: (address, size)."""
        for start, length in self.segments:
            address, end = start, start + min(length, size)
            size -= end - start
            while address < end:
                upto = min(end, (address & -PAGE_SIZE) + PAGE_SIZE)
                yield address, upto - address
                address = upto
