"""Where Unicorn does something other than the processor, found in each block of code before it first runs.

A block that the filter passes is never looked at again: a loop pays nothing. A block that it does not pass
is disassembled, and each instruction that the tables below name gets a stop of its own. The filter knows
opcodes by their bytes, wherever they stand, so that it errs on the side of looking.

Measured against the machine's own processor by tests/live/test_cpu_against_hardware.py.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import capstone

from inspector.predict.machine.instruction import OPERAND_SIZE, prefixes, without_prefixes

_OPCODES = (
    # x87: environment, control word, constants, functions; fisttp, long doubles, fnclex; fnsave; fist, fnstsw
    rb"\xd9[\x20-\x37\x60-\x77\xa0-\xb7\xe5\xe9-\xed\xf0-\xf5\xf8\xf9\xfb\xfd-\xff]"
    rb"|\xdb[\x08-\x0f\x28-\x2f\x48-\x4f\x68-\x6f\x88-\x8f\xa8-\xaf\xe2\xe3\xe8-\xf7]"
    rb"|\xdd[\x08-\x0f\x20-\x27\x30-\x3f\x48-\x4f\x60-\x67\x70-\x7f\x88-\x8f\xa0-\xa7\xb0-\xbf]"
    rb"|\xdf[\xe0\xe8-\xf7\x08-\x1f\x30-\x37\x48-\x5f\x70-\x77\x88-\x9f\xb0-\xb7]"
    # Two-byte opcodes: SSE, segment registers, the system's own, and the maps in which newer ones are put.
    rb"|\x0f[\x00-\x03\x12\x14-\x16\x28\x29\x2b-\x2d\x38\x3a\x50-\x7f\xa1\xa4\xa5\xa9\xac-\xae"
    rb"\xb2\xb4\xb5\xc2\xc6\xc7\xd0-\xff]"
    rb"|\xc4[\xc0-\xff]|\xc5[\xc0-\xff]|\x62[\xc0-\xff]"  # VEX, EVEX: lds, les and bound with a register
    rb"|\xc6\xf8|\xc7\xf8"  # xabort, xbegin
    rb"|\xcd[^\x80]|[\x9d\xcf\xf1]"  # int n, popf, iret, int1
    rb"|[\x27\x2f\x37\x3f\x9c\x9f]"  # daa, das, aaa, aas, pushf, lahf
    rb"|\x8e|[\x07\x17\x1f]"  # mov and pop to a segment register
    rb"|\x2e(?!\x8d|\x0f\x1f)"  # cs as a prefix, but for the padding of assemblers: lea, nop
    # lock before what is not among the instructions that may be locked, with an operand in memory
    rb"|\xf0[^\x00\x01\x08-\x0b\x0f\x10\x11\x18\x19\x20\x21\x28\x29\x30\x31\x80-\x83\x86\x87\xf6\xf7\xfe\xff]"
    rb"|\xc8..[\x00-\x1f]"  # enter
    rb"|\x8f[\x08-\x3f\x48-\x7f\x88-\xbf\xc8-\xff]"  # pop with another middle field: XOP
    rb"|[\xc2\xca].[\x80-\xff]"  # ret, and many bytes to drop
)
"""Bytes that an erratum may begin with, prefixes aside. Alternatives of one first byte each are fast."""
_PREFIXES_OF = {(): b"", ("fs",): rb"|\x64", ("gs",): rb"|\x65", ("fs", "gs"): rb"|\x64|\x65"}
"""By which of fs and gs hold a null selector: code that uses one is suspect then."""
_MEMORY_FLOATS = rb"|[\xd9\xdd][\x00-\x07\x10-\x1f\x40-\x47\x50-\x5f\x80-\x87\x90-\x9f]"
"""fld, fst and fstp of a float or double in memory: suspect where NaNs are heeded."""
_SUSPICIONS = {
    (nulls, heeds_nans): _OPCODES + more + (_MEMORY_FLOATS if heeds_nans else b"")
    for nulls, more in _PREFIXES_OF.items()
    for heeds_nans in (False, True)
}
_SUSPECT = {key: re.compile(pattern, re.DOTALL) for key, pattern in _SUSPICIONS.items()}
_PLACES = {key: re.compile(rb"(?=" + pattern + rb")", re.DOTALL) for key, pattern in _SUSPICIONS.items()}
"""Matches at every suspect byte, also where the bytes of two suspicions overlap."""


class Treatment(enum.Enum):
    """What is done when the program comes to an erratum."""

    REFUSE = enum.auto()
    PROTECT = enum.auto()
    """It raises #GP."""
    CONSTANT = enum.auto()
    """An x87 constant, rounded as the control word says; Unicorn rounds to nearest."""
    STATUS = enum.auto()
    """It reads the x87 exception flags."""
    ENVIRONMENT = enum.auto()
    """It stores the x87 environment."""
    CLEAR = enum.auto()
    """It replaces the x87 exception flags."""
    CONTROL = enum.auto()
    """It may unmask x87 exceptions."""
    COMPUTE = enum.auto()
    """Arithmetic that `x87.py` does."""
    STORE_MXCSR = enum.auto()
    LOAD_MXCSR = enum.auto()
    MINIMUM = enum.auto()
    """Wrong where denormals count as 0."""
    ROUND = enum.auto()
    """It is told not to set the inexact flag."""
    ALIGNED = enum.auto()
    """It raises #GP unless its operand in memory lies on a multiple of 16."""
    SEGMENT = enum.auto()
    """It loads a segment register."""
    THREAD = enum.auto()
    """It uses fs or gs, which raises #GP while that is null."""
    ENTER = enum.auto()
    """It tries whether the stack may be written where esp comes to point."""
    EMPTY = enum.auto()
    """It empties the x87 stack, and may move its top to 0: AMD's processors do."""
    WIDE = enum.auto()
    """It loads a long double, which may be a denormal."""
    CLASSIFY = enum.auto()
    """It tells what kind of number there is; Unicorn takes an encoding that is none for a number."""
    COMPARE = enum.auto()
    """It clears OF, SF and AF, which Unicorn lets stand."""
    EXCHANGE = enum.auto()
    """cmpxchg8b, which leaves anything in the flags but ZF, where they were not computed before."""
    PROPAGATE = enum.auto()
    """It gives one of two NaNs, where both operands are one."""
    QUIETEN = enum.auto()
    """It makes a signalling NaN quiet on its way between an x87 register and memory."""
    FLAGS = enum.auto()
    """It may set a flag that traps, or return to another task."""


