"""Segment descriptors and registers, the GDT, and the way into ring 3."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from unicorn import x86_const as x86

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, Vpn
from inspector.model.vma import Access
from inspector.predict.machine.instruction import without_prefixes

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.model.address import Pfn
    from inspector.predict.machine.engine import Engine
    from inspector.predict.machine.memory import PhysicalMemory

DESCRIPTOR_SIZE = 8
_GDT = 0xFFFFF000
"""Linear address of the page that holds the GDT: above any task size, and no one's but the processor's."""
_GDT_VPN = Vpn(_GDT >> PAGE_SHIFT)

_KERNEL_CODE, _KERNEL_DATA, _USER_CODE, _USER_DATA = 1, 2, 4, 5
USER_CODE, USER_DATA = _USER_CODE << 3 | 3, _USER_DATA << 3 | 3
"""Linux's selectors: arch/x86/include/asm/segment.h:__USER32_CS, __USER_DS."""
SEGMENTS = {
    "ds": x86.UC_X86_REG_DS,
    "es": x86.UC_X86_REG_ES,
    "fs": x86.UC_X86_REG_FS,
    "gs": x86.UC_X86_REG_GS,
}
"""The segment registers that ring 3 may load; ss besides, with what it holds already."""
_THREADS = ("fs", "gs")
_WHOLE_LIMIT, _PAGES, _ATTRIBUTES, _PLAIN = 0xFFFFF, 0x80, 0xFE, 0xF2
"""Of a descriptor: the limit of all 4 GB, counted in pages (G); P, DPL, S and type but for the accessed bit,
and those of data that is present, ring 3's own, grows upward and may be written."""
_LAST_NULL, _LDT = 3, 4
"""Of a selector: the greatest that is null, and the bit that names the other table."""

_IRET_AT, _IRET_FRAME, _NEVER = 0x800, 0x900, _GDT + 0xFFF
_CR0_EM, _CR0_TS, _CR0_MP = 4, 8, 2
_CR4_TSD, _CR4_OSFXSR, _CR4_OSXMMEXCPT, _CR4_OSXSAVE = 1 << 2, 1 << 9, 1 << 10, 1 << 18
_LOADS = tuple(
    bytes.fromhex(opcode)
    for opcode in ["8e", "0fa1", "0fa9", "07", "17", "1f", "c4", "c5", "9a", "ca", "cb", "cf", "ea", "ff"]
)
"""First bytes of the instructions that look into the GDT: mov, pop, les, lds, and jumps between segments."""


def descriptor(base: int, limit: int, *, code: bool = False, user: bool = True, pages: bool = True) -> bytes:
    """Return a segment descriptor: present, 32-bit, writable data or readable code.

    63    56 55  52 51  48 47         40 39      16 15       0
    base 31-24  G D 0 0  limit 19-16  P DPL S type  base 23-0  limit 15-0
    """
    kind = 0x91 | (0x60 if user else 0) | (0x0A if code else 0x02)
    flags = 4 | (8 if pages else 0)
    return struct.pack(
        "<HHBBBB",
        limit & 0xFFFF,
        base & 0xFFFF,
        base >> 16 & 0xFF,
        kind,
        limit >> 16 & 0xF | flags << 4,
        base >> 24 & 0xFF,
    )


