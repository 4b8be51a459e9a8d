"""The simulated CPU as a subject, with the interface of `hardware.Hardware`."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from unicorn import x86_const as x86

from inspector.model.address import PAGE_SIZE, VirtAddr, vpn_of
from inspector.model.vma import Access
from inspector.predict.machine.cpu import Cpu
from inspector.predict.machine.memory import PhysicalMemory
from tests.live.hardware import EXECUTE, GENERAL, READ, WRITE, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inspector.model.address import Pfn, Vpn
    from inspector.predict.machine.cpu import Event, Special


class Page(NamedTuple):
    """What the page tables say of one page."""

    frame: Pfn
    access: Access

    @property
    def tells_use(self) -> bool:
        """No one asks."""
        return False

    def use(self, access: Access) -> None:
        """Forget it."""


class Simulated:
    """A processor, flat memory, and page tables to play with."""

    def __init__(self, first_of: Mapping[Special, int] | None = None) -> None:
        """For `first_of` see `Cpu`."""
        self.memory = PhysicalMemory(1 << 26)
        self.pages: dict[Vpn, Page] = {}
        self.cpu = Cpu(
            self.memory,
            self.pages.get,
            lambda _leaf, _subleaf: (0, 0, 0, 0),
            first_of=first_of,
        )

    def map(self, address: int, size: int, protection: int) -> None:
        for page in range(address, address + size, PAGE_SIZE):
            self.pages[vpn_of(VirtAddr(page))] = Page(self.memory.allocate(), _access(protection))
        self.cpu.flush_tlb()

    def protect(self, address: int, size: int, protection: int) -> None:
        for page in range(address, address + size, PAGE_SIZE):
            found = self.pages[vpn_of(VirtAddr(page))]
            self.pages[vpn_of(VirtAddr(page))] = Page(found.frame, _access(protection))
        self.cpu.flush_tlb()

    def write(self, address: int, contents: bytes) -> None:
        """Store bytes, whatever the page's protection."""
        position = 0
        while position < len(contents):
            offset = (address + position) % PAGE_SIZE
            part = contents[position : position + PAGE_SIZE - offset]
            self.memory.write(self.pages[vpn_of(VirtAddr(address + position))].frame, offset, part)
            position += len(part)

    def read(self, address: int, size: int) -> bytes:
        return self.cpu.peek(address, size)

    def run(self, state: State) -> tuple[Event, State]:
        self._load(state)
        event = self.cpu.run()
        return event, self.state()

    def _load(self, state: State) -> None:
        uc = self.cpu._engine.uc
        self.cpu._engine.set_accrued(x87=0)
        for name, value in state.general.items():
            self.cpu.write(name, value)
        control, status, tags = struct.unpack_from("<HHB", state.fx)
        top = status >> 11 & 7
        uc.reg_write(x86.UC_X86_REG_FPCW, control)
        uc.reg_write(x86.UC_X86_REG_FPSW, status)
        uc.reg_write(x86.UC_X86_REG_FPTAG, sum(3 << 2 * i for i in range(8) if not tags >> i & 1))
        for i in range(8):
            mantissa, exponent = struct.unpack_from("<QH", state.fx, 32 + 16 * i)
            uc.reg_write(x86.UC_X86_REG_FP0 + (i + top) % 8, (mantissa, exponent))
            uc.reg_write(
                x86.UC_X86_REG_XMM0 + i, int.from_bytes(state.fx[160 + 16 * i : 176 + 16 * i], "little")
            )
        for register in (x86.UC_X86_REG_FIP, x86.UC_X86_REG_FCS, x86.UC_X86_REG_FDP, x86.UC_X86_REG_FDS):
            uc.reg_write(register, 0)
        flushed = self.cpu.coprocessor.flushes
        self.cpu.coprocessor.load_sse(struct.unpack_from("<I", state.fx, 24)[0])
        if self.cpu.coprocessor.flushes and not flushed:
            self.cpu.look_again()

    def state(self) -> State:
        uc = self.cpu._engine.uc
        fx = bytearray(512)
        self.cpu.coprocessor.gather(clear_c1=False)
        self.cpu.coprocessor.gather_sse()
        status, tags = uc.reg_read(x86.UC_X86_REG_FPSW), uc.reg_read(x86.UC_X86_REG_FPTAG)
        top = status >> 11 & 7
        abridged = sum(1 << i for i in range(8) if tags >> 2 * i & 3 != 3)
        struct.pack_into("<HHB", fx, 0, uc.reg_read(x86.UC_X86_REG_FPCW), status, abridged)
        struct.pack_into("<II", fx, 24, uc.reg_read(x86.UC_X86_REG_MXCSR), 0x2FFFF)
        for i in range(8):
            mantissa, exponent = uc.reg_read(x86.UC_X86_REG_FP0 + (i + top) % 8)
            struct.pack_into("<QH", fx, 32 + 16 * i, mantissa, exponent)
            fx[160 + 16 * i : 176 + 16 * i] = uc.reg_read(x86.UC_X86_REG_XMM0 + i).to_bytes(16, "little")
        return State({name: self.cpu.read(name) for name in GENERAL}, bytes(fx))


def _access(protection: int) -> Access:
    access = Access(0)
    for bit, kind in ((READ, Access.READ), (WRITE, Access.WRITE), (EXECUTE, Access.EXECUTE)):
        if protection & bit:
            access |= kind
    return access
