"""Looking at single i386 instructions: what they do to memory, and how long they are."""

from __future__ import annotations

from dataclasses import dataclass

import capstone
from capstone import x86_const

LONGEST_INSTRUCTION = 15
"""Bytes; the architecture's limit."""

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

_UNDEFINED = frozenset({x86_const.X86_INS_UD0, x86_const.X86_INS_UD1, x86_const.X86_INS_UD2})


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


class Decoder:
    """Decodes i386 code with capstone."""

    def __init__(self) -> None:
        """Prepare capstone once; decoding keeps no state."""
        self._capstone = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32)
        self._capstone.detail = True

    def decode(self, code: bytes, address: int) -> Instruction | None:
        """Decode the instruction `code` begins with; None if it is not a whole one."""
        found = next(self._capstone.disasm(code, address, 1), None)
        if found is None:
            return None
        return Instruction(
            address=address,
            size=found.size,
            text=f"{found.mnemonic} {found.op_str}".strip(),
            modifies_memory=_modifies(found),
            is_undefined=found.id in _UNDEFINED,
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


def _modifies(found: capstone.CsInsn) -> bool:
    memory = [operand for operand in found.operands if operand.type == x86_const.X86_OP_MEM]
    if found.id in _ALWAYS_WRITE:
        return bool(memory)
    if found.id in _TWO_PLACES:
        return False
    both = capstone.CS_AC_READ | capstone.CS_AC_WRITE
    return any(operand.access & both == both for operand in memory)
