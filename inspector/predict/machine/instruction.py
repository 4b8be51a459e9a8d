"""Looking at single i386 instructions: what they do to memory, in which order, and how long they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import capstone
from capstone import x86_const

from inspector.model.address import VirtAddr, page_down
from inspector.model.vma import Access
from inspector.predict.machine.event import BOUND_EXCEEDED, DIVIDE_ERROR, GENERAL_PROTECTION, STACK_FAULT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ADDRESSES, _WIDE = 0xFFFF_FFFF, 4
LONGEST_INSTRUCTION = 15
"""Bytes; the architecture's limit."""

_EXCEPTIONS = {
    x86_const.X86_INS_DIV: DIVIDE_ERROR,
    x86_const.X86_INS_IDIV: DIVIDE_ERROR,
    x86_const.X86_INS_AAM: DIVIDE_ERROR,
    x86_const.X86_INS_BOUND: BOUND_EXCEEDED,
}
_ROTATE_THROUGH_CARRY = frozenset({x86_const.X86_INS_RCL, x86_const.X86_INS_RCR})
_UNDEFINED = frozenset({x86_const.X86_INS_UD0, x86_const.X86_INS_UD1, x86_const.X86_INS_UD2})
_FAR = frozenset(
    {
        x86_const.X86_INS_LJMP,
        x86_const.X86_INS_LCALL,
        x86_const.X86_INS_RETF,
        x86_const.X86_INS_IRET,
        x86_const.X86_INS_IRETD,
    }
)
_LOADED_SEGMENTS = frozenset(
    {
        x86_const.X86_REG_DS,
        x86_const.X86_REG_ES,
        x86_const.X86_REG_FS,
        x86_const.X86_REG_GS,
        x86_const.X86_REG_SS,
    }
)
_NO_ACCESS = frozenset(
    {
        x86_const.X86_INS_LEA,
        x86_const.X86_INS_NOP,
        x86_const.X86_INS_PREFETCHNTA,
        x86_const.X86_INS_PREFETCHT0,
        x86_const.X86_INS_PREFETCHT1,
        x86_const.X86_INS_PREFETCHT2,
        x86_const.X86_INS_PREFETCHW,
    }
)
_MOVS = frozenset({x86_const.X86_INS_MOVSB, x86_const.X86_INS_MOVSW, x86_const.X86_INS_MOVSD})
_STACK_BASES = (x86_const.X86_REG_ESP, x86_const.X86_REG_EBP, x86_const.X86_REG_BP)
_BIT_STRING = frozenset(
    {x86_const.X86_INS_BT, x86_const.X86_INS_BTS, x86_const.X86_INS_BTR, x86_const.X86_INS_BTC}
)
_PUSHES = {
    x86_const.X86_INS_PUSH: 1,
    x86_const.X86_INS_CALL: 1,
    x86_const.X86_INS_ENTER: 1,
    x86_const.X86_INS_PUSHF: 1,
    x86_const.X86_INS_PUSHFD: 1,
    x86_const.X86_INS_PUSHAW: 8,
    x86_const.X86_INS_PUSHAL: 8,
}
_POPS = {
    x86_const.X86_INS_POP: 1,
    x86_const.X86_INS_RET: 1,
    x86_const.X86_INS_POPF: 1,
    x86_const.X86_INS_POPFD: 1,
    x86_const.X86_INS_POPAW: 8,
    x86_const.X86_INS_POPAL: 8,
}
"""How many words an instruction pushes or pops."""
OPERAND_SIZE = 0x66
"""The prefix that makes operands sixteen bits wide."""
_PREFIXES = b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3"
_TWO_BYTE, _ADDRESSED_BY_REGISTER = 0x0F, 3

