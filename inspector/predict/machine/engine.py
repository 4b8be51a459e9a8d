"""Unicorn through its C interface, where the Python binding is slow or lacks a thing.

The binding looks up a register's type and makes a fresh C object at each access: 1.4 us a register. Here
a read is one call into a buffer that stays. It also makes an exception of every end of a run, and three calls
of every TLB miss; both happen at every page fault.

Unicorn accumulates the exceptions of floating-point operations (inexact, overflow, ...) inside, but copies
them neither to the x87 status word nor to MXCSR, and offers no register for them. They stand in the saved
context, an opaque block of memory, at two bytes found once a process by experiment: the same division is
done twice, exact and inexact, and one byte differs. A little behind each stand two switches, found likewise:
whether denormal results, and denormal operands, are replaced by 0. Either is noted among the exceptions: the
one way to learn that there was a denormal. Likewise found is the number of the last exception, which Unicorn
holds to be still on its way to the program when the next one comes.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import unicorn
from unicorn import unicorn_const as uc_const
from unicorn import x86_const as x86
from unicorn.unicorn_py3.unicorn import (
    HOOK_CODE_CFUNC,
    HOOK_MEM_ACCESS_CFUNC,
    HOOK_TLB_FILL_CFUNC,
    uclib,
)

from inspector.errors import NotModelled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXCEPTIONS = 0x3F
"""IE DE ZE OE UE PE: the same six bits in the x87 status word, in MXCSR and in what Unicorn accrues."""
DENORMAL_FLUSHED = 0xC0
"""What Unicorn accrues besides: a denormal was taken, or given, as 0."""
DENORMALS_ARE_ZERO, FLUSH_TO_ZERO = 0x40, 0x8000
"""Bits of MXCSR."""
_INEXACT = 0x20
_NO_EXCEPTION = (-1).to_bytes(4, "little", signed=True)
_NEAR = 8
"""Bytes; what one kind of operation goes by lies together."""
_reg_read = uclib.uc_reg_read


class Engine:
    """One instance of Unicorn: an i386 without memory or hooks."""

    def __init__(self) -> None:
        """Create it; hooks and memory are added through `uc`.

        Raises NotModelled for a version of Unicorn that is not understood.
        """
        # Before it is there: each instance takes a gigabyte of addresses, of which there may be few.
        _accrued_offsets()
        _flush_offsets()
        _exception_offset()
        self.uc = _processor()
        self._handle = self.uc._uch  # noqa: SLF001 - what the C interface wants
        self._value = ctypes.c_uint64()
        self._reference = ctypes.byref(self._value)
        self._vector = (ctypes.c_uint64 * 2)()
        self._vector_reference = ctypes.byref(self._vector)
        self._groups: dict[tuple[int, ...], tuple[Any, Any, Any]] = {}
        self._context: Any = None
        self._on_miss: Any = None
        self._on_access: Any = None

    def run(self, address: int) -> None:
        """Run from `address` until something stops it; what it was, the hooks know.

        Raises what a hook has raised.
        """
        self.uc._hook_exception = None  # noqa: SLF001 - where hooks that the binding made leave it
        uclib.uc_emu_start(self._handle, address, 0, 0, 0)
        raised = self.uc._hook_exception  # noqa: SLF001
        if raised is not None:
            raise raised

    def on_tlb_miss(self, answer: Callable[[int, int], tuple[int, int] | None]) -> None:
        """Answer TLB misses: (address, UC_MEM_*) -> (physical address, UC_PROT_*), or None: a fault."""

        def fill(_handle: object, address: int, kind: int, entry: Any, _key: object) -> bool:  # noqa: ANN401
            try:
                found = answer(address, kind)
            except BaseException as error:  # noqa: BLE001 - C cannot pass it on; `run` does
                self.uc._hook_exception = error  # noqa: SLF001
                return False
            if found is None:
                return False
            filled = entry[0]
            filled.paddr, filled.perms = found
            return True

        self._on_miss = HOOK_TLB_FILL_CFUNC(fill)
        hook = ctypes.c_size_t()
        # An empty range of addresses is all of them.
        if uclib.uc_hook_add(
            self._handle, ctypes.byref(hook), uc_const.UC_HOOK_TLB_FILL, self._on_miss, None, 1, 0
        ):
            raise NotModelled("memory as page tables map it, which this version of Unicorn cannot show")

    def on_every_access(self, fetch: Callable[[int, int], None], access: Callable[[int, int], None]) -> None:
        """Tell of every instruction (address, size), before it runs, and of what it reads and writes.

        The latter by the physical address of its first byte. To be called before anything has run: each
        costs some 2 us.
        """

        def on_code(_handle: object, address: int, size: int, _key: object) -> None:
            try:
                fetch(address, size)
            except BaseException as error:  # noqa: BLE001 - C cannot pass it on; `run` does
                self._stop_for(error)

        def on_memory(_handle: object, _kind: int, address: int, size: int, *_: object) -> None:
            try:
                access(address, size)
            except BaseException as error:  # noqa: BLE001
                self._stop_for(error)

        self._on_access = HOOK_CODE_CFUNC(on_code), HOOK_MEM_ACCESS_CFUNC(on_memory)
        kinds = uc_const.UC_HOOK_CODE, uc_const.UC_HOOK_MEM_READ | uc_const.UC_HOOK_MEM_WRITE
        everything = ctypes.c_uint64(1), ctypes.c_uint64(0)
        for kind, callback in zip(kinds, self._on_access, strict=True):
            hook = ctypes.c_size_t()
            if uclib.uc_hook_add(self._handle, ctypes.byref(hook), kind, callback, None, *everything):
                raise NotModelled("single accesses to memory, which this version of Unicorn cannot show")

    def _stop_for(self, error: BaseException) -> None:
        self.uc._hook_exception = error  # noqa: SLF001
        self.uc.emu_stop()

    def read(self, register: int) -> int:
        """Return a register of at most 32 bits."""
        value = self._value
        value.value = 0
        _reg_read(self._handle, register, self._reference)
        return value.value

    def read_vector(self, register: int) -> int:
        """Return an SSE register."""
        _reg_read(self._handle, register, self._vector_reference)
        low, high = self._vector
        return int(low | high << 64)

    def write(self, register: int, value: int) -> None:
        """Set a register of at most 32 bits."""
        self._value.value = value
        uclib.uc_reg_write(self._handle, register, self._reference)

    def read_all(self, registers: tuple[int, ...]) -> Sequence[int]:
        """Return several registers of at most 32 bits each; the tuple is best a constant."""
        group = self._groups.get(registers)
        if group is None:
            count = len(registers)
            values = (ctypes.c_uint64 * count)()
            start = ctypes.addressof(values)
            group = (
                (ctypes.c_int * count)(*registers),
                (ctypes.c_void_p * count)(*(start + 8 * index for index in range(count))),
                values,
            )
            self._groups[registers] = group
        identifiers, pointers, values = group
        uclib.uc_reg_read_batch(self._handle, identifiers, pointers, len(registers))
        return list(values)

    def accrued(self) -> tuple[int, int]:
        """Return the exceptions accrued since they were last cleared, by x87 and by SSE operations."""
        x87, sse = _accrued_offsets()
        contents = self._saved()
        return contents[x87], contents[sse]

    def set_accrued(self, *, x87: int | None = None, sse: int | None = None) -> None:
        """Replace them. Not to be called from a hook."""
        contents = self._saved()
        for value, offset in zip((x87, sse), _accrued_offsets(), strict=True):
            if value is not None:
                contents[offset] = value
        self.uc.context_restore(self._context)

    def flush_denormals(self, *, x87: bool, sse_operands: bool, sse_results: bool) -> None:
        """Take denormals for 0, and note that in what is accrued. Not to be called from a hook.

        Loading MXCSR sets it otherwise.
        """
        contents = self._saved()
        results, operands = _flush_offsets()
        for at, switches in zip(_accrued_offsets(), ((x87, x87), (sse_results, sse_operands)), strict=True):
            contents[at + results], contents[at + operands] = switches
        self.uc.context_restore(self._context)

    def forget_exception(self) -> None:
        """Have the last exception delivered, so that the next one is not taken for a double fault."""
        contents = self._saved()
        at = _exception_offset()
        contents[at : at + len(_NO_EXCEPTION)] = _NO_EXCEPTION
        self.uc.context_restore(self._context)

    def _saved(self) -> Any:  # noqa: ANN401 - a ctypes array
        if self._context is None:
            self._context = self.uc.context_save()
        else:
            self.uc.context_update(self._context)
        return _contents(self._context)


def _processor() -> unicorn.Uc:
    uc = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_32)
    uc.ctl_set_cpu_model(x86.UC_CPU_X86_SKYLAKE_CLIENT)
    return uc


def _contents(context: Any) -> Any:  # noqa: ANN401
    return (ctypes.c_uint8 * context.size).from_address(context.context.value)


# fninit; fld1; fidiv dword [0x100]; ficom dword [0x104]; fstp st; fldz; fstp st; fninit
_X87_DIVISION = bytes.fromhex("dbe3 d9e8 da3500010000 da1504010000 ddd8 d9ee ddd8 dbe3")
# cvtsi2sd xmm1, [0x100]; cvtsi2sd xmm0, [0x104]; divsd xmm0, xmm1; pxor xmm0, xmm0; pxor xmm1, xmm1
_SSE_DIVISION = bytes.fromhex("f20f2a0d00010000 f20f2a0504010000 f20f5ec1 660fefc0 660fefc9")

_DIVISION_BY_0_AT, _DIVISION_BY_0 = 0x10, bytes.fromhex("f7f1")  # div ecx


@cache
def _accrued_offsets() -> tuple[int, int]:
    """Return where a saved context holds what x87 and SSE operations have accrued."""
    return _inexact_offset(_X87_DIVISION), _inexact_offset(_SSE_DIVISION)


@cache
def _flush_offsets() -> tuple[int, int]:
    """Return how far behind what is accrued stand the switches that flush denormal results, and operands."""
    x87, sse = _accrued_offsets()
    # Of flush-to-zero Unicorn sets the x87 switch.
    offsets = [
        {at - start for at in _switches_set_by(bit) for start in starts if 0 < at - start < _NEAR}
        for bit, starts in ((FLUSH_TO_ZERO, (x87, sse)), (DENORMALS_ARE_ZERO, (sse,)))
    ]
    if any(len(found) != 1 for found in offsets):
        raise _hidden("denormal numbers")
    (results,), (operands,) = offsets
    return results, operands


@cache
def _exception_offset() -> int:
    """Return where a saved context holds the number of the last exception."""
    uc = _processor()
    uc.mem_map(0, 0x1000)
    uc.mem_write(_DIVISION_BY_0_AT, _DIVISION_BY_0)
    context = uc.context_save()
    saved = [bytes(_contents(context))]
    with suppress(unicorn.UcError):
        uc.emu_start(_DIVISION_BY_0_AT, _DIVISION_BY_0_AT + len(_DIVISION_BY_0))
    uc.context_update(context)
    saved.append(bytes(_contents(context)))
    changes = (_NO_EXCEPTION, bytes(len(_NO_EXCEPTION)))
    found = [
        at
        for at in _differing(saved)
        if tuple(each[at : at + len(_NO_EXCEPTION)] for each in saved) == changes
    ]
    if len(found) != 1:
        raise _hidden("exceptions")
    return found[0]


def _inexact_offset(division: bytes) -> int:
    uc = _processor()
    uc.mem_map(0, 0x1000)
    uc.mem_write(0, division)
    uc.reg_write(x86.UC_X86_REG_CR4, 1 << 9)
    uc.mem_write(0x104, (1).to_bytes(4, "little"))
    # One context for both: its padding holds what malloc() left there, which in another would differ.
    context = uc.context_save()
    saved = []
    for divisor in (1, 3):
        uc.mem_write(0x100, divisor.to_bytes(4, "little"))
        uc.emu_start(0, len(division))
        uc.context_update(context)
        saved.append(bytes(_contents(context)))
    found = _differing(saved)
    if len(found) != 1 or saved[1][found[0]] != _INEXACT:
        raise _hidden("floating-point exceptions")
    return found[0]


def _switches_set_by(bit: int) -> list[int]:
    """Return where a saved context holds 1 if a bit of MXCSR is set, and 0 if not."""
    uc = _processor()
    context = uc.context_save()
    saved = []
    for value in (0, bit):
        uc.reg_write(x86.UC_X86_REG_MXCSR, value)
        uc.context_update(context)
        saved.append(bytes(_contents(context)))
    return [at for at in _differing(saved) if (saved[0][at], saved[1][at]) == (0, 1)]


def _differing(saved: Sequence[bytes]) -> list[int]:
    return [at for at, (one, other) in enumerate(zip(*saved, strict=True)) if one != other]


def _hidden(what: str) -> NotModelled:
    version = ".".join(map(str, unicorn.uc_version()[:2]))
    return NotModelled(f"{what}, which this version of Unicorn ({version}) hides")
