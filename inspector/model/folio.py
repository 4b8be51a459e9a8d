"""Large folios: blocks of pages that the page cache keeps, and maps, as one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Container
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class FileFolios:
    """What of a file the page cache holds in large folios; all other pages are cached one by one."""

    large: tuple[range, ...] = ()
    """The page numbers of each, in ascending order."""
    in_memory: bool = False
    """Whether the file lies on a tmpfs, where a folio may reach beyond the file's end and be mapped whole."""
    mapped_whole: bool | None = None
    """Whether the kernel maps one whole of which a fault's window touches a part. None: not found out."""

    def around(self, index: int) -> range | None:
        """Return the large folio that holds page `index` of the file, if one does."""
        place = bisect_right(self.large, index, key=lambda folio: folio.start) - 1
        return self.large[place] if place >= 0 and index in self.large[place] else None

    def without(self, pages: Container[int]) -> FileFolios:
        """Return what is left of it when `pages` have been dropped, whole folios of them."""
        return replace(self, large=tuple(folio for folio in self.large if folio.start not in pages))

    def __str__(self) -> str:
        return ", ".join(f"{folio.start}-{folio.stop - 1}" for folio in self.large) or "none"


UNSEEN = "large folios"
"""The name of the assumption that there are none, where they cannot be seen."""


def told_of(path: str) -> str:
    """Return the name of the assumption that tells of the large folios of the file at `path`."""
    return f"{UNSEEN} of {path}"


FolioLayout = Callable[[str], FileFolios | None]
"""Tells of the file at a path how the page cache holds it at this moment; None: that cannot be seen."""