class C1(enum.Enum):
    """What is known of x87's condition code C1, the direction of rounding, before an instruction."""

    UNKNOWN = enum.auto()
    """Decided by an operation that rounded, or by one in another block."""
    CLEAR = enum.auto()
    EMULATED = enum.auto()
    """What Unicorn says."""


@dataclass(frozen=True, slots=True)
class Erratum:
    """An instruction that needs treatment."""

    address: int
    code: bytes
    mnemonic: str
    operands: str
    """Both as an assembler would print them."""
    treatment: Treatment
    c1: C1

    @property
    def text(self) -> str:
        """As an assembler would print it."""
        return f"{self.mnemonic} {self.operands}".strip()

    @property
    def name(self) -> str:
        """The mnemonic without prefixes."""
        return self.mnemonic.rpartition(" ")[2]

    @property
    def is_aligned(self) -> bool:
        """Whether its operand in memory has to lie on a multiple of 16."""
        return "xmmword ptr" in self.operands and self.name not in _NO_ALIGNMENT

    def covers(self, other: Erratum, *, c1_too: bool) -> bool:
        """Whether to treat this is to treat `other`."""
        same = (self.address, self.code, self.treatment) == (other.address, other.code, other.treatment)
        return same and (self.c1 in (other.c1, C1.UNKNOWN) or not c1_too)

    def joined(self, other: Erratum) -> Erratum:
        """Return this erratum, where `other` was found at its address before, in another block."""
        if self.code != other.code or self.c1 is other.c1:
            return self
        return replace(self, c1=C1.UNKNOWN)


