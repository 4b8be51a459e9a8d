"""The page cache: file pages in memory, one frame each, shared by all who map or read them (mm/filemap.c).

A staged program lies on a tmpfs, whose pages are always in memory; files on a disk have been read in before.
So a page inside the file is found, and no fault waits for a disk, until the program has pages dropped
(fadvise.py) or reclaimed (reclaim.py); in the files that programs make in memory (shmem.py) it is found once
it was touched. What the machine alone decides is which pages it keeps together in large folios: that the
prediction is told. What read-ahead brings back, and when, it cannot know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.elf.file import ExecutableFile
from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE
from inspector.model.folio import UNSEEN, FileFolios, told_of
from inspector.predict.kernel.shmem import ShmemFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from inspector.model.address import Pfn
    from inspector.model.folio import FolioLayout
    from inspector.predict.kernel.vma import MappedFile
    from inspector.predict.machine.memory import PhysicalMemory


_Inode = tuple[tuple[int, int], int]


def _inode(file: MappedFile) -> _Inode:
    return file.device, file.inode


class PageCache:
    """Frames of file pages. The cache itself is one user of each, so none is freed while it lasts."""

    def __init__(
        self,
        memory: PhysicalMemory,
        layout: FolioLayout | None = None,
        assume: Callable[[str, str], None] = lambda *_: None,
        is_alone: Callable[[], bool] = lambda: True,
    ) -> None:
        """Start empty. `layout` tells of large folios, and `assume` is told what it said.

        `is_alone` says whether there has been one process only.
        """
        self._memory = memory
        self._layout = layout
        self._assume = assume
        self._is_alone = is_alone
        self._frames: dict[_Inode, dict[int, Pfn]] = {}
        self._folios: dict[_Inode, FileFolios] = {}
        self._gone: dict[_Inode, set[int]] = {}
        """The pages that have been dropped, and not read again."""
        self._read_ahead: set[_Inode] = set()
        """The files of which some of those may be back."""

    def has(self, file: MappedFile, index: int) -> bool:
        """Whether the file's page `index`, which lies inside it, is in memory. Raises NotModelled."""
        if isinstance(file, ShmemFile):
            return file.find(index) is not None
        if index not in self._gone.get(_inode(file), ()):
            return True
        self._refuse_company(file)
        if _inode(file) in self._read_ahead:
            raise NotModelled(f"which pages of {file.path} read-ahead has brought in")
        return False

    def lies_on_disk(self, file: MappedFile) -> bool:
        """Whether pages of a host's file can be dropped and read again.

        Source: mm/fadvise.c:generic_fadvise(), noop_backing_dev_info.
        """
        contents = file.contents
        in_memory = contents.lies_in_memory if isinstance(contents, ExecutableFile) else None
        if in_memory is None:
            self._assume(f"file system of {file.path}", "on a disk: what lies below is not to be seen")
        elif in_memory:
            self._assume(
                f"page cache of {file.path}", "a tmpfs: every page stays, and none comes from a disk"
            )
        return not in_memory

    def drop(self, file: MappedFile, pages: Iterable[int]) -> None:
        """Forget pages of a file on a disk, which nothing maps; of a large folio, all or none.

        Raises NotModelled.
        """
        self._refuse_company(file)
        gone = self._gone.setdefault(_inode(file), set())
        frames = self._frames.get(_inode(file), {})
        for index in pages:
            gone.add(index)
            if index in frames:
                self._memory.release(frames.pop(index))
        self._folios[_inode(file)] = self.folios(file).without(gone)
        self._assume(f"page cache of {file.path}", "its pages are clean, and no other program uses them")

    def _refuse_company(self, file: MappedFile) -> None:
        """Refuse what depends on which of several processes comes first."""
        if not self._is_alone():
            raise NotModelled(f"several processes, when pages of {file.path} have been dropped")

    def read_in(self, file: MappedFile, index: int) -> None:
        """Read one page that was dropped, by itself."""
        self._gone[_inode(file)].discard(index)

    def read_ahead(self, file: MappedFile, pages: Iterable[int]) -> None:
        """Note that `pages` were read as files are, with others behind them that no one knows of."""
        if not self._gone.get(_inode(file), set()).isdisjoint(pages):
            self._read_ahead.add(_inode(file))

    def find_frame(self, file: MappedFile, index: int) -> Pfn | None:
        """Return the frame of page `index` of a host's file, if anyone has used it."""
        return self._frames.get(_inode(file), {}).get(index)

    def frame(self, file: MappedFile, index: int) -> Pfn:
        """Return the frame of the file's page `index`, which lies inside it; zero beyond the file's end."""
        if isinstance(file, ShmemFile):
            return file.get(index)
        frames = self._frames.setdefault(_inode(file), {})
        found = frames.get(index)
        if found is None:
            found = frames[index] = self._memory.allocate()
            self._memory.write(found, 0, file.contents.read(index << PAGE_SHIFT, PAGE_SIZE))
        return found

    def folios(self, file: MappedFile) -> FileFolios:
        """Return the large folios of `file`: none, where no one can tell."""
        if isinstance(file, ShmemFile):
            return FileFolios()
        key = _inode(file)
        found = self._folios.get(key)
        if found is None:
            told = self._layout(file.path) if self._layout is not None else FileFolios()
            if told is None:
                self._assume(UNSEEN, "none: /proc/kpageflags may not be read")
            elif told.large:
                self._assume(told_of(file.path), f"pages {told}")
            found = self._folios[key] = told or FileFolios()
        return found
