"""The page cache: file pages in memory, one frame each, shared by all who map or read them (mm/filemap.c).

A staged program lies on a tmpfs, whose pages are always in memory: no fault waits for a disk, and a page
inside the file is always found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SHIFT, PAGE_SIZE

if TYPE_CHECKING:
    from inspector.model.address import Pfn
    from inspector.predict.kernel.vma import MappedFile
    from inspector.predict.machine.memory import PhysicalMemory


class PageCache:
    """Frames of file pages. The cache itself is one user of each, so none is freed while it lasts."""

    def __init__(self, memory: PhysicalMemory) -> None:
        """Start empty."""
        self._memory = memory
        self._frames: dict[tuple[tuple[int, int], int], dict[int, Pfn]] = {}

    def frame(self, file: MappedFile, index: int) -> Pfn:
        """Return the frame of the file's page `index`, which lies inside it; zero beyond the file's end."""
        frames = self._frames.setdefault((file.device, file.inode), {})
        found = frames.get(index)
        if found is None:
            found = frames[index] = self._memory.allocate()
            self._memory.write(found, 0, file.contents.read(index << PAGE_SHIFT, PAGE_SIZE))
        return found