_TREATMENTS = {
    Treatment.REFUSE: "f2xm1 fyl2x fyl2xp1 fpatan fptan fsin fcos fsincos fbstp fnsave frstor "
    "int1 xbegin xabort rsqrtss rsqrtps rcpss rcpps dpps dppd pcmpestri pcmpestrm extrq insertq "
    "movntss movntsd maskmovq maskmovdqu sgdt sidt sldt str smsw lar lsl verr verw lds les lss lfs lgs",
    Treatment.CONSTANT: "fldl2t fldl2e fldpi fldlg2 fldln2",
    Treatment.STATUS: "fnstsw",
    Treatment.ENVIRONMENT: "fnstenv",
    Treatment.CLEAR: "fnclex fninit fldenv",
    Treatment.CONTROL: "fldcw",
    Treatment.CLASSIFY: "fxam",
    Treatment.COMPUTE: "fprem fprem1 fscale fxtract fisttp",
    Treatment.STORE_MXCSR: "stmxcsr",
    Treatment.LOAD_MXCSR: "ldmxcsr",
    Treatment.MINIMUM: "minss minsd minps minpd maxss maxsd maxps maxpd",
    Treatment.PROPAGATE: "addss addsd addps addpd subss subsd subps subpd mulss mulsd mulps mulpd "
    "divss divsd divps divpd addsubps addsubpd haddps haddpd hsubps hsubpd",
    Treatment.ENTER: "enter",
    Treatment.EMPTY: "emms",
    Treatment.EXCHANGE: "cmpxchg8b",
    Treatment.COMPARE: "fcomi fcompi fucomi fucompi",
    Treatment.FLAGS: "popf popfd iret iretd",
}
_BY_MNEMONIC = {mnemonic: treatment for treatment, names in _TREATMENTS.items() for mnemonic in names.split()}
_OPEN_GATES = frozenset({"3", "4", "0x80"})
"""The vectors that ring 3 may ask for: those with DPL3 in arch/x86/kernel/idt.c."""
_SHOWS_ADJUST = frozenset({"pushf", "pushfd", "lahf", "aaa", "aas", "daa", "das"})
_ADJUST = {
    "defined": "add adc sub sbb cmp neg inc dec and or xor test xadd cmpxchg sahf popf popfd aaa aas daa das "
    "comiss comisd ucomiss ucomisd fcomi fcompi fucomi fucompi ptest popcnt",
    "undefined": "shl shr sal sar shld shrd mul imul div idiv bt bts btr btc bsf bsr lzcnt tzcnt aad aam",
}
_DEFINES_ADJUST, _UNDEFINES_ADJUST = (frozenset(names.split()) for names in _ADJUST.values())
"""Instructions by what becomes of AF; the rest let it stand."""
_ROUNDS = frozenset({"roundss", "roundsd", "roundps", "roundpd"})
_MOVES_FLOATS = frozenset({"fld", "fst", "fstp"})
_NO_ALIGNMENT = frozenset(
    # Of comisd and ucomisd Capstone prints an operand of sixteen bytes, though it has eight.
    {"movups", "movupd", "movdqu", "lddqu", "pcmpistri", "pcmpistrm", "comisd", "ucomisd"}
)
# Of the opcode maps in which newer processors put most of what is new, what was found exact.
_KNOWN = {
    "SSSE3": "pshufb phaddw phaddd phaddsw phsubw phsubd phsubsw pmaddubsw pmulhrsw psignb psignw psignd "
    "pabsb pabsw pabsd palignr",
    "SSE4.1": "pblendvb blendvps blendvpd ptest pmovsxbw pmovsxbd pmovsxbq pmovsxwd pmovsxwq pmovsxdq "
    "pmovzxbw pmovzxbd pmovzxbq pmovzxwd pmovzxwq pmovzxdq pmuldq pcmpeqq movntdqa packusdw "
    "pminsb pminsd pminuw pminud pmaxsb pmaxsd pmaxuw pmaxud pmulld phminposuw roundps roundpd "
    "roundss roundsd blendps blendpd pblendw pextrb pextrw pextrd extractps pinsrb pinsrd "
    "insertps mpsadbw",
    "SSE4.2": "pcmpgtq pcmpistri pcmpistrm crc32",
    "AES": "aesenc aesenclast aesdec aesdeclast aesimc aeskeygenassist pclmulqdq",
    "other": "movbe adcx adox cmpxchg8b lfence mfence sfence stmxcsr ldmxcsr xgetbv rdtscp lgdt lidt lmsw "
    "invlpg",
}
_KNOWN_GOOD = frozenset(name for names in _KNOWN.values() for name in names.split())
_NEWER_MAPS = re.compile(
    rb"[\x26\x2e\x36\x3e\x64-\x67\xf0\xf2\xf3]*(?:\x0f[\x01\x38\x3a\xae\xc7]|[\xc4\xc5\x62][\xc0-\xff])",
    re.DOTALL,
)
_WRITES_NO_MEMORY = re.compile(
    r"cmp|test|push|call|jmp|bt|i?mul|i?div|nop|prefetch\w+|clflush|ldmxcsr|fx?rstor"
    r"|f(?:i?(?:add|mul|com|comp|sub|subr|div|divr|ld)|bld|ldcw|ldenv)"
)
"""Instructions that write no operand in memory; the rest write the first, if they write one."""
_SEGMENT_REGISTER = re.compile("[defgs]s(?:,|$)")
_POP, _RETURNS, _MIDDLE_FIELD, _NEGATIVE = 0x8F, (0xC2, 0xCA), 0x38, 0x80
_EQUAL_ORDERED, _AGGREGATION, _NO_INEXACT = 0xC, 0xC, 8
"""In the last byte of pcmpistri and of roundsd."""
_ROUNDING = re.compile(
    r"f(?:i?(?:add|sub|subr|mul|div|divr)|(?:add|sub|subr|mul|div|divr)p|sqrt|rndint|ist|istp)"
)
_UNTOUCHED_C1 = frozenset({"fnstsw", "fnstcw", "fldcw", "fnop", "fnclex", "ffree"})
_SPOIL_CONDITIONS = frozenset({"fsqrt", "fincstp", "fdecstp"})
"""After these Unicorn's C0, C2 and C3 are not the processor's."""
_COMPARE = ("fcom", "fucom", "ficom", "ftst", "fninit")
_EMULATED_C1 = frozenset({"fxam", "fprem", "fprem1", "fscale", "fxtract", "fldenv"})


