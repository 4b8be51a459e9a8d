"""Instructions whose results depend on the machine, and are the caller's to give: cpuid, xgetbv, rdtsc."""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING

from unicorn import x86_const as x86

from inspector.errors import NotModelled
from inspector.predict.machine.event import CallGate
from inspector.predict.machine.instruction import LONGEST_INSTRUCTION, decode

if TYPE_CHECKING:
    from collections.abc import Callable

    import unicorn

    from inspector.predict.machine.engine import Engine
    from inspector.predict.machine.view import View

    Cpuid = Callable[[int, int], tuple[int, int, int, int]]
    """(leaf, subleaf) -> eax, ebx, ecx, edx."""

_REGISTERS = (x86.UC_X86_REG_EAX, x86.UC_X86_REG_EBX, x86.UC_X86_REG_ECX, x86.UC_X86_REG_EDX)
_XGETBV, _RDTSC, _RDTSCP = b"\x0f\x01\xd0", b"\x0f\x31", b"\x0f\x01\xf9"
_CLOSED_GATES = {
    b"AuthenticAMD": CallGate.SYSENTER,
    b"HygonGenuine": CallGate.SYSENTER,
    b"GenuineIntel": CallGate.SYSCALL,
}


class Answers:
    """What one processor answers."""

    def __init__(
        self,
        engine: Engine,
        view: View,
        cpuid: Cpuid,
        xcr0: int | None,
        read_tsc: Callable[[], int] | None,
    ) -> None:
        """Answer with `cpuid`, `xcr0` and `read_tsc`, as `Cpu` says of them."""
        self._engine = engine
        self._view = view
        self._cpuid = cpuid
        self._xcr0 = xcr0
        self._read_tsc = read_tsc

    @functools.cached_property
    def closed_gate(self) -> CallGate | None:
        """Which of sysenter and syscall raises #UD for a 32-bit program, by who made the processor.

        Source: arch/x86/entry/vdso/vdso32/system_call.S, which uses the other one.
        """
        _, first, third, second = self._cpuid(0, 0)
        return _CLOSED_GATES.get(struct.pack("<III", first, second, third))

    def on_cpuid(self, uc: unicorn.Uc, _data: object) -> int:
        """Answer cpuid, from a hook; Unicorn is not to."""
        answer = self._cpuid(uc.reg_read(x86.UC_X86_REG_EAX), uc.reg_read(x86.UC_X86_REG_ECX))
        for register, value in zip(_REGISTERS, answer, strict=True):
            uc.reg_write(register, value)
        return 1

    def give(self, ip: int) -> bool:
        """Carry out xgetbv or rdtsc at `ip`, where Unicorn has refused to; whether it was one.

        Raises NotModelled for a time-stamp counter that cannot be read.
        """
        code = self._view.peek(ip, len(_XGETBV))
        if code == _RDTSCP or code.startswith(_RDTSC):
            if self._read_tsc is None:
                raise NotModelled(f"instruction {text_at(self._view, ip)}", ip=ip)
            value, size = self._read_tsc(), len(_RDTSC)
            if code == _RDTSCP:
                size = len(_RDTSCP)
                self._engine.write(x86.UC_X86_REG_ECX, 0)  # which processor ran it, if anyone asks
        elif code == _XGETBV and self._xcr0 is not None and not self._engine.read(x86.UC_X86_REG_ECX):
            value, size = self._xcr0, len(_XGETBV)
        else:
            return False
        self._engine.write(x86.UC_X86_REG_EAX, value & 0xFFFF_FFFF)
        self._engine.write(x86.UC_X86_REG_EDX, value >> 32)
        self._engine.write(x86.UC_X86_REG_EIP, ip + size)
        return True


def text_at(view: View, address: int) -> str:
    """Return the instruction at an address as an assembler would print it; its bytes if there is none."""
    code = view.peek(address, LONGEST_INSTRUCTION)
    found = decode(code, address)
    return found.text if found is not None else code.hex(" ")
