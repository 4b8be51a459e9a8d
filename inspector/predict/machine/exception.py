"""Which exception the processor raises, or which gate the program takes, where Unicorn has stopped.

Habits of Unicorn that are undone here, so that they are never seen:

  - It reads the operand of a read-modify-write first and would report a read; the hardware reports one
    write.
  - It names the page of a fault; the hardware, in CR2, the first byte it could not reach.
  - It delivers no exception, and so takes the next one for a fault within the last (#DF).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import unicorn
from unicorn import x86_const as x86

from inspector.errors import NotModelled
from inspector.model.address import VirtAddr, page_down
from inspector.model.vma import Access
from inspector.predict.machine.answers import text_at
from inspector.predict.machine.event import (
    DOUBLE_FAULT,
    GENERAL_PROTECTION,
    UNDEFINED_OPCODE,
    CallGate,
    HardwareException,
    PageFault,
    SystemCall,
)
from inspector.predict.machine.instruction import LONGEST_INSTRUCTION, Instruction, decode

if TYPE_CHECKING:
    from inspector.predict.machine.answers import Answers
    from inspector.predict.machine.cpu import Cpu
    from inspector.predict.machine.engine import Engine
    from inspector.predict.machine.event import Event

_VECTOR_SYSCALL = 0x80
_GATE_SIZE = 2
"""Bytes of sysenter and of syscall."""


class Exceptions:
    """The exceptions and gates of one processor, and the hooks that see them."""

    def __init__(self, cpu: Cpu, engine: Engine, answers: Answers) -> None:
        """Stop `cpu`, which runs on `engine`, at each; but `answers` says what some instructions give."""
        self._cpu = cpu
        self._engine = engine
        self._answers = answers
        hook = engine.uc.hook_add
        hook(unicorn.UC_HOOK_INTR, self._on_interrupt)
        hook(unicorn.UC_HOOK_INSN_INVALID, self._on_unknown)
        hook(unicorn.UC_HOOK_INSN, answers.on_cpuid, aux1=x86.UC_X86_INS_CPUID)
        for instruction, gate in (
            (x86.UC_X86_INS_SYSENTER, CallGate.SYSENTER),
            (x86.UC_X86_INS_SYSCALL, CallGate.SYSCALL),
        ):
            hook(unicorn.UC_HOOK_INSN, self._on_gate, gate, aux1=instruction)
        hook(unicorn.UC_HOOK_INSN, self._on_port, aux1=x86.UC_X86_INS_IN)
        hook(unicorn.UC_HOOK_INSN, self._on_port, aux1=x86.UC_X86_INS_OUT)

    def page_fault(self, ip: VirtAddr, page: int, access: Access) -> PageFault | HardwareException:
        """Return what the instruction at `ip` raises, for which Unicorn lacks `page`."""
        if access is Access.EXECUTE:
            return PageFault(VirtAddr(ip if page_down(ip) == page else page), access, ip)
        found = self._instruction(ip)
        if found is not None:
            if found.loses_carry and access is Access.WRITE:
                raise NotModelled(f"a page fault within {found.text}", ip=ip)
            if found.modifies:
                access = Access.WRITE
            refused = found.first_refused(access, self._cpu.view.allows, self._cpu.register_or_base)
            if isinstance(refused, int):
                return HardwareException(refused, ip)
            if refused is not None:
                return PageFault(*refused, ip)
        return PageFault(VirtAddr(page), access, ip)

    def stuck(self, ip: VirtAddr) -> Event | None:
        """Return what it means that Unicorn does not get beyond `ip` and gives no reason.

        It gives up without a word at a fault within a fault within a fault, as it sees it.
        """
        return self._interrupted(DOUBLE_FAULT, ip)

    def _interrupted(self, vector: int, ip: VirtAddr) -> Event | None:
        """Return what an exception means; None: nothing, go on."""
        if vector == _VECTOR_SYSCALL:
            return SystemCall(CallGate.INTERRUPT)
        self._engine.forget_exception()
        if vector not in (DOUBLE_FAULT, GENERAL_PROTECTION):
            return HardwareException(vector, ip)
        if self._answers.give(ip):
            return None
        found = self._instruction(ip)
        if found is not None and found.loads_segment:
            # The kernel's own GDT holds more, 64-bit code for one: arch/x86/kernel/cpu/common.c:gdt_page.
            raise NotModelled(f"a segment that {found.text} asks for", ip=ip)
        if vector == DOUBLE_FAULT:
            vector = found.exception if found is not None else GENERAL_PROTECTION
        return HardwareException(vector, ip)

    def _unknown(self, ip: VirtAddr) -> Event | None:
        """Tell an instruction that is meant to raise #UD from one that Unicorn does not know."""
        if self._answers.give(ip):
            return None
        found = self._instruction(ip)
        if found is not None and found.is_undefined:
            return HardwareException(UNDEFINED_OPCODE, ip)
        raise NotModelled(f"instruction {text_at(self._cpu.view, ip)}", ip=ip)

    def _gate(self, gate: CallGate, ip: VirtAddr) -> Event:
        if gate is not self._answers.closed_gate:
            return SystemCall(gate)
        ip = VirtAddr(ip - _GATE_SIZE)
        self._cpu.write("eip", ip)
        return HardwareException(UNDEFINED_OPCODE, ip)

    def _instruction(self, ip: int) -> Instruction | None:
        return decode(self._cpu.peek(ip, LONGEST_INSTRUCTION), ip)

    # --- hooks ----------------------------------------------------------------------------------

    def _on_interrupt(self, _uc: object, vector: int, _data: object) -> None:
        self._cpu.stop(lambda ip: self._interrupted(vector, ip))

    def _on_unknown(self, _uc: object, _data: object) -> bool:
        self._cpu.stop(self._unknown)
        return False

    def _on_gate(self, _uc: object, gate: CallGate) -> None:
        self._cpu.stop(lambda ip: self._gate(gate, ip))

    def _on_port(self, *_: object) -> int:
        # Unicorn does not look whether the program may use ports, and is past the instruction when it stops.
        def refuse(ip: VirtAddr) -> Event:
            raise NotModelled("an instruction that uses a port", ip=ip)

        self._cpu.stop(refuse)
        return 0
