"""Whether a program looks at a bit of a register, told from the code that comes next.

Every way that the code can take is followed until the bit has been overwritten or masked out, wherever it was
copied meanwhile. Where it is used, or the way is not known, the program is taken to look at it.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

import capstone
from capstone import x86_const

from inspector.predict.machine.instruction import LONGEST_INSTRUCTION

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 400
"""Instructions looked at before the way counts as not known."""
_WORDS = ("eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp")
_PARTS = (
    {name: (name, range(32)) for name in _WORDS}
    | {name[1:]: (name, range(16)) for name in _WORDS}
    | {f"{letter}l": (f"e{letter}x", range(8)) for letter in "abcd"}
    | {f"{letter}h": (f"e{letter}x", range(8, 16)) for letter in "abcd"}
)
"""A register's name to the larger one it is part of, and which of its bits."""
_FLAGS, _TAKEN_BY_SAHF = "eflags", (8, 10, 12, 14, 15)
_SETS_ALL_FLAGS = frozenset({"add", "sub", "and", "or", "xor", "cmp", "test", "neg"})
_READS_OF_SF_AF = re.compile(r"(?:j|set|cmov)(?:n?[os]|n?[lg]e?)|pushfd?|lahf|into|[ad]a[as]")
_LEAVES = (capstone.CS_GRP_CALL, capstone.CS_GRP_RET, capstone.CS_GRP_INT, capstone.CS_GRP_IRET)


class _Step(NamedTuple):
    """One instruction, as far as it matters here."""

    mnemonic: str
    operands: tuple[str | int | None, ...]
    """A register's name, an immediate value, or None: memory."""
    reads: frozenset[str]
    addresses: frozenset[str]
    """Registers read to address memory."""
    writes: frozenset[str]
    following: tuple[int, ...]
    """Where it may go on; nowhere: that is not known."""


def is_looked_at(peek: Callable[[int, int], bytes], ip: int, register: str, bit: int) -> bool:
    """Whether the program, at `ip`, may yet look at `bit` of `register`, or leave it in some other place.

    `peek` returns so many bytes at an address.
    """
    ways = [(ip, frozenset({register}))]
    seen = set(ways)
    while ways:
        at, holders = ways.pop()
        step = _step(peek(at, LONGEST_INSTRUCTION), at)
        if step is None or not step.following or len(seen) > _MOST:
            return True
        after = _holders_after(step, holders, bit)
        if after is None:
            return True
        if after:
            fresh = {(address, after) for address in step.following} - seen
            seen |= fresh
            ways += fresh
    return False


def are_flags_looked_at(peek: Callable[[int, int], bytes], ip: int) -> bool:
    """Whether the program, at `ip`, may yet look at OF, SF or AF as they are now."""
    ways, seen = [ip], {ip}
    while ways:
        at = ways.pop()
        step = _step(peek(at, LONGEST_INSTRUCTION), at)
        if (
            step is None
            or not step.following
            or len(seen) > _MOST
            or _READS_OF_SF_AF.fullmatch(step.mnemonic)
        ):
            return True
        if step.mnemonic not in _SETS_ALL_FLAGS:
            fresh = set(step.following) - seen
            seen |= fresh
            ways += fresh
    return False


def _holders_after(step: _Step, holders: frozenset[str], bit: int) -> frozenset[str] | None:
    """Return which registers hold the bit after an instruction; None if it uses the bit."""
    used = {read for read in step.reads if _holds(read, holders, bit)}
    kept = _kept(step, used, bit)
    return None if kept is None else frozenset(holders - _overwritten(step, bit) | kept)


def _holds(name: str, holders: frozenset[str], bit: int) -> bool:
    whole, bits = _PARTS.get(name, (name, range(32)))
    return whole in holders and (name == _FLAGS or bit in bits)


def _kept(step: _Step, used: set[str], bit: int) -> set[str] | None:
    """Return where an instruction that reads the bit from `used` puts it; None if it is used otherwise."""
    name, (first, second) = step.mnemonic, (*step.operands, None, None)[:2]
    if not used or (name == "sahf" and bit not in _TAKEN_BY_SAHF):
        return set()
    if not isinstance(first, str) or first not in _PARTS or not used <= {first, second} - step.addresses:
        return None
    whole, bits = _PARTS[first]
    if isinstance(second, int) and name in ("test", "and"):
        if not second << bits.start >> bit & 1:
            return set()
        return {whole, _FLAGS} if name == "and" else None
    if first in _WORDS and not isinstance(second, int) and name in ("mov", "or"):
        return {first} if name == "mov" else {first, _FLAGS}
    return None


def _overwritten(step: _Step, bit: int) -> set[str]:
    if step.mnemonic.startswith("cmov"):
        return set()
    flags = {_FLAGS} if step.mnemonic in _SETS_ALL_FLAGS else set()
    if step.mnemonic in ("cmp", "test"):
        return flags
    return flags | {_PARTS[part][0] for part in step.writes if part in _PARTS and bit in _PARTS[part][1]}


@cache
def _capstone() -> capstone.Cs:
    disassembler = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32)
    disassembler.detail = True
    return disassembler


@lru_cache(maxsize=1 << 12)
def _step(code: bytes, address: int) -> _Step | None:
    found = next(_capstone().disasm(code, address, 1), None)
    if found is None:
        return None
    reads, writes = (frozenset(map(found.reg_name, registers)) for registers in found.regs_access())
    operands = tuple(_operand(found, operand) for operand in found.operands)
    following: tuple[int, ...] = (address + found.size,)
    if any(map(found.group, _LEAVES)):
        following = ()
    elif found.group(capstone.CS_GRP_JUMP):
        target = operands[0]
        if not isinstance(target, int):
            following = ()
        else:
            following = (target,) if found.id == x86_const.X86_INS_JMP else (*following, target)
    places = (operand.mem for operand in found.operands if operand.type == x86_const.X86_OP_MEM)
    addresses = frozenset(found.reg_name(register) for mem in places for register in (mem.base, mem.index))
    return _Step(found.mnemonic, operands, reads, addresses, writes, following)


def _operand(found: capstone.CsInsn, operand: capstone.x86.X86Op) -> str | int | None:
    if operand.type == x86_const.X86_OP_REG:
        return str(found.reg_name(operand.reg))
    return int(operand.imm) if operand.type == x86_const.X86_OP_IMM else None