class Segments:
    """The GDT and the segment registers of one processor."""

    def __init__(self, engine: Engine, memory: PhysicalMemory) -> None:
        """Lay out the GDT; `enter_ring_3` comes next, once memory is seen through page tables."""
        self._engine = engine
        self._memory = memory
        self._frame = memory.allocate()
        self._is_open = True
        self._nulls: tuple[str, ...] | None = None

    @property
    def nulls(self) -> tuple[str, ...]:
        """Those of fs and gs that hold a null selector: to use one raises #GP."""
        if self._nulls is None:
            read = self._engine.read
            self._nulls = tuple(name for name in _THREADS if read(SEGMENTS[name]) <= _LAST_NULL)
        return self._nulls

    def forget(self) -> None:
        """Note that the registers have been exchanged for another process's."""
        self._nulls = None

    def set_descriptor(self, entry: int, contents: bytes) -> None:
        """Set one entry of the GDT; loaded segment registers keep what they hold."""
        self._memory.write(self._frame, entry * DESCRIPTOR_SIZE, contents)

    def load(self, name: str, selector: int) -> None:
        """Load a segment register.

        Raises NotModelled for a selector that no descriptor answers, or one of a segment that may not be
        written, or not be used as a whole: Unicorn would let the program do so. Into ds and es go flat ones
        only.
        """
        if self._engine.read(SEGMENTS[name]) != selector:
            self._load(name, selector)

    def reload(self, entry: int) -> None:
        """Load the registers that select `entry` anew. Raises NotModelled as `load` does."""
        for name, register in SEGMENTS.items():
            if (selector := self._engine.read(register)) >> 3 == entry:
                self._load(name, selector)

    def _load(self, name: str, selector: int) -> None:
        if name not in _THREADS and selector != USER_DATA:
            raise NotModelled(f"segment selector {selector:#x} in {name}")
        if selector > _LAST_NULL and (selector & _LDT or not self._is_plain(selector)):
            raise NotModelled(f"segment selector {selector:#x} in {name}")
        self._write(name, selector)

    def _write(self, name: str, selector: int) -> None:
        self._is_open = True
        self._engine.write(SEGMENTS[name], selector)
        self._is_open = False
        self._nulls = None

    def base(self, name: str) -> int:
        """Return what a segment register adds to an address, by the descriptor it selects."""
        low, middle, high = struct.unpack("<2xHB2xB", self._descriptor(self._engine.read(SEGMENTS[name])))
        return int(low | middle << 16 | high << 24)

    def _is_plain(self, selector: int) -> bool:
        low, attributes, high = struct.unpack("<H3xBBx", self._descriptor(selector))
        whole = high & _PAGES and low | (high & 0xF) << 16 == _WHOLE_LIMIT
        return bool(whole and attributes & _ATTRIBUTES == _PLAIN)

    def _descriptor(self, selector: int) -> bytes:
        return self._memory.read(self._frame, selector >> 3 << 3, DESCRIPTOR_SIZE)

    def frame_of(self, vpn: Vpn, access: Access, instruction: Callable[[], bytes]) -> Pfn | None:
        """Return the GDT's frame if `vpn` is its page, and the processor itself wants it.

        `instruction` tells what is running: few look into the GDT; for the rest the page does not exist.
        """
        if vpn != _GDT_VPN:
            return None
        if self._is_open:
            return self._frame
        if access is Access.READ and without_prefixes(instruction()).startswith(_LOADS):
            return self._frame
        return None

    def enter_ring_3(self) -> None:
        """Leave the engine in ring 3 with flat segments.

        Unicorn cannot load ring-3 segments in ring 0. One IRET does it: it pops eip, cs, eflags, esp and
        ss. Its target is never fetched, for it is where the run ends.
        """
        flat, memory, uc = 0xFFFFF, self._memory, self._engine.uc
        self.set_descriptor(_KERNEL_CODE, descriptor(0, flat, code=True, user=False))
        self.set_descriptor(_KERNEL_DATA, descriptor(0, flat, user=False))
        self.set_descriptor(_USER_CODE, descriptor(0, flat, code=True))
        self.set_descriptor(_USER_DATA, descriptor(0, flat))
        memory.write(self._frame, _IRET_AT, b"\xcf")
        memory.write(self._frame, _IRET_FRAME, struct.pack("<5I", _NEVER, USER_CODE, 0x202, 0, USER_DATA))
        uc.reg_write(x86.UC_X86_REG_GDTR, (0, _GDT, 0xFF, 0))
        uc.reg_write(x86.UC_X86_REG_CR0, uc.reg_read(x86.UC_X86_REG_CR0) & ~(_CR0_EM | _CR0_TS) | _CR0_MP)
        # Without OSXSAVE xgetbv raises #UD, with TSD rdtsc raises #GP, so that the caller can answer both.
        cr4 = uc.reg_read(x86.UC_X86_REG_CR4) & ~_CR4_OSXSAVE
        uc.reg_write(x86.UC_X86_REG_CR4, cr4 | _CR4_OSFXSR | _CR4_OSXMMEXCPT | _CR4_TSD)
        uc.reg_write(x86.UC_X86_REG_CS, _KERNEL_CODE << 3)
        uc.reg_write(x86.UC_X86_REG_SS, _KERNEL_DATA << 3)
        uc.reg_write(x86.UC_X86_REG_ESP, _GDT + _IRET_FRAME)
        uc.emu_start(_GDT + _IRET_AT, _NEVER)
        self.load("ds", USER_DATA)
        self.load("es", USER_DATA)
        self._is_open = False
