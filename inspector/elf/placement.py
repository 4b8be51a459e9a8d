"""Where this kernel puts mappings of a file, as far as its file system has a say in it.

ext4, xfs, btrfs and others have 64-bit mappings of 2 MiB and more begin where the file's huge pages could be
mapped whole (file_operations.get_unmapped_area); a tmpfs does where it has huge pages itself.
"""

from __future__ import annotations

import mmap
import sys

from inspector.model.address import PAGE_SIZE

HUGE_PAGE_SIZE = 2 << 20
"""What an entry of the table above the last maps (PMD_SIZE)."""
_TRIALS = 3


def is_aligned(file: int) -> bool | None:
    """Whether mappings of the open `file` are aligned to huge pages; None where it cannot be tried.

    Each trial is a page longer than a huge page: put one below the other, they are not aligned by chance.
    """
    if sys.maxsize < 1 << 32:
        return None
    import ctypes

    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_size_t
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
    size = HUGE_PAGE_SIZE + PAGE_SIZE
    failed = ctypes.c_size_t(-1).value
    # Nothing is read: a file may be shorter than what maps it.
    places = [libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_PRIVATE, file, 0) for _ in range(_TRIALS)]
    for place in places:
        if place != failed:
            libc.munmap(place, size)
    return None if failed in places else not any(place % HUGE_PAGE_SIZE for place in places)