def find_errata(code: bytes, address: int, nulls: tuple[str, ...], *, heeds_nans: bool) -> list[Erratum]:
    """Return the errata in the block `code` at `address`; `nulls`: those of fs and gs that are null."""
    return [replace(erratum, address=address + erratum.address) for erratum in _look(code, nulls, heeds_nans)]


@cache
def _capstone() -> capstone.Cs:
    return capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32)


@lru_cache(maxsize=1 << 15)
def _look(code: bytes, nulls: tuple[str, ...], heeds_nans: bool) -> tuple[Erratum, ...]:
    """Return the errata of a block as if it began at 0.

    Remembered, for the same libraries are in every program.
    """
    if _SUSPECT[nulls, heeds_nans].search(code) is None:
        return ()
    errata: list[Erratum] = []
    passed: list[tuple[str, str]] = []
    end = 0
    places = (match.start() for match in _PLACES[nulls, heeds_nans].finditer(code))
    place = next(places, None)
    for start, size, mnemonic, operands in _capstone().disasm_lite(code, 0):
        if place is None:
            break
        end += size
        if place < end:
            contents = code[start:end]
            treatment = _treatment(contents, mnemonic, operands, nulls, heeds_nans=heeds_nans)
            if mnemonic in _SHOWS_ADJUST and _is_adjust_undefined(passed):
                treatment = Treatment.REFUSE
            if treatment is not None:
                errata.append(Erratum(start, contents, mnemonic, operands, treatment, _c1_after(passed)))
            while place is not None and place < end:
                place = next(places, None)
        passed.append((mnemonic, operands))
    if place is not None:
        rest = code[end:]
        errata.append(Erratum(end, rest, rest.hex(" "), "", Treatment.REFUSE, C1.UNKNOWN))
    return tuple(errata)