# Opcodes that read and write one operand, and the values of the ModRM byte's middle field for which they do.
_ANY = frozenset(range(8))
_ARITHMETIC = (0x00, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30)  # add or adc sbb and sub xor; cmp only reads
_MODIFIES = (
    dict.fromkeys((base + wide for base in _ARITHMETIC for wide in (0, 1)), _ANY)
    | dict.fromkeys((0x80, 0x81, 0x82, 0x83), frozenset(range(7)))
    | dict.fromkeys((0x86, 0x87, 0xC0, 0xC1, 0xD0, 0xD1, 0xD2, 0xD3), _ANY)  # xchg, rotations and shifts
    | dict.fromkeys((0xF6, 0xF7), frozenset({2, 3}))  # not neg
    | dict.fromkeys((0xFE, 0xFF), frozenset({0, 1}))  # inc dec
)
_MODIFIES_TWO_BYTE = (
    dict.fromkeys((0xA4, 0xA5, 0xAC, 0xAD, 0xAB, 0xB3, 0xBB), _ANY)  # shld shrd bts btr btc
    | dict.fromkeys((0xB0, 0xB1, 0xC0, 0xC1), _ANY)  # cmpxchg xadd
    | {0xBA: frozenset({5, 6, 7}), 0xC7: frozenset({1})}  # bts btr btc, cmpxchg8b
)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in memory: segment base + base register + index register * scale + displacement."""

    segment: str
    """`fs` or `gs`, whose bases are not 0; empty for the others."""
    base: str
    index: str
    scale: int
    displacement: int
    size: int
    """Bytes."""
    access: Access = Access.NONE
    """What is done there; NONE: the instruction has one place only, and does whatever it does there."""
    bit_index: str = ""
    """A register that counts bits from there, as in `bt`."""
    on_stack: bool = False
    """It is reached through ss."""
    offsets: int = _ADDRESSES
    """The greatest offset in its segment; addresses of sixteen bits go on at 0."""

    def passes_the_end(self, start: VirtAddr, value_of: Callable[[str], int]) -> bool:
        """Whether it begins in one end of the segment and ends in the other, beyond the limit."""
        offset = start - value_of(self.segment) & _ADDRESSES if self.segment else start
        return offset + self.size > _ADDRESSES + 1

    def address(self, value_of: Callable[[str], int]) -> VirtAddr:
        """Return where it is; `value_of` gives a register's value, or a segment's base."""
        start = self.displacement
        if self.base:
            start += value_of(self.base)
        if self.index:
            start += value_of(self.index) * self.scale
        if self.bit_index:
            width = 8 * self.size
            bits = value_of(self.bit_index)
            start += (bits - (bits >> width - 1 << width)) // width * self.size
        start &= self.offsets
        if self.segment:
            start += value_of(self.segment)
        return VirtAddr(start & _ADDRESSES)

    def on_next_page(self, start: VirtAddr) -> VirtAddr | None:
        """Return its first byte on the next page, if it reaches that far."""
        end = page_down(start + self.size - 1)
        return VirtAddr(end & _ADDRESSES) if end > start else None

    def parts(self, start: VirtAddr) -> Iterator[VirtAddr]:
        """Yield its first byte, and its first byte on the next page if it reaches that far."""
        yield start
        rest = self.on_next_page(start)
        if rest is not None:
            yield rest


@dataclass(frozen=True, slots=True)
class Instruction:
    """One decoded instruction."""

    size: int
    text: str
    """As an assembler would print it."""
    modifies: bool
    """It reads and writes the same place, which for the hardware is one access, a write."""
    loads_segment: bool
    """It loads a segment register, cs included."""
    is_undefined: bool
    """It is one of those that exist to raise #UD."""
    exception: int
    """The vector it raises, if it raises any of its own."""
    loses_carry: bool
    """It rotates through the carry flag, which Unicorn has changed before it finds it may not store."""
    places: tuple[Place, ...]
    """Where it accesses memory, in the order in which the hardware does."""

    def first_refused(
        self, access: Access, allows: Callable[[int, Access], bool], value_of: Callable[[str], int]
    ) -> tuple[VirtAddr, Access] | int | None:
        """Return the first access of its own that is not allowed, if any: that is the one that faults.

        For one that passes the end of its segment, which is no page fault, it is the exception's vector.
        Unicorn accesses some places in another order. `access` is what it was found to do; `allows` says of
        a byte what may be done there; for `value_of` see `Place`.
        """
        for place in self.places:
            start = place.address(value_of)
            if place.passes_the_end(start, value_of):
                return STACK_FAULT if place.on_stack else GENERAL_PROTECTION
            wanted = place.access or access
            if not allows(start, wanted):  # not `parts`: this is done at every fault
                return start, wanted
            rest = place.on_next_page(start)
            if rest is not None and not allows(rest, wanted):
                return rest, wanted
        return None


def prefixes(code: bytes) -> bytes:
    """Return the prefixes that the instruction `code` begins with."""
    return code[: len(code) - len(without_prefixes(code))]


def without_prefixes(code: bytes) -> bytes:
    """Return the instruction `code` from its opcode on."""
    return code.lstrip(_PREFIXES)


def decode(code: bytes, address: int) -> Instruction | None:
    """Decode the instruction that `code` begins with; None if it is not a whole one."""
    return _decode(code[:LONGEST_INSTRUCTION], address)


