"""Signals: what an exception becomes, and what the process does about it (kernel/signal.c)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import VirtAddr
from inspector.model.ending import Ending

if TYPE_CHECKING:
    from inspector.predict.kernel.fault import Refused
    from inspector.predict.kernel.task import Task

SI_KERNEL = 0x80
_FPE_INTDIV, _ILL_ILLOPN, _TRAP_BRKPT = 1, 2, 1


@dataclass(frozen=True, slots=True)
class SignalInfo:
    """One signal (kernel_siginfo)."""

    name: str
    code: int
    address: VirtAddr
    """si_addr; 0 where the kernel names none."""


_EXCEPTIONS = {
    0: ("SIGFPE", _FPE_INTDIV, True),
    3: ("SIGTRAP", SI_KERNEL, False),
    4: ("SIGSEGV", SI_KERNEL, False),
    5: ("SIGSEGV", SI_KERNEL, False),
    6: ("SIGILL", _ILL_ILLOPN, True),
    11: ("SIGBUS", SI_KERNEL, False),
    12: ("SIGBUS", SI_KERNEL, False),
    13: ("SIGSEGV", SI_KERNEL, False),
}
"""Vector -> signal, si_code, whether the address is the instruction's. Source: arch/x86/kernel/traps.c."""


def from_exception(vector: int, ip: VirtAddr) -> SignalInfo:
    """Return the signal that a processor exception other than #PF becomes. Raises NotModelled."""
    if vector not in _EXCEPTIONS:
        raise NotModelled(f"processor exception {vector}", ip=ip)
    name, code, has_address = _EXCEPTIONS[vector]
    return SignalInfo(name, code, ip if has_address else VirtAddr(0))


def from_fault(refused: Refused) -> SignalInfo:
    """Return the signal of a page fault that could not be allowed."""
    return SignalInfo(refused.signal, refused.code, refused.address)


def is_fatal(_task: Task, _info: SignalInfo) -> bool:
    """Whether the signal ends the process: no handler is installed."""
    return True


def deliver(task: Task, info: SignalInfo) -> None:
    """End the process, for no handler is installed."""
    task.ending = Ending(signal=info.name, code=info.code, address=info.address)
