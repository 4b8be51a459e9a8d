"""Looking at single i386 instructions: what they do to memory, and how long they are."""

from __future__ import annotations

from dataclasses import dataclass

import capstone
from capstone import x86_const

LONGEST_INSTRUCTION = 15
"""Bytes; the architecture's limit."""
_REMEMBERED = 4096

# These write their operand whether or not they change it, or access it in a way capstone does not list.
_ALWAYS_WRITE = frozenset(
    {
        x86_const.X86_INS_CMPXCHG,
        x86_const.X86_INS_CMPXCHG8B,
        x86_const.X86_INS_XADD,
        x86_const.X86_INS_XCHG,
    }
)
# Their memory operands are two different places, read one and write the other: no read-modify-write.
_TWO_PLACES = frozenset(
    {
        x86_const.X86_INS_PUSH,
        x86_const.X86_INS_POP,
        x86_const.X86_INS_MOVSB,
        x86_const.X86_INS_MOVSW,
        x86_const.X86_INS_MOVSD,
        x86_const.X86_INS_CMPSB,
        x86_const.X86_INS_CMPSW,
        x86_const.X86_INS_CMPSD,
    }
)

_DIVIDE = frozenset({x86_const.X86_INS_DIV, x86_const.X86_INS_IDIV, x86_const.X86_INS_AAM})
_UNDEFINED = frozenset({x86_const.X86_INS_UD0, x86_const.X86_INS_UD1, x86_const.X86_INS_UD2})


@dataclass(frozen=True, slots=True)
class MemoryOperand:
    """A place in memory: segment base + base register + index register * scale + displacement."""

    segment: str
    """`fs` or `gs`, whose bases are not 0; empty for the others."""
    base: str
    index: str
    scale: int
    displacement: int
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One decoded instruction."""

    address: int
    size: int
    text: str
    """As an assembler would print it."""
    modifies_memory: bool
    """It reads and writes the same memory operand."""
    is_undefined: bool
    """It is one of those that exist to raise #UD."""
    divides: bool
    """It may raise #DE."""
    memory: tuple[MemoryOperand, ...]
    """The places it touches, the stack among them."""


_PUSHED = MemoryOperand("", "esp", "", 1, -4, 4)
_POPPED = MemoryOperand("", "esp", "", 1, 0, 4)
_STACK = {
    x86_const.X86_INS_PUSH: (_PUSHED,),
    x86_const.X86_INS_CALL: (_PUSHED,),
    x86_const.X86_INS_PUSHFD: (_PUSHED,),
    x86_const.X86_INS_PUSHAL: (MemoryOperand("", "esp", "", 1, -32, 32),),
    x86_const.X86_INS_POP: (_POPPED,),
    x86_const.X86_INS_RET: (_POPPED,),
    x86_const.X86_INS_POPFD: (_POPPED,),
    x86_const.X86_INS_POPAL: (MemoryOperand("", "esp", "", 1, 0, 32),),
    x86_const.X86_INS_LEAVE: (MemoryOperand("", "ebp", "", 1, 0, 4),),
}
"""Where an instruction touches the stack without an operand that says so."""


class Decoder:
    """Decodes i386 code with capstone, and remembers: the same few instructions take most faults."""

    def __init__(self) -> None:
        """Prepare capstone once."""
        self._capstone = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32)
        self._capstone.detail = True
        self._decoded: dict[tuple[bytes, int], Instruction | None] = {}

    def decode(self, code: bytes, address: int) -> Instruction | None:
        """Decode the instruction `code` begins with; None if it is not a whole one."""
        key = code[:LONGEST_INSTRUCTION], address
        if key not in self._decoded:
            if len(self._decoded) >= _REMEMBERED:
                self._decoded.clear()
            self._decoded[key] = self._decode(*key)
        return self._decoded[key]

    def _decode(self, code: bytes, address: int) -> Instruction | None:
        found = next(self._capstone.disasm(code, address, 1), None)
        if found is None:
            return None
        return Instruction(
            address=address,
            size=found.size,
            text=f"{found.mnemonic} {found.op_str}".strip(),
            modifies_memory=_modifies(found),
            is_undefined=found.id in _UNDEFINED,
            divides=found.id in _DIVIDE,
            memory=(*_operands(found), *_STACK.get(found.id, ())),
        )

    def last_before(self, code: bytes, address: int, limit: int) -> int:
        """Return the address at which straight-line execution from `address` first needs a byte at `limit`.

        `code` holds the bytes from `address` up to `limit`. The answer is `limit` itself where an
        instruction ends exactly there.
        """
        position = address
        while position < limit:
            found = self.decode(code[position - address :], position)
            if found is None or position + found.size > limit:
                return position
            position += found.size
        return position


def _operands(found: capstone.CsInsn) -> list[MemoryOperand]:
    if found.id in (x86_const.X86_INS_LEA, x86_const.X86_INS_NOP):
        return []
    name = found.reg_name
    return [
        MemoryOperand(
            segment=name(operand.mem.segment)
            if operand.mem.segment in (x86_const.X86_REG_FS, x86_const.X86_REG_GS)
            else "",
            base=name(operand.mem.base) if operand.mem.base else "",
            index=name(operand.mem.index) if operand.mem.index else "",
            scale=operand.mem.scale,
            displacement=operand.mem.disp,
            size=operand.size,
        )
        for operand in found.operands
        if operand.type == x86_const.X86_OP_MEM
    ]


def _modifies(found: capstone.CsInsn) -> bool:
    memory = [operand for operand in found.operands if operand.type == x86_const.X86_OP_MEM]
    if found.id in _ALWAYS_WRITE:
        return bool(memory)
    if found.id in _TWO_PLACES:
        return False
    both = capstone.CS_AC_READ | capstone.CS_AC_WRITE
    return any(operand.access & both == both for operand in memory)
