"""Physical memory: frames of one page each, with reference counts.

Frame 0 is the zero page: always zero, never freed, shared by whoever reads memory that was never
written. Every other frame is zero when it is allocated.
"""

from __future__ import annotations

import ctypes
import mmap
from array import array

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, Pfn

ZERO_FRAME = Pfn(0)
_MAP_NORESERVE = 0x4000


class PhysicalMemory:
    """The machine's RAM. Invariant: a frame's count is the number of its users, and 0 means free."""

    def __init__(self, size_bytes: int = 1 << 30) -> None:
        """Reserve `size_bytes` of host address space; host memory is used only as frames are.

        Raises NotModelled where this session may not have that much.
        """
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
        try:
            self._bytes = mmap.mmap(-1, size_bytes, flags=flags)
        except OSError as error:
            raise NotModelled(
                f"a machine with {size_bytes >> 20} MiB of memory, which this session may not reserve",
                help="raise the session's limits: ulimit -v unlimited -d unlimited",
            ) from error
        self.size_bytes = size_bytes
        self._references = array("I", [1])
        self._free = array("I")
        self.executed: set[Pfn] = set()
        """Frames from which a processor has fetched instructions."""
        self.stale: set[Pfn] = set()
        """Frames that were executed and have been written since, or may have been, unseen by it."""
        self.lazyfree: set[Pfn] = set()
        """Frames that may be taken away from their users, unless these have written to them since."""

    @property
    def host_address(self) -> int:
        """Where frame 0 lies in the host's memory."""
        return ctypes.addressof(ctypes.c_char.from_buffer(self._bytes))

    def allocate(self) -> Pfn:
        """Return a zeroed frame with one user. Raises NotModelled when RAM is used up."""
        if self._free:
            frame = Pfn(self._free.pop())
            self._references[frame] = 1
            self.write(frame, 0, bytes(PAGE_SIZE))
            return frame
        frame = Pfn(len(self._references))
        if (frame + 1) << PAGE_SHIFT > self.size_bytes:
            raise NotModelled(f"more than {self.size_bytes >> 20} MiB of memory in use")
        self._references.append(1)
        return frame

    def share(self, frame: Pfn) -> None:
        """Count one more user."""
        self._references[frame] += 1

    def release(self, frame: Pfn) -> None:
        """Count one user less; the last one frees the frame."""
        if frame == ZERO_FRAME:
            return
        self._references[frame] -= 1
        if not self._references[frame]:
            self._free.append(frame)
            self.lazyfree.discard(frame)

    def users(self, frame: Pfn) -> int:
        """Return the number of users."""
        return self._references[frame]

    def read(self, frame: Pfn, offset: int = 0, size: int = PAGE_SIZE) -> bytes:
        """Return `size` bytes from `offset` of a frame."""
        start = (frame << PAGE_SHIFT) + offset
        return self._bytes[start : start + size]

    def write(self, frame: Pfn, offset: int, data: bytes) -> None:
        """Store `data` at `offset` of a frame."""
        if frame in self.executed:
            self.outdate(frame)
        start = (frame << PAGE_SHIFT) + offset
        self._bytes[start : start + len(data)] = data

    def outdate(self, frame: Pfn) -> None:
        """Note that instructions fetched from an executed frame may no longer be what it holds."""
        self.executed.discard(frame)
        self.stale.add(frame)

    def copy(self, frame: Pfn) -> Pfn:
        """Return a new frame with the contents of `frame`."""
        fresh = self.allocate()
        if frame != ZERO_FRAME:
            self.write(fresh, 0, self.read(frame))
        return fresh
