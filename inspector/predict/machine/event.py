"""What can end a run of the processor."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspector.model.address import VirtAddr
    from inspector.model.vma import Access

DIVIDE_ERROR, BOUND_EXCEEDED, UNDEFINED_OPCODE, DOUBLE_FAULT = 0, 5, 6, 8
STACK_FAULT, GENERAL_PROTECTION = 12, 13
"""Vectors of exceptions."""


@dataclass(frozen=True, slots=True)
class PageFault:
    """#PF: `access` at `address` by the instruction at `ip`; `access` is exactly one of the three."""

    address: VirtAddr
    access: Access
    ip: VirtAddr


class CallGate(enum.Enum):
    """An instruction that asks the operating system for something."""

    INTERRUPT = "int 0x80"
    SYSENTER = "sysenter"
    SYSCALL = "syscall"


@dataclass(frozen=True, slots=True)
class SystemCall:
    """The registers are those of the caller, but `eip`, which already stands behind the instruction."""

    gate: CallGate


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """An address the caller asked to stop at; its instruction has been neither run nor fetched."""

    address: VirtAddr


@dataclass(frozen=True, slots=True)
class HardwareException:
    """An exception other than #PF, by its vector: 0 #DE, 3 #BP, 4 #OF, 5 #BR, 6 #UD, 12 #SS, 13 #GP."""

    vector: int
    ip: VirtAddr


@dataclass(frozen=True, slots=True)
class Halted:
    """The alarm has rung, perhaps amid an instruction: the processor cannot go on from here."""


Event = PageFault | SystemCall | Breakpoint | HardwareException | Halted
