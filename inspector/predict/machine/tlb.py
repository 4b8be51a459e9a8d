"""Between Unicorn's TLB and the simulated page tables, and between its translated code and memory.

Unicorn's TLB is direct-mapped and grows only when it is flushed while full, so that a working set beyond
its first 256 pages would miss at every access. A miss on a page that it has held since the last flush is a
conflict: enough of them, and a flush is worth its cost.

Unicorn sees a write to code it has translated only through a translation that may also execute. So a page
is given out as executable only once something is fetched from it (a writable page that is never executed
then stays fast), and from there on:

    executed, then written through a translation that may execute    Unicorn itself retranslates
    executed, then open to writing through one that may not          its code is stale, and dropped
    executed, then written by the kernel                             at the next fetch from the frame
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

import unicorn
from unicorn import unicorn_const as uc_const

from inspector.model.address import PAGE_SHIFT, Vpn
from inspector.model.vma import Access

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.model.address import Pfn
    from inspector.predict.machine.engine import Engine
    from inspector.predict.machine.memory import PhysicalMemory
    from inspector.predict.machine.view import Translation

_ADDRESSES = 0xFFFF_FFFF
"""An access that crosses the end of the address space goes on at 0."""
_ACCESS = {
    uc_const.UC_MEM_READ: Access.READ,
    uc_const.UC_MEM_WRITE: Access.WRITE,
    uc_const.UC_MEM_FETCH: Access.EXECUTE,
}
_READ, _WRITE, _EXECUTE = int(unicorn.UC_PROT_READ), int(unicorn.UC_PROT_WRITE), int(unicorn.UC_PROT_EXEC)
_PERMISSIONS = {
    access: (_READ if Access.READ in access else 0)
    | (_WRITE if Access.WRITE in access else 0)
    | (_EXECUTE if Access.EXECUTE in access else 0)
    for access in (Access(number) for number in range(8))
}
_CONFLICTS = 128
"""Conflicts before the first attempt at a larger TLB; each further attempt waits twice as long."""


def _numbers(count: int) -> memoryview:
    """Return `count` numbers that are 0; of these the host gives memory only to those that are set."""
    return memoryview(mmap.mmap(-1, count * 4, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)).cast("I")


class Tlb:
    """Fills Unicorn's TLB."""

    def __init__(
        self,
        engine: Engine,
        memory: PhysicalMemory,
        translate: Callable[[Vpn], Translation | None],
        system_page: Callable[[Vpn, Access], Pfn | None],
    ) -> None:
        """Answer `engine`'s misses from `translate`.

        `system_page` gives the frame of a page that is the processor's own, if it is one and may be used
        by the instruction running now.
        """
        self.missing: tuple[int, Access] | None = None
        """The access that has just ended a run, for want of a translation."""
        self.stale = False
        """A run has just ended because the code at hand must be translated anew."""
        self._engine = engine
        self._memory = memory
        self._translate = translate
        self._system_page = system_page
        self.executed: dict[int, Pfn] = {}
        """Page numbers from which instructions were fetched since the last flush, and their frames."""
        self._flushes = 1
        self._held = _numbers(_ADDRESSES + 1 >> PAGE_SHIFT)
        """By page: the value of `_flushes` when it was last given out."""
        self._open = _numbers(memory.size_bytes >> PAGE_SHIFT)
        """By frame: the same, when it was last given out to be written by a page that may not execute it."""
        self._owners: dict[int, Vpn] | None = None
        """By frame: the one page that it is given out for. None: nobody wants to know."""
        self._conflicts = 0
        self._patience = _CONFLICTS
        engine.uc.ctl_set_tlb_mode(uc_const.UC_TLB_VIRTUAL)
        engine.uc.mem_map_ptr(0, memory.size_bytes, unicorn.UC_PROT_ALL, memory.host_address)
        engine.on_tlb_miss(self._on_miss)

    def flush(self) -> None:
        """Forget every translation."""
        self._engine.uc.ctl(uc_const.UC_CTL_TLB_FLUSH, uc_const.UC_CTL_IO_WRITE)
        self.executed.clear()
        self._flushes += 1

    def drop_code(self) -> None:
        """Forget all translated code, and with it which frames it came from."""
        self._engine.uc.ctl_flush_tb()
        self.flush()
        self._memory.executed.clear()
        self._memory.stale.clear()
        self.stale = False

    def _on_miss(self, address: int, kind: int) -> tuple[int, int] | None:
        vpn = Vpn((address & _ADDRESSES) >> PAGE_SHIFT)
        access = _ACCESS[kind]
        found = self._translate(vpn)
        if found is None or access not in found.access:
            frame = self._system_page(vpn, access)
            if frame is None:
                self.missing = address & _ADDRESSES, access
                return None
            return frame << PAGE_SHIFT, unicorn.UC_PROT_ALL
        if self._owners is not None:
            if self._owners.get(found.frame, vpn) != vpn:
                self.flush()
            self._owners[found.frame] = vpn
        if self._held[vpn] == self._flushes:
            self._conflict()
        self._held[vpn] = self._flushes
        granted = self._grant(vpn, found, access)
        if granted is None:
            return None
        if found.tells_use:
            found.use(access)
            if access is not Access.WRITE:
                granted &= ~_WRITE  # its first write shall miss, too
        return found.frame << PAGE_SHIFT, granted

    def tell_pages(self) -> None:
        """Have `page_at` answered from now on. Nothing has run before."""
        self._owners = {}

    def page_at(self, physical: int) -> Vpn | None:
        """Return by which page the program has just reached a physical address; None: it was the processor.

        Unicorn tells of an access where it lies physically. So no frame is given out by two pages at once.
        """
        return self._owners.get(physical >> PAGE_SHIFT) if self._owners is not None else None

    def _grant(self, vpn: Vpn, found: Translation, access: Access) -> int | None:
        """Return what to allow until the next miss, as Unicorn's permissions.

        None if translated code must be dropped first.
        """
        frame, memory = found.frame, self._memory
        if access is Access.EXECUTE:
            if frame in memory.stale:
                self.stale = True
                return None
            if self._open[frame] == self._flushes:
                # Some translation may write the frame unseen; after this its next write misses.
                self.flush()
            memory.executed.add(frame)
            self.executed[vpn] = frame
            return _PERMISSIONS[found.access]
        permissions = _PERMISSIONS[found.access]
        if frame not in memory.executed:
            if permissions & _WRITE:
                self._open[frame] = self._flushes
            return permissions & ~_EXECUTE
        if permissions & _EXECUTE:
            return permissions
        if access is Access.WRITE:
            memory.outdate(frame)
            self.flush()
            return permissions
        return permissions & ~_WRITE

    def _conflict(self) -> None:
        self._conflicts += 1
        if self._conflicts >= self._patience:
            self._patience *= 2
            self._conflicts = 0
            self.flush()
