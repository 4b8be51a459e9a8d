"""How the page cache holds a file: which of its pages lie together in large folios.

The file is mapped here and every page of it faulted in, so that all are in the cache and none is marked for
read-ahead; pagemap tells their frames, and /proc/kpageflags which of them belong together. It is written back
first: a page that is still dirty is not dropped from the cache, whatever is advised
(mm/truncate.c:mapping_evict_folio()).
"""

from __future__ import annotations

import functools
import mmap
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from inspector.elf.file import ExecutableFile, address_of_mapping
from inspector.errors import CannotObserve
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, VirtAddr
from inspector.model.folio import FileFolios
from inspector.observe.page_cache import LARGEST_READ_IN
from inspector.observe.procfs.files import frame_flags
from inspector.observe.procfs.pagemap import ENTRY_BYTES, parse_pagemap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inspector.observe.procfs.pagemap import PagemapEntry

_KPF_COMPOUND_TAIL = 1 << 16
"""include/uapi/linux/kernel-page-flags.h."""
_MAP_FIXED = 0x10
_MADV_POPULATE_READ = 22
"""Faults pages in as reading them does. Linux 5.14; before, what a file's folios are is not seen."""
_SAMPLE_BYTES = 1 << 16
_TABLE_BYTES = 2 << 20
"""What one page table of ours maps."""


def folio_layout(path: str) -> FileFolios | None:
    """Return the large folios of the file at `path`; None where they cannot be seen, as without privileges.

    A tmpfs has none unless it is told to.
    """
    with suppress(OSError, ValueError, CannotObserve), ExecutableFile(path) as file:
        if file.size > LARGEST_READ_IN:
            return None
        with suppress(OSError):  # a file system may know no writing back
            os.fdatasync(file.fileno())
        large = _large_folios(file.fileno(), file.size) if file.size else ()
        in_memory = bool(file.lies_in_memory)
        if large is None:
            return FileFolios(in_memory=True) if in_memory else None
        if not large:
            return FileFolios()
        whole = _are_mapped_whole(file.fileno(), file.size, large)
        return FileFolios(large, in_memory, _of_a_file_of_ours() if whole is None else whole)
    return None


def seen_folios(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each of `paths` and its large folios, in words; not those of which it cannot be seen."""
    for path in dict.fromkeys(paths):
        layout = folio_layout(path)
        if layout is not None:
            yield path, str(layout)


def _present(address: int, pages: int) -> list[PagemapEntry]:
    """Return the pagemap entries of `pages` pages of our own from `address` on."""
    pagemap = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(pagemap, pages * ENTRY_BYTES, (address >> PAGE_SHIFT) * ENTRY_BYTES)
    finally:
        os.close(pagemap)
    return list(parse_pagemap(data, VirtAddr(address)))


def _large_folios(file: int, size: int) -> tuple[range, ...] | None:
    """Return the runs of a frame and those that are tails of its folio; None if no frame may be seen."""
    with mmap.mmap(file, 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE) as mapping:
        # Not by reading it: where the file has become shorter meanwhile, that would be a SIGBUS.
        mapping.madvise(_MADV_POPULATE_READ)
        entries = _present(address_of_mapping(mapping), -(-size // PAGE_SIZE))
        frames = [entry.pfn for entry in entries]
        flags = frame_flags(frame for frame in frames if frame) if any(frames) else None
    if flags is None:
        return None
    is_tail = [bool(frame and flags[frame] & _KPF_COMPOUND_TAIL) for frame in frames]
    heads = [index for index, tail in enumerate(is_tail) if not tail]
    folios = map(range, heads, (*heads[1:], len(frames)))
    return tuple(folio for folio in folios if len(folio) > 1)


@functools.cache
def _of_a_file_of_ours() -> bool | None:
    """Return what `_are_mapped_whole` says of a file that is written here; None if it has no large folios."""
    import tempfile

    for room in ("/var/tmp", "/tmp"):  # noqa: S108 - the file has no name to guess
        with suppress(OSError, ValueError), tempfile.TemporaryFile(dir=room, buffering=0) as file:
            for _ in range(2):  # a folio is no larger than what is written at once
                file.write(bytes(_SAMPLE_BYTES))
            large = _large_folios(file.fileno(), 2 * _SAMPLE_BYTES) or ()
            whole = _are_mapped_whole(file.fileno(), 2 * _SAMPLE_BYTES, large)
            if whole is not None:
                return whole
    return None


def _are_mapped_whole(file: int, size: int, large: Sequence[range]) -> bool | None:
    """Return what this kernel does with a folio whose first page alone lies in a fault's window.

    None if the file has none to try it with. Source: mm/filemap.c:filemap_map_folio_range(), Linux 6.18.
    """
    last = size >> PAGE_SHIFT
    most = _TABLE_BYTES // 2 // PAGE_SIZE
    folio = next((each for each in large if each.stop < last and len(each) <= most), None)
    if folio is None:
        return None
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    with mmap.mmap(-1, 2 * _TABLE_BYTES) as room:
        # In the middle of a page table's span ends a window of any size.
        middle = (address_of_mapping(room) & -_TABLE_BYTES) + _TABLE_BYTES + _TABLE_BYTES // 2
        place = libc.mmap(
            middle - PAGE_SIZE,
            len(folio) * PAGE_SIZE,
            mmap.PROT_READ,
            mmap.MAP_PRIVATE | _MAP_FIXED,
            file,
            folio.start << PAGE_SHIFT,
        )
        if place != middle - PAGE_SIZE:
            return None
        if libc.madvise(place, PAGE_SIZE, _MADV_POPULATE_READ):
            return None
        return _present(place, len(folio))[-1].present
