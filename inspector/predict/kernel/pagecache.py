"""The page cache: file pages in memory, one frame each, shared by all who map or read them (mm/filemap.c).

A staged program lies on a tmpfs, whose pages are always in memory; files on a disk have been read in before.
So no fault waits for a disk, and a page inside the file is always found, except in the files that programs
make in memory (shmem.py): there it is found once it was touched. What the machine alone decides is which
pages it keeps together in large folios: that the prediction is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SHIFT, PAGE_SIZE
from inspector.model.folio import UNSEEN, FileFolios, told_of
from inspector.predict.kernel.shmem import ShmemFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.model.address import Pfn
    from inspector.model.folio import FolioLayout
    from inspector.predict.kernel.vma import MappedFile
    from inspector.predict.machine.memory import PhysicalMemory


class PageCache:
    """Frames of file pages. The cache itself is one user of each, so none is freed while it lasts."""

    def __init__(
        self,
        memory: PhysicalMemory,
        layout: FolioLayout | None = None,
        assume: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        """Start empty. `layout` tells of large folios, and `assume` is told what it said."""
        self._memory = memory
        self._layout = layout
        self._assume = assume
        self._frames: dict[tuple[tuple[int, int], int], dict[int, Pfn]] = {}
        self._folios: dict[tuple[tuple[int, int], int], FileFolios] = {}

    def has(self, file: MappedFile, index: int) -> bool:
        """Whether the file's page `index`, which lies inside it, is in memory."""
        return not isinstance(file, ShmemFile) or file.find(index) is not None

    def frame(self, file: MappedFile, index: int) -> Pfn:
        """Return the frame of the file's page `index`, which lies inside it; zero beyond the file's end."""
        if isinstance(file, ShmemFile):
            return file.get(index)
        frames = self._frames.setdefault((file.device, file.inode), {})
        found = frames.get(index)
        if found is None:
            found = frames[index] = self._memory.allocate()
            self._memory.write(found, 0, file.contents.read(index << PAGE_SHIFT, PAGE_SIZE))
        return found

    def folios(self, file: MappedFile) -> FileFolios:
        """Return the large folios of `file`: none, where no one can tell."""
        if isinstance(file, ShmemFile):
            return FileFolios()
        key = file.device, file.inode
        found = self._folios.get(key)
        if found is None:
            told = self._layout(file.path) if self._layout is not None else FileFolios()
            if told is None:
                self._assume(UNSEEN, "none: /proc/kpageflags may not be read")
            elif told.large:
                self._assume(told_of(file.path), f"pages {told}")
            found = self._folios[key] = told or FileFolios()
        return found
