"""The x87 and SSE state beside Unicorn: exceptions that it keeps to itself, arithmetic that it does badly.

Unicorn rounds as the processor does, but its status word lacks the exception flags. They are gathered when
a program asks for them. What its operations have accrued is the only count there is: its own status word
has ZE set at times when the processor has not.

The flag of a denormal operand (DE) it does not know at all. But it can flush denormals to 0, and says
whether it did. So it is made to; as long as it has not, no result is different and no operand was a denormal.
Hardly any program ever meets one. Where one does, the run is made again without flushing from there on
(`SpecialMet`), and DE is not known any more. Of NaNs nan.py tells.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from unicorn import x86_const as x86

from inspector.errors import NotModelled
from inspector.predict.machine import x87
from inspector.predict.machine.engine import (
    DENORMAL_FLUSHED,
    DENORMALS_ARE_ZERO,
    EXCEPTIONS,
    FLUSH_TO_ZERO,
)
from inspector.predict.machine.rerun import Special

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.predict.machine.engine import Engine

CONTROL, CONTROL_SSE, ALL_EMPTY = 0x37F, 0x1F80, 0xFFFF
"""What Linux gives a new program: arch/x86/kernel/fpu/core.c:fpstate_init_user()."""

_MASKS, _ROUNDING_SHIFT, _TOP_SHIFT = 0x3F, 10, 11
_PRECISION = 0x300
_SSE_MASKS, _SSE_KNOWN, _MISALIGNED = 0x1F80, 0x2FFFF, 0x20000
"""Of MXCSR; _MISALIGNED is AMD's."""
_EMPTY, _REGISTERS = 3, 8
_FLAGS = 0x80FF
"""What fnclex clears: the exceptions, SF, ES and B."""
_ENVIRONMENT = struct.Struct("<HHHHHHIHHIHH")
"""Control, status and tag words; instruction pointer, its selector, opcode; data pointer, its selector."""
ENVIRONMENT_SIZE = _ENVIRONMENT.size
_RESERVED = 0xFFFF
_VECTORS = {f"xmm{number}": x86.UC_X86_REG_XMM0 + number for number in range(8)}


