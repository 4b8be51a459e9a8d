"""Why the program stopped: *stopped records as typed values.

Where several reasons coincide, the kernel settles which is reported first, and the rest follow at the next
resumes. A hardware breakpoint comes before everything its instruction would do, the fault of fetching it
from an absent page included. The entry and the return of a system call are two stops, and what the call
itself brings about (a new program, a child, a signal) comes between them. A signal is reported before it
is delivered, so a deadly one makes two stops: SignalReceived, then KilledBy. The return from a system call
is reported before a breakpoint on the instruction after it.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from inspector.model.address import VirtAddr
from inspector.observe.gdb.mi import text_of, tuple_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.observe.gdb.mi import Results


@dataclass(frozen=True, slots=True)
class BreakpointHit:
    """The instruction at `address` is next; it has not run."""

    address: VirtAddr
    number: int
    """The one `insert_hardware_breakpoint` returned."""


@dataclass(frozen=True, slots=True)
class SyscallEntry:
    """The kernel has been entered; the call has not begun."""

    number: int
    name: str
    """`exit_group`, or the number in digits if gdb knows no name."""


@dataclass(frozen=True, slots=True)
class SyscallReturn:
    """The call is over, its result in eax."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class SignalReceived:
    """A signal is about to be delivered; a fault has happened, but no handler or death yet."""

    name: str
    signo: int
    """0: a signal this tool has no number for."""
    code: int | None = None
    """si_code; None: not known."""
    address: VirtAddr | None = None
    """si_addr, for the signals of faults only."""


@dataclass(frozen=True, slots=True)
class Exited:
    """The process is gone, with this exit status."""

    status: int


@dataclass(frozen=True, slots=True)
class KilledBy:
    """The process is gone, killed by the signal of this name."""

    signal: str


@dataclass(frozen=True, slots=True)
class Execed:
    """The process runs another program, at its first instruction; eax is not 0 yet but -ENOSYS.

    gdb reads the new image's headers and first instruction before it reports this: those pages are present.
    """

    path: str


@dataclass(frozen=True, slots=True)
class Forked:
    """A child has been made; it runs free, untraced."""

    child: int
    shares_memory: bool
    """vfork: the parent waits until the child execs or exits."""


@dataclass(frozen=True, slots=True)
class Paused:
    """A stop nothing above describes; `reason` is gdb's word, or nothing after an attach."""

    reason: str


Stop: TypeAlias = (
    BreakpointHit
    | SyscallEntry
    | SyscallReturn
    | SignalReceived
    | Exited
    | KilledBy
    | Execed
    | Forked
    | Paused
)

FAULT_SIGNALS = frozenset({"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP"})
"""The signals whose siginfo has an address (sigaction(2), si_addr)."""


@dataclass(frozen=True, slots=True)
class SignalInfo:
    """The siginfo of the signal about to be delivered."""

    signo: int
    code: int
    address: VirtAddr
    """Meaningful for the signals of faults only: other signals keep other things there."""


_ADDRESS = re.compile("0x[0-9a-f]+")


def parse_stop(results: Results) -> Stop:
    """Return what the payload of a *stopped record means. A signal's siginfo is not part of it.

    Never raises: a payload that lacks what its reason promises is a Paused.
    """
    reason = text_of(results, "reason")
    try:
        return _PARSERS[reason](results) if reason in _PARSERS else Paused(reason)
    except ValueError:
        return Paused(reason)


def stop_address(results: Results) -> VirtAddr | None:
    """Return the program counter a *stopped record reports; None once there is no process."""
    address = text_of(tuple_of(results, "frame"), "addr")
    return VirtAddr(int(address, 16)) if _ADDRESS.fullmatch(address) else None


def _breakpoint(results: Results) -> Stop:
    address = stop_address(results)
    if address is None:
        return Paused("breakpoint-hit")
    return BreakpointHit(address, int(text_of(results, "bkptno")))


def _call(results: Results) -> tuple[int, str]:
    number = text_of(results, "syscall-number")
    return int(number), text_of(results, "syscall-name", number)


def _signal(results: Results) -> Stop:
    name = text_of(results, "signal-name")
    # gdb's "signal 0" is a stop that no signal caused: its own interruption of the program.
    return Paused("signal-received") if name in {"", "0"} else SignalReceived(name, signal_number(name))


def signal_number(name: str) -> int:
    """Return the number of the signal gdb calls `name` (`SIGSEGV`, `SIG34`); 0 if Linux has none such."""
    if name.removeprefix("SIG").isdecimal():
        return int(name.removeprefix("SIG"))
    known = signal.Signals.__members__.get(name)
    return 0 if known is None else int(known)


def signal_name(number: int) -> str:
    """Return what gdb calls signal `number`."""
    # Python has names of its own for the first and the last real-time signal.
    if number not in signal.valid_signals() or number >= signal.SIGRTMIN:
        return f"SIG{number}"
    return signal.Signals(number).name


_PARSERS: dict[str, Callable[[Results], Stop]] = {
    "breakpoint-hit": _breakpoint,
    "syscall-entry": lambda results: SyscallEntry(*_call(results)),
    "syscall-return": lambda results: SyscallReturn(*_call(results)),
    "signal-received": _signal,
    "exited-normally": lambda _: Exited(0),
    "exited": lambda results: Exited(int(text_of(results, "exit-code"), 8)),
    "exited-signalled": lambda results: KilledBy(text_of(results, "signal-name")),
    "exec": lambda results: Execed(text_of(results, "new-exec")),
    "fork": lambda results: Forked(int(text_of(results, "newpid")), shares_memory=False),
    "vfork": lambda results: Forked(int(text_of(results, "newpid")), shares_memory=True),
}
