"""What gdb's answers to our questions mean: registers, memory, siginfo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import VirtAddr
from inspector.model.registers import REGISTER_NAMES, Registers
from inspector.observe.gdb.mi import list_of, text_of
from inspector.observe.gdb.stops import SignalInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.observe.gdb.mi import Results

SIGINFO_QUESTIONS = tuple(
    f"-data-evaluate-expression $_siginfo.{field}"
    for field in ("si_signo", "si_code", "_sifields._sigfault.si_addr")
)
"""gdb refuses them where there is no siginfo."""

RESUME_FLAG = 0x10000
"""RF in eflags: no instruction breakpoint for the next instruction."""


def register_numbers(results: Results) -> dict[str, str]:
    """Return gdb's number -> name of the registers we know, from -data-list-register-names.

    Raises NotModelled if the registers are those of a 64-bit program.
    """
    names = list_of(results, "register-names")
    if "rip" in names:
        raise NotModelled("64-bit program")
    return {str(names.index(name)): name for name in REGISTER_NAMES}


def registers(results: Results, numbers: dict[str, str], *, at_breakpoint: bool) -> Registers:
    """Return the registers from `-data-list-register-values x`, asked for the keys of `numbers`.

    At a breakpoint the resume flag is the kernel's, on our behalf, and left out
    (arch/x86/kernel/hw_breakpoint.c:hw_breakpoint_handler()).
    """
    pairs = [pair for pair in list_of(results, "register-values") if isinstance(pair, dict)]
    values = {numbers[text_of(pair, "number")]: int(text_of(pair, "value"), 16) for pair in pairs}
    if at_breakpoint:
        values["eflags"] &= ~RESUME_FLAG
    return Registers(**values)


def memory(results: Results) -> bytes:
    """Return the bytes -data-read-memory-bytes found; fewer than asked for where some are not mapped."""
    blocks = [block for block in list_of(results, "memory") if isinstance(block, dict)]
    return b"".join(bytes.fromhex(text_of(block, "contents")) for block in blocks)


def siginfo(results: Sequence[Results]) -> SignalInfo:
    """Return the siginfo from the answers to `SIGINFO_QUESTIONS`."""
    signo, code, address = (int(text_of(each, "value"), 0) for each in results)
    return SignalInfo(signo, code, VirtAddr(address))