def _treatment(
    code: bytes, mnemonic: str, operands: str, nulls: tuple[str, ...], *, heeds_nans: bool
) -> Treatment | None:
    """Return the treatment that an instruction needs, if any."""
    name = mnemonic.rpartition(" ")[2]
    treatment = _BY_MNEMONIC.get(name)
    if _is_encoded_badly(code) or _is_refused(code, name, operands):
        treatment = Treatment.REFUSE
    elif name == "int" and operands not in _OPEN_GATES:
        treatment = Treatment.PROTECT
    elif name in ("mov", "pop") and _SEGMENT_REGISTER.match(operands):
        treatment = Treatment.SEGMENT
    elif name in _ROUNDS and code[-1] & _NO_INEXACT:
        treatment = Treatment.ROUND
    elif name in ("fist", "fistp") and operands.startswith("word"):
        treatment = Treatment.COMPUTE
    elif name == "fld" and operands.startswith("xword"):
        treatment = Treatment.WIDE
    elif heeds_nans and name in _MOVES_FLOATS and operands.startswith(("dword", "qword")):
        treatment = Treatment.QUIETEN
    elif treatment is None and "xmmword ptr" in operands and name not in _NO_ALIGNMENT:
        treatment = Treatment.ALIGNED
    if treatment is None and any(f"{segment}:" in operands for segment in nulls):
        return Treatment.THREAD
    return treatment


def _is_adjust_undefined(passed: list[tuple[str, str]]) -> bool:
    """Whether AF is what the architecture leaves open after the instructions `passed`."""
    for mnemonic, _ in reversed(passed):
        name = mnemonic.rpartition(" ")[2]
        if name in _DEFINES_ADJUST:
            return False
        if name in _UNDEFINES_ADJUST:
            return True
    return False


def _is_encoded_badly(code: bytes) -> bool:
    """Whether Unicorn misreads it: a number of bytes to drop, for it a signed one; XOP, for it a pop."""
    opcode = without_prefixes(code)
    return (opcode[0] in _RETURNS and opcode[2] >= _NEGATIVE) or (
        opcode[0] == _POP and opcode[1] & _MIDDLE_FIELD != 0
    )


def _is_refused(code: bytes, name: str, operands: str) -> bool:
    if name == "enter":
        # Sixteen bits wide, the processor changes half of ebp.
        return not operands.endswith(", 0") or OPERAND_SIZE in prefixes(code)
    if "cs:" in operands.partition(",")[0] and not _WRITES_NO_MEMORY.fullmatch(name):
        # Code segments are never writable; Unicorn does not look.
        return True
    if name in ("shld", "shrd"):
        # Of sixteen bits: with more than sixteen places to go, the result is anyone's.
        return OPERAND_SIZE in prefixes(code)
    if name in ("pcmpistri", "pcmpistrm") and code[-1] & _AGGREGATION == _EQUAL_ORDERED:
        return True
    if _NEWER_MAPS.match(code):
        # With MMX registers Unicorn forgets that they lie in those of x87.
        return name not in _KNOWN_GOOD or ("mm" in operands and "xmm" not in operands)
    return False


def _c1_after(passed: list[tuple[str, str]]) -> C1:
    """Return what is known of C1, and so of all condition codes, after the instructions `passed`."""
    known = None
    for mnemonic, operands in reversed(passed):
        if mnemonic[0] != "f" or mnemonic in _UNTOUCHED_C1:
            continue
        to_memory = mnemonic in ("fst", "fstp") and operands.startswith(("dword", "qword"))
        if known is None and mnemonic not in _EMULATED_C1:
            known = C1.UNKNOWN if to_memory or _ROUNDING.fullmatch(mnemonic) else C1.CLEAR
        if mnemonic in _SPOIL_CONDITIONS:
            return C1.UNKNOWN
        if mnemonic in _EMULATED_C1:
            return known or C1.EMULATED
        if mnemonic.startswith(_COMPARE):
            break
    return known or C1.UNKNOWN