class Coprocessor:
    """The floating-point half of a processor."""

    def __init__(self, engine: Engine) -> None:
        """Begin as Linux lets a program begin."""
        self._engine = engine
        self.flushes = False
        """MXCSR asks for denormals to be taken or given as 0."""
        self.watches = True
        """Denormals are flushed to learn of them."""
        self.heeds_nans = False
        """Operands are looked at where they may be NaNs that Unicorn does not treat as the processor does."""
        self._denormal_is_uncertain = False
        self._inexact_is_uncertain = False
        engine.write(x86.UC_X86_REG_FPCW, CONTROL)
        engine.write(x86.UC_X86_REG_MXCSR, CONTROL_SSE)
        engine.write(x86.UC_X86_REG_FPTAG, ALL_EMPTY)
        self.set_switches()

    # --- denormals and NaNs ---------------------------------------------------------------------

    def set_switches(self) -> None:
        """Have denormals flushed as it is wanted now, after something else may have changed that."""
        self._engine.flush_denormals(
            x87=self.watches, sse_operands=self.watches or self.flushes, sse_results=self.flushes
        )

    def stop_watching(self) -> None:
        """Compute with denormals from now on. Raises NotModelled where Unicorn does that badly."""
        self.watches = False
        self._denormal_is_uncertain = True
        self.set_switches()
        self.check_precision(self._engine.read(x86.UC_X86_REG_FPCW))

    def doubt_denormal(self) -> None:
        """Note that a denormal may come to be loaded unseen."""
        self._denormal_is_uncertain = True

    def special_met(self) -> Special | None:
        """Return of which operands results may be wrong, if any.

        Raises NotModelled if there was a denormal that the program wanted flushed: Unicorn does so a little
        too often.
        """
        x87_accrued, sse_accrued = self._engine.accrued()
        if self.flushes and sse_accrued & DENORMAL_FLUSHED:
            raise NotModelled("a denormal number flushed to 0")
        # With 64 bits of precision x87 results are not flushed; but few are exact.
        if self.watches and (sse_accrued & DENORMAL_FLUSHED or x87_accrued & (DENORMAL_FLUSHED | x87.UE)):
            return Special.DENORMAL
        # Whatever makes a NaN of numbers sets IE, and so does any use of a signalling one.
        if not self.heeds_nans and (x87_accrued | sse_accrued) & x87.IE:
            return Special.NAN
        return None

    def knows_denormal(self) -> bool:
        """Whether the flag DE is known.

        A denormal in an x87 register is the last trace of an exact result that is one.
        """
        return not self._denormal_is_uncertain and not any(
            x87.is_denormal(self._number(index)) for index in range(_REGISTERS)
        )

    def check_precision(self, control: int) -> None:
        """Raise NotModelled for an x87 control word with which Unicorn rounds denormals a bit too early."""
        if not self.watches and control & _PRECISION != _PRECISION:
            raise NotModelled("a denormal number, and x87 precision below 64 bits")

    # --- status ---------------------------------------------------------------------------------

    @property
    def status(self) -> int:
        """The status word; for DE see `know_denormal`."""
        return self._engine.read(x86.UC_X86_REG_FPSW) & ~EXCEPTIONS | self._engine.accrued()[0] & EXCEPTIONS

    @status.setter
    def status(self, value: int) -> None:
        self._engine.set_accrued(x87=value & EXCEPTIONS)
        self._engine.write(x86.UC_X86_REG_FPSW, value)

    def gather(self, *, clear_c1: bool) -> None:
        """Bring the status word up to date."""
        self._engine.write(x86.UC_X86_REG_FPSW, self.status & ~(x87.C1 if clear_c1 else 0))

    def forget(self) -> None:
        """fnclex: clear the exception flags."""
        self.status = self._engine.read(x86.UC_X86_REG_FPSW) & ~_FLAGS

    def initialise(self) -> None:
        """Fninit."""
        self._load(CONTROL, 0, ALL_EMPTY, 0, 0, 0, 0)

    def environment(self, opcode_at: Callable[[int], int]) -> bytes:
        """What fnstenv stores; `opcode_at` tells the opcode of the x87 instruction at an address."""
        read = self._engine.read
        pointer = read(x86.UC_X86_REG_FIP)
        return _ENVIRONMENT.pack(
            read(x86.UC_X86_REG_FPCW),
            _RESERVED,
            self.status,
            _RESERVED,
            read(x86.UC_X86_REG_FPTAG),
            _RESERVED,
            pointer,
            read(x86.UC_X86_REG_FCS),
            opcode_at(pointer) if pointer else 0,
            read(x86.UC_X86_REG_FDP),
            read(x86.UC_X86_REG_FDS),
            _RESERVED,
        )

    def load_environment(self, contents: bytes) -> None:
        """Fldenv. Raises NotModelled if it unmasks exceptions."""
        control, _, status, _, tags, _, ip, cs, _, data, ds, _ = _ENVIRONMENT.unpack(contents)
        self.check_control(control)
        self._load(control, status, tags, ip, cs, data, ds)

    def _load(self, control: int, status: int, tags: int, ip: int, cs: int, data: int, ds: int) -> None:
        self.status = status
        for register, value in (
            (x86.UC_X86_REG_FPCW, control),
            (x86.UC_X86_REG_FPTAG, tags),
            (x86.UC_X86_REG_FIP, ip),
            (x86.UC_X86_REG_FCS, cs),
            (x86.UC_X86_REG_FDP, data),
            (x86.UC_X86_REG_FDS, ds),
        ):
            self._engine.write(register, value)

    # --- SSE ------------------------------------------------------------------------------------

    def gather_sse(self) -> None:
        """Bring MXCSR up to date."""
        accrued = self._engine.accrued()[1] & EXCEPTIONS
        if accrued & x87.PE and self._inexact_is_uncertain:
            raise NotModelled("the inexact flag after a rounding that does not set it")
        self._write_mxcsr(self._engine.read(x86.UC_X86_REG_MXCSR) & ~EXCEPTIONS | accrued)

    def _write_mxcsr(self, value: int) -> None:
        self._engine.write(x86.UC_X86_REG_MXCSR, value)
        self.set_switches()

    def doubt_inexact(self) -> bool:
        """Note a roundsd or the like that is not to set the inexact flag, as Unicorn does; False."""
        self._inexact_is_uncertain = True
        return False

    def is_valid_sse(self, value: int) -> bool:
        """Whether ldmxcsr takes `value`, rather than raise #GP."""
        return not value & ~_SSE_KNOWN

    def load_sse(self, value: int) -> None:
        """Ldmxcsr. Raises NotModelled if it unmasks exceptions, or operands may lie anywhere from then on."""
        if value & _MISALIGNED:
            raise NotModelled("misaligned operands of SSE allowed")
        if value & _SSE_MASKS != _SSE_MASKS:
            raise NotModelled("unmasked floating-point exceptions")
        self.flushes = bool(value & (DENORMALS_ARE_ZERO | FLUSH_TO_ZERO))
        self._engine.set_accrued(sse=value & EXCEPTIONS)
        self._write_mxcsr(value)

    # --- control word ---------------------------------------------------------------------------

    def check_control(self, control: int) -> None:
        """Raise NotModelled if an x87 control word unmasks an exception, or is one of `check_precision`."""
        if control & _MASKS != _MASKS:
            raise NotModelled("unmasked floating-point exceptions")
        self.check_precision(control)

    # --- arithmetic -----------------------------------------------------------------------------

    @property
    def rounds_to_nearest(self) -> bool:
        """The rounding mode is the usual one."""
        return self._rounding == x87.NEAREST

    @property
    def _rounding(self) -> int:
        return self._engine.read(x86.UC_X86_REG_FPCW) >> _ROUNDING_SHIFT & 3

    def compute(self, mnemonic: str) -> None:
        """Carry out fprem, fprem1, fscale or fxtract."""
        if mnemonic == "fxtract":
            outcome = x87.extract(self._register(0))
        elif mnemonic == "fscale":
            outcome = x87.scale(self._register(0), self._register(1), self._rounding)
        else:
            outcome = x87.remainder(self._register(0), self._register(1), nearest=mnemonic == "fprem1")
        self._set_top(outcome.value)
        if outcome.pushed is not None:
            self._push(outcome.pushed)
        self.status = self.status & ~outcome.sets | outcome.conditions | outcome.exceptions

    def integer(self, mnemonic: str, size: int) -> tuple[bytes, int]:
        """Return what fist, fistp or fisttp stores into `size` bytes, and the status bits it sets."""
        rounding = x87.ZERO if mnemonic == "fisttp" else self._rounding
        value, exceptions, c1 = x87.to_integer(self._register(0), size, rounding)
        return value.to_bytes(size, "little"), exceptions | c1

    def stored(self, mnemonic: str, status: int) -> None:
        """Note that a store has set `status`, and pop the stack if it does."""
        word = self.status & ~x87.C1 | status
        if mnemonic not in ("fist", "fst"):
            top = self._top
            self._tag(top, _EMPTY)
            word = word & ~(7 << _TOP_SHIFT) | (top + 1) % 8 << _TOP_SHIFT
        self.status = word

    def load(self, value: x87.Extended, exceptions: int) -> None:
        """Push what an fld has made of its operand."""
        self._push(value)
        self.status = self.status & ~x87.C1 | exceptions

    def point(self, ip: int, data: int | None) -> None:
        """Have the environment name the instruction that was carried out, and its operand in memory."""
        write = self._engine.write
        write(x86.UC_X86_REG_FIP, ip)
        write(x86.UC_X86_REG_FCS, self._engine.read(x86.UC_X86_REG_CS))
        if data is not None:
            write(x86.UC_X86_REG_FDP, data)
            write(x86.UC_X86_REG_FDS, self._engine.read(x86.UC_X86_REG_DS))

    @property
    def uppermost(self) -> x87.Extended:
        """What the top of the stack holds, in use or not."""
        return self._number(self._top)

    @property
    def holds_unsupported(self) -> bool:
        """Whether the top of the stack is in use, and not for a number or a NaN."""
        top, in_use = self.stack()
        return bool(in_use >> top & 1) and x87.is_unsupported(self._number(top))

    def classify_unsupported(self) -> None:
        """Set the condition codes as fxam does where it finds no number; C1 is the sign."""
        self.status = self.status & ~x87.CONDITIONS | (x87.C1 if x87.is_negative(self.uppermost) else 0)

    def vector(self, name: str) -> int:
        """Return an SSE register."""
        return self._engine.read_vector(_VECTORS[name])

    def set_vector(self, name: str, value: int, exceptions: int) -> None:
        """Set an SSE register to what an operation gives that sets `exceptions`."""
        self._engine.set_accrued(sse=self._engine.accrued()[1] | exceptions)
        self._engine.uc.reg_write(_VECTORS[name], value)

    def stack(self) -> tuple[int, int]:
        """Return which register is the top of the stack, and which hold a number, a bit each."""
        tags = self._engine.read(x86.UC_X86_REG_FPTAG)
        return self._top, sum(1 << n for n in range(_REGISTERS) if tags >> 2 * n & _EMPTY != _EMPTY)

    @property
    def _top(self) -> int:
        return self._engine.read(x86.UC_X86_REG_FPSW) >> _TOP_SHIFT & 7

    def _register(self, index: int) -> x87.Extended:
        number = (self._top + index) % 8
        if self._engine.read(x86.UC_X86_REG_FPTAG) >> 2 * number & _EMPTY == _EMPTY:
            raise NotModelled("x87 stack underflow")
        return self._number(number)

    def _number(self, number: int) -> x87.Extended:
        return x87.Extended(*self._engine.uc.reg_read(x86.UC_X86_REG_FP0 + number))

    def _set_top(self, value: x87.Extended) -> None:
        self._engine.uc.reg_write(x86.UC_X86_REG_FP0 + self._top, tuple(value))

    def _push(self, value: x87.Extended) -> None:
        top = (self._top - 1) % 8
        if self._engine.read(x86.UC_X86_REG_FPTAG) >> 2 * top & _EMPTY != _EMPTY:
            raise NotModelled("x87 stack overflow")
        self.status = self.status & ~(7 << _TOP_SHIFT) | top << _TOP_SHIFT
        self._tag(top, 0)
        self._set_top(value)

    def _tag(self, number: int, tag: int) -> None:
        tags = self._engine.read(x86.UC_X86_REG_FPTAG) & ~(_EMPTY << 2 * number)
        self._engine.write(x86.UC_X86_REG_FPTAG, tags | tag << 2 * number)
