"""The ring buffer that perf shares with its reader.

    page 0          struct perf_event_mmap_page: data_head, written by the kernel; data_tail, by us
    pages 1..2^n    records, one after the other; a record may run over the end into the beginning

Both counters only grow; their remainder by the ring's size is the place. The kernel publishes data_head
after the records before it, and takes what lies before data_tail as read. Where the kernel cannot find
room, it counts what it loses and says so in the next record it can write (PERF_RECORD_LOST).

The kernel asks its reader for a barrier after reading data_head and before writing data_tail. Python has
none, and x86 needs none: loads are not reordered with loads, nor a store with an older load (SDM 8.2.2).

Source: kernel/events/ring_buffer.c:perf_output_put_handle().
"""

from __future__ import annotations

import errno
import mmap

_DATA_HEAD, _DATA_TAIL = 1024 // 8, 1032 // 8
"""Where the counters lie in page 0, in words of 8 bytes."""


class Ring:
    """One mapped ring. Closing it leaves the event's descriptor open."""

    def __init__(self, descriptor: int, most_pages: int) -> None:
        """Map a ring of `most_pages`, a power of two, or of as many as this user may still lock.

        OSError if not even one page is allowed.
        """
        self._map, self.pages = _map(descriptor, most_pages)
        self._size = self.pages * mmap.PAGESIZE
        self._words = memoryview(self._map).cast("Q")

    def take(self) -> bytes:
        """Return the records that have come since the last time, and make room."""
        head, tail = self._words[_DATA_HEAD], self._words[_DATA_TAIL]
        if head == tail:
            return b""
        start, end = tail % self._size, head % self._size
        base = mmap.PAGESIZE
        if start < end:
            data = self._map[base + start : base + end]
        else:
            data = self._map[base + start : base + self._size] + self._map[base : base + end]
        self._words[_DATA_TAIL] = head
        return data

    def close(self) -> None:
        """Unmap the ring."""
        self._words.release()
        self._map.close()


def _map(descriptor: int, pages: int) -> tuple[mmap.mmap, int]:
    # What a user may lock is counted over all rings of all processes: only trying tells.
    while True:
        try:
            return mmap.mmap(descriptor, (1 + pages) * mmap.PAGESIZE), pages
        except OSError as error:
            if pages == 1 or error.errno not in {errno.EPERM, errno.ENOMEM}:
                raise
            pages //= 2
