"""A simulated CPU, its memory and page tables, for the tests of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.address import VirtAddr, Vpn, vpn_of
from inspector.model.vma import Access
from inspector.predict.machine.cpu import (
    Cpu,
    Special,
)
from inspector.predict.machine.memory import PhysicalMemory
from inspector.predict.machine.pagetable import PageTableEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inspector.predict.machine.references import PageReferences

READ_EXECUTE = Access.READ | Access.EXECUTE
READ_WRITE = Access.READ | Access.WRITE
CODE, DATA = VirtAddr(0x08048000), VirtAddr(0x08049000)


class Machine:
    """A CPU, its memory, and page tables to play with."""

    def __init__(
        self, first_of: Mapping[Special, int] | None = None, references: PageReferences | None = None
    ) -> None:
        self.memory = PhysicalMemory(1 << 24)
        self.pages: dict[Vpn, PageTableEntry] = {}
        self.cpu = Cpu(
            self.memory,
            self.pages.get,
            lambda leaf, subleaf: (leaf + 1, 2, subleaf, 4),
            first_of=first_of,
            references=references,
        )

    def map(self, address: VirtAddr, access: Access, contents: bytes = b"", offset: int = 0) -> None:
        frame = self.memory.allocate()
        self.memory.write(frame, offset, contents)
        self.pages[vpn_of(address)] = PageTableEntry(frame, access, None)

    def starts(self, code: str, at: int = CODE) -> Cpu:
        """Map `code` (hex) at `at`, and point eip at it."""
        self.map(VirtAddr(at & -4096), READ_EXECUTE, bytes.fromhex(code), at & 4095)
        self.cpu.write("eip", at)
        return self.cpu
