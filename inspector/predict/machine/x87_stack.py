"""What a stretch of code asks of the x87 stack: registers that hold a number, and room to push.

(Whether a block has floating-point arithmetic at all is found on the way.)

Unicorn neither notices that a number is pushed onto another nor that an empty register is read. Both set IE
and SF on the processor, and the result is the NaN called real indefinite. Nor does it take a register to be
in use into which fst stores.

Registers are counted from the top of the stack as it is before the stretch; 7 is the one a push would fill.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import NamedTuple

import capstone

from inspector.predict.machine.instruction import without_prefixes

_REGISTERS = 8
_ESCAPE = re.compile(rb"[\xd8-\xdf]")
"""What every x87 instruction begins with, prefixes aside."""
_ARITHMETIC = re.compile(
    rb"[\xd8-\xdf]|\x0f(?:[\x2a-\x2f\x51\x58-\x5f\x77\x7c\x7d\xc2\xd0\xe6]|\x3a[\x08-\x0b])", re.DOTALL
)
"""What x87 instructions, emms and arithmetic of SSE begin with."""

_GROUPS = {
    "read two": "fprem fprem1 fscale fpatan fyl2x fyl2xp1 fcompp fucompp",
    "read none": "fld fld1 fldl2e fldl2t fldlg2 fldln2 fldpi fldz fild fbld ffree ffreep fincstp fdecstp "
    "fxam fnop fnclex fldcw fnstcw fnstsw fnstenv feni8087_nop fdisi8087_nop fsetpm wait",
    "push": "fld fld1 fldl2e fldl2t fldlg2 fldln2 fldpi fldz fild fbld fxtract fptan fsincos",
    "pop": "fstp fistp fisttp fbstp faddp fsubp fsubrp fmulp fdivp fdivrp fcomp ficomp fucomp fcompi fucompi "
    "fpatan fyl2x fyl2xp1 fcompp fucompp ffreep",
}
_READ_TWO, _READ_NONE, _PUSH, _POP = (frozenset(names.split()) for names in _GROUPS.values())
"""Whether they read the two uppermost registers or none; the rest read one, and their register operands."""
_POP_TWO = frozenset({"fcompp", "fucompp"})
_WRITE_ONLY = frozenset({"fst", "fstp", "ffree", "ffreep"})
"""Their register operand is written, or emptied, and not read."""
_LOADS = frozenset({"fninit", "fldenv", "emms"})
"""Instructions after which other registers are in use; so are they after any with an MMX register."""
_ROTATES = {"fincstp": 1, "fdecstp": -1}
IRREGULAR = frozenset({"ffree", "ffreep", "fincstp", "fdecstp", "fldenv"})
"""Instructions that may leave other registers in use than those from the top of the stack to its bottom."""
_REGISTER = re.compile(r"(?<!m)st\((\d)\)")
_MMX = re.compile(r"\bmm\d")


@dataclass(frozen=True, slots=True)
class Demand:
    """What the instructions from the one at `address` on need."""

    address: int
    code: bytes
    full: int
    """The registers that must hold a number, a bit each."""
    empty: int
    """Those that must hold none; a register in both cannot be had."""
    irregular: bool
    """Whether one of them is one of IRREGULAR."""

    def is_met(self, top: int, in_use: int) -> bool:
        """Whether it is met where register `top` is the top, and `in_use` has the bits of those in use."""
        turned = (in_use >> top | in_use << _REGISTERS - top) & 0xFF
        return self.full & ~turned == 0 and self.empty & turned == 0


@dataclass(slots=True)
class _Stack:
    """The registers while a stretch of code is followed."""

    top: int = 0
    demands: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    """The registers that had to hold a number before the stretch, and those that had to hold none."""
    known: dict[int, bool] = field(default_factory=dict)
    """Register to whether it holds a number by now."""

    def demand(self, index: int, *, full: bool) -> None:
        """Have the register at `index` from the top hold a number, or none."""
        number = (self.top + index) % _REGISTERS
        if number not in self.known:
            self.demands[full] |= 1 << number
            self.known[number] = full
        elif self.known[number] is not full:
            self.demands[True] |= 1 << number
            self.demands[False] |= 1 << number

    def store(self, index: int, *, full: bool) -> None:
        """Store a number into the register at `index`, or empty it."""
        if full:
            self.demand(index, full=True)
        self.put(index, full=full)

    def put(self, index: int, *, full: bool) -> None:
        """Have the register at `index` hold a number, or none, from now on."""
        self.known[(self.top + index) % _REGISTERS] = full

    def follow(self, name: str, operands: str) -> None:
        """Carry out one instruction."""
        registers = {int(number) for number in _REGISTER.findall(operands)}
        if name in _WRITE_ONLY:
            read = set() if name in _READ_NONE else {0}
        elif name in _READ_NONE:
            read = registers
        else:
            read = registers | ({0, 1} if name in _READ_TWO else {0})
        for index in sorted(read):
            self.demand(index, full=True)
        if name in _WRITE_ONLY:
            for index in registers:
                self.store(index, full=name not in _READ_NONE)
        for _ in range((name in _POP) + (name in _POP_TWO)):
            self.put(0, full=False)
            self.top += 1
        if name in _PUSH:
            self.top -= 1
            self.demand(0, full=False)
            self.put(0, full=True)
        self.top += _ROTATES.get(name, 0)


class Survey(NamedTuple):
    """What a block of code is found to do."""

    computes: bool
    """There is floating-point arithmetic in it."""
    demands: tuple[Demand, ...]
    """What it asks of the x87 stack, stretch by stretch, as if the block began at 0.

    A stretch ends with an instruction after which other registers are in use.
    """


@cache
def _capstone() -> capstone.Cs:
    return capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32)


@lru_cache(maxsize=1 << 15)
def survey(code: bytes) -> Survey | None:
    """Look at a block of code; None: there is nothing of the kind in it.

    Remembered, for the same libraries are in every program.
    """
    if _ARITHMETIC.search(code) is None:
        return None
    found: list[Demand] = []
    stack, start, irregular, end, computes, last = _Stack(), None, False, 0, False, 0

    def finish() -> None:
        if start is not None and (irregular or any(stack.demands.values())):
            found.append(Demand(start, code[start:end], stack.demands[True], stack.demands[False], irregular))

    for at, size, mnemonic, operands in _capstone().disasm_lite(code, 0):
        last = at + size
        name = mnemonic.rpartition(" ")[2]
        opcode = without_prefixes(code[at:last])
        computes |= _ARITHMETIC.match(opcode) is not None
        if name in _LOADS or _MMX.search(operands):
            if name in IRREGULAR:
                irregular, end, start = True, last, at if start is None else start
            finish()
            stack, start, irregular = _Stack(), None, False
        elif _ESCAPE.match(opcode):
            start = at if start is None else start
            irregular |= name in IRREGULAR
            stack.follow(name, operands)
            end = last
    finish()
    # What cannot be decoded never runs: it is refused.
    computes |= last < len(code)
    return Survey(computes, tuple(found)) if computes or found else None