def last_before(code: bytes, address: int, limit: int) -> int:
    """Return the address at which straight-line execution from `address` first needs a byte at `limit`.

    `code` holds the bytes from `address` up to `limit`. The answer is `limit` itself where an
    instruction ends exactly there.
    """
    position = address
    while position < limit:
        found = decode(code[position - address :], position)
        if found is None or position + found.size > limit:
            return position
        position += found.size
    return position


@cache
def _capstone() -> capstone.Cs:
    disassembler = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32)
    disassembler.detail = True
    return disassembler


@lru_cache(maxsize=1 << 13)
def _decode(code: bytes, address: int) -> Instruction | None:
    """Decode, and remember: the same few instructions take most faults."""
    found = next(_capstone().disasm(code, address, 1), None)
    if found is None:
        return None
    return Instruction(
        size=found.size,
        text=f"{found.mnemonic} {found.op_str}".strip(),
        modifies=_modifies(code),
        loads_segment=found.id in _FAR or bool(_LOADED_SEGMENTS.intersection(found.regs_access()[1])),
        is_undefined=found.id in _UNDEFINED,
        exception=_EXCEPTIONS.get(found.id, GENERAL_PROTECTION),
        loses_carry=found.id in _ROTATE_THROUGH_CARRY,
        places=tuple(_places(found)),
    )


def _modifies(code: bytes) -> bool:
    opcode = without_prefixes(code)[:3]
    table = _MODIFIES
    if opcode[:1] == bytes([_TWO_BYTE]):
        table, opcode = _MODIFIES_TWO_BYTE, opcode[1:]
    if len(opcode) < 2 or opcode[1] >> 6 == _ADDRESSED_BY_REGISTER:  # noqa: PLR2004 - opcode and ModRM
        return False
    return opcode[1] >> 3 & 7 in table.get(opcode[0], ())


def _places(found: capstone.CsInsn) -> list[Place]:
    if found.id in _NO_ACCESS:
        return []
    # cmps lists its operands in the order of its reads: esi's, then edi's.
    operands = [_place(found, operand) for operand in found.operands if operand.type == x86_const.X86_OP_MEM]
    word = 2 if found.prefix[2] == OPERAND_SIZE else 4
    if found.id in _MOVS and len(operands) > 1:
        written, read = operands
        operands = [replace(read, access=Access.READ), replace(written, access=Access.WRITE)]
    elif found.id in _BIT_STRING and operands and found.operands[1].type == x86_const.X86_OP_REG:
        operands = [replace(operands[0], bit_index=found.reg_name(found.operands[1].reg))]
    elif found.id in _PUSHES:
        pushed = [_stack(-word * (index + 1), word, Access.WRITE) for index in range(_PUSHES[found.id])]
        operands = [*(replace(place, access=Access.READ) for place in operands), *pushed]
    elif found.id in _POPS:
        popped = [_stack(word * index, word, Access.READ) for index in range(_POPS[found.id])]
        operands = [*popped, *(_stored(place, word) for place in operands)]
    elif found.id == x86_const.X86_INS_LEAVE:
        operands = [replace(_stack(0, word, Access.READ), base="ebp")]
    elif found.id == x86_const.X86_INS_XLATB:
        operands = [replace(_stack(0, 1, Access.READ), base="ebx", index="al", on_stack=False)]
        if found.addr_size != _WIDE:
            operands = [replace(operands[0], base="bx", offsets=_ADDRESSES >> 16)]
    return operands


def _stored(place: Place, word: int) -> Place:
    """Return where a pop stores: it computes that after it has moved esp."""
    moved = word if place.base == "esp" else 0
    return replace(place, access=Access.WRITE, displacement=place.displacement + moved)


def _place(found: capstone.CsInsn, operand: capstone.x86.X86Op) -> Place:
    name = found.reg_name
    return Place(
        segment=name(operand.mem.segment)
        if operand.mem.segment in (x86_const.X86_REG_FS, x86_const.X86_REG_GS)
        else "",
        base=name(operand.mem.base) if operand.mem.base else "",
        index=name(operand.mem.index) if operand.mem.index else "",
        scale=operand.mem.scale,
        displacement=operand.mem.disp,
        size=operand.size,
        on_stack=operand.mem.segment in (0, x86_const.X86_REG_SS)
        and (operand.mem.base in _STACK_BASES or operand.mem.segment != 0),
        offsets=_ADDRESSES if found.addr_size == _WIDE else _ADDRESSES >> 16,
    )


def _stack(displacement: int, size: int, access: Access) -> Place:
    return Place("", "esp", "", 1, displacement, size, access, on_stack=True)
