"""Memory as ring 3 sees it now: through the page tables, without the processor's TLB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from inspector.model.address import PAGE_SIZE, vpn_of
from inspector.model.vma import Access

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.model.address import Pfn, Vpn
    from inspector.predict.machine.memory import PhysicalMemory

_ADDRESSES = 0xFFFF_FFFF


class Translation(Protocol):
    """What the page tables say of one page: its frame, and what ring 3 may do there now."""

    @property
    def frame(self) -> Pfn:
        """Where it lies in physical memory."""
        ...

    @property
    def access(self) -> Access:
        """Access.NONE: not present."""
        ...

    @property
    def tells_use(self) -> bool:
        """Whether every kind of access is to be told to `use` before it is first made."""
        ...

    def use(self, access: Access) -> None:
        """Be told of an access."""
        ...


class View:
    """Reads and writes virtual memory; an address past the last goes on at 0."""

    def __init__(self, memory: PhysicalMemory, translate: Callable[[Vpn], Translation | None]) -> None:
        """See `memory` through `translate`."""
        self._memory = memory
        self._translate = translate

    def allows(self, address: int, access: Access) -> bool:
        """Whether ring 3 may access the byte at `address`."""
        found = self._translate(vpn_of(address & _ADDRESSES))
        return found is not None and access in found.access

    def peek(self, address: int, size: int) -> bytes:
        """Return up to `size` bytes, ending before the first page that is not mapped."""
        position = address & _ADDRESSES
        found = self._translate(vpn_of(position))
        if found is None or found.access is Access.NONE:
            return b""
        found.use(Access.READ)
        offset = position % PAGE_SIZE
        here = PAGE_SIZE - offset
        if size <= here:
            return self._memory.read(found.frame, offset, size)
        return self._memory.read(found.frame, offset, here) + self.peek(position + here, size - here)

    def poke(self, address: int, contents: bytes) -> bool:
        """Store all bytes or none; whether ring 3 may write there."""
        parts = []
        position = 0
        while position < len(contents):
            at = address + position & _ADDRESSES
            found = self._translate(vpn_of(at))
            if found is None or Access.WRITE not in found.access:
                return False
            found.use(Access.WRITE)
            offset = at % PAGE_SIZE
            part = contents[position : position + PAGE_SIZE - offset]
            parts.append((found.frame, offset, part))
            position += len(part)
        for frame, offset, part in parts:
            self._memory.write(frame, offset, part)
        return True
