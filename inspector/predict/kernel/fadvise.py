"""Advice about a file's pages in the page cache (mm/fadvise.c): which of them leave it (mm/truncate.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SIZE
from inspector.predict.kernel.files import pages_of
from inspector.predict.kernel.rmap import times_mapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.predict.kernel.kernel import Kernel
    from inspector.predict.kernel.vma import MappedFile

_WILLNEED, _DONTNEED = 3, 4
_FARTHEST = 1 << 63
"""LLONG_MAX + 1: where a file ends at the latest."""


def generic_fadvise(kernel: Kernel, file: MappedFile, offset: int, length: int, advice: int) -> None:
    """Carry out advice about `length` bytes of a host's file from `offset` on; 0 is all the rest.

    Other advice than these two changes nothing before the file is read. Raises NotModelled. Source:
    mm/fadvise.c:generic_fadvise().
    """
    end = offset + length if length else _FARTHEST
    in_file = pages_of(offset, max(min(end, file.size) - offset, 0))
    if advice == _WILLNEED:
        kernel.page_cache.read_ahead(file, in_file)
    if advice == _DONTNEED and in_file and kernel.page_cache.lies_on_disk(file):
        # Pages that are meant in part only stay; not so the last one of the file, if meant to its last byte.
        first = -(-offset // PAGE_SIZE)
        stop = -(-end // PAGE_SIZE) if end == file.size else end // PAGE_SIZE
        pages = range(first, min(stop, in_file.stop))
        kernel.page_cache.drop(file, list(_invalidated(kernel, file, pages)))


def _invalidated(kernel: Kernel, file: MappedFile, pages: range) -> Iterator[int]:
    """Yield which of `pages` are dropped: those that nothing maps; of a large folio all or none.

    Source: mm/truncate.c:mapping_try_invalidate(), mapping_evict_folio().
    """
    mapped = times_mapped(kernel, file)
    cache = kernel.page_cache
    folios = cache.folios(file)
    for index in pages:
        folio = folios.around(index) or range(index, index + 1)
        inside = pages.start <= folio.start and folio.stop <= pages.stop
        if inside and not any(cache.find_frame(file, page) in mapped for page in folio):
            yield index
