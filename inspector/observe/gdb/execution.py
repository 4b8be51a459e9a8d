"""The program under gdb as it runs and stops: its state, and what each stop means."""

from __future__ import annotations

import enum
import time
from signal import SIGCONT, SIGTRAP
from typing import TYPE_CHECKING

from inspector.errors import GdbRefused
from inspector.model.address import VirtAddr
from inspector.observe.gdb import answers
from inspector.observe.gdb.breakpoints import Breakpoints
from inspector.observe.gdb.stops import (
    FAULT_SIGNALS,
    BreakpointHit,
    Execed,
    Exited,
    Forked,
    KilledBy,
    SignalInfo,
    SignalReceived,
    Stop,
    SyscallEntry,
    parse_stop,
    signal_name,
    stop_address,
)

if TYPE_CHECKING:
    from inspector.observe.deadline import Deadline
    from inspector.observe.gdb.connection import Answer, Connection
    from inspector.observe.gdb.target import Target

_TRAP_HWBKPT, _SI_KERNEL = 4, 128
"""si_code of the SIGTRAP of a debug register, and of an int3."""
_JOB_CONTROL = frozenset({"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"})


class State(enum.Enum):
    """What can be done with the program."""

    IDLE = "not attached to"
    STOPPED = "stopped"
    RUNNING = "running"
    GONE = "gone"
    """It has ended, or was let go."""


class Execution:
    """One program's run, from attach to its end."""

    def __init__(self, connection: Connection, command_timeout: float) -> None:
        """`command_timeout` is how many seconds gdb has for each answer."""
        self.state = State.IDLE
        self.breakpoints = Breakpoints(self.ask)
        self.siginfo: SignalInfo | None = None
        """Of the signal the program stopped for."""
        self.is_at_breakpoint = False
        self._is_at_entry = self._is_in_kernel = False
        self.deadline: Deadline | None = None
        """When the whole run must be over, should that be sooner."""
        self._connection = connection
        self._command_timeout = command_timeout
        self._ip: VirtAddr | None = None
        self._withheld: str | None = None
        """The signal that gdb would not deliver unless told to."""

    @property
    def is_attached(self) -> bool:
        """Whether gdb holds the process, or may hold it."""
        return self.state in {State.STOPPED, State.RUNNING}

    @property
    def patience(self) -> float:
        """How many seconds gdb has for its next answer."""
        if self.deadline is None:
            return self._command_timeout
        return min(self._command_timeout, self.deadline.left)

    def ask(self, *commands: str) -> list[Answer]:
        """Return gdb's answers to `commands`."""
        return self._connection.ask(*commands, timeout=self.patience)

    def require(self, state: State) -> None:
        """Raise GdbRefused unless the program is in `state`."""
        if self.state is not state:
            message = f"the program is {self.state.value}, not {state.value}"
            raise GdbRefused(message, help="stops, registers and breakpoints belong to a stopped program")

    def attach(self, pid: int) -> None:
        """Attach, and wait until the process has stopped."""
        self.state = State.RUNNING  # whatever happens now, gdb may have hold of it
        try:
            self.ask(f"-target-attach {pid}")
        except GdbRefused:
            self.state = State.IDLE
            raise
        self.next_stop(self.patience)

    def resume(self, target: Target, timeout: float, *, deliver_signal: bool) -> Stop:
        """Let the program run, or if it does already wait for it, until a stop worth reporting."""
        end = time.monotonic() + timeout
        if self.state is State.STOPPED:
            # A signal goes first: the program may be back here once its handler is through. And while the
            # kernel is at work for it, the next instruction is not what happens next.
            waits = self._is_in_kernel or (self.siginfo is not None and deliver_signal)
            due = None if waits else self.breakpoints.take_due(self._ip)
            if due is not None:
                self._set_resume_flag()
                self.is_at_breakpoint = True
                return due
            self.start(deliver_signal=deliver_signal)
        self.require(State.RUNNING)
        while True:
            stop = self.next_stop(max(0.0, end - time.monotonic()))
            if self._is_group_stop(stop):
                target.signal(SIGCONT)
            elif not isinstance(stop, BreakpointHit) or self.breakpoints.hit(stop.number, stop.address):
                return stop
            self.start(deliver_signal=True)

    def start(self, *, deliver_signal: bool) -> None:
        """Let the program run.

        Off a breakpoint it is sent by a jump to where it stands, for there the resume flag is on, and it
        does not stop again. Left to itself gdb would make a single step without the breakpoint. The kernel
        prepares for that by reading the instruction (arch/x86/kernel/step.c:is_setting_trap_flag()), which
        makes its page resident if it is absent: one fault less for the program.
        """
        signalled = self.siginfo is not None and deliver_signal
        if self._ip in self.breakpoints.addresses and not (signalled or self._is_in_kernel):
            command = f"-exec-jump *{self._ip:#x}"
        elif not deliver_signal:
            command = "signal 0"
        else:
            command = "-exec-continue" if self._withheld is None else f"signal {self._withheld}"
        preparation = self.breakpoints.prepare(self._ip, readable=signalled, aside=self._is_at_entry)
        self.ask(*preparation, command)
        self.state = State.RUNNING

    def next_stop(self, timeout: float) -> Stop:
        """Wait for the program's next stop, take note of it, and return what it means."""
        try:
            results = self._connection.next_stop(timeout).results
        except GdbRefused:
            self.state = State.STOPPED  # it could not be resumed
            raise
        stop = parse_stop(results)
        self.state = State.GONE if isinstance(stop, Exited | KilledBy) else State.STOPPED
        self._ip = stop_address(results)
        self.siginfo, self._withheld = None, None
        if isinstance(stop, BreakpointHit):
            stop = self._hit_or_signal(stop)
        elif isinstance(stop, SignalReceived):
            self.siginfo = self._read_siginfo()
            # gdb delivers no SIGTRAP of itself, the program's own int3 included.
            self._withheld = stop.name if stop.name == "SIGTRAP" else None
            if self.siginfo is not None:
                stop = _signal_received(stop.name, self.siginfo)
        self._is_at_entry = isinstance(stop, SyscallEntry)
        self._is_in_kernel = isinstance(stop, SyscallEntry | Forked | Execed)
        self.is_at_breakpoint = isinstance(stop, BreakpointHit)
        if not self.is_at_breakpoint:
            self.breakpoints.moved(self._ip)
        return stop

    def _set_resume_flag(self) -> None:
        """Do what the kernel does at a breakpoint that traps, for one that has not."""
        self.ask(f"set var $eflags = $eflags | {answers.RESUME_FLAG:#x}")

    def _hit_or_signal(self, hit: BreakpointHit) -> Stop:
        """Return what has really happened: gdb takes whatever befalls a breakpoint's instruction for a hit.

        SIGILL and SIGSEGV it takes for traps (gdb/infrun.c:handle_signal_stop()); after an int3 it sets eip
        back to it.
        """
        info = self._read_siginfo()
        if info is None or (info.signo == SIGTRAP and info.code == _TRAP_HWBKPT):
            return hit
        if info.signo == SIGTRAP and info.code != _SI_KERNEL:
            self._set_resume_flag()  # gdb's own step ended here: the breakpoint has yet to trap
            return hit
        if info.signo == SIGTRAP:
            self._ip = VirtAddr(hit.address + 1)
            self.ask(f"set var $eip = {self._ip:#x}")
        self.siginfo, self._withheld = info, signal_name(info.signo)
        return _signal_received(self._withheld, info)

    def _read_siginfo(self) -> SignalInfo | None:
        try:
            return answers.siginfo([answer.results for answer in self.ask(*answers.SIGINFO_QUESTIONS)])
        except GdbRefused:
            return None

    def _is_group_stop(self, stop: Stop) -> bool:
        """Whether the process has been stopped by a signal, as opposed to: is about to receive it.

        gdb reports both alike; only the latter has a siginfo (ptrace(2), "Group-stop").
        """
        return isinstance(stop, SignalReceived) and stop.name in _JOB_CONTROL and self.siginfo is None


def _signal_received(name: str, info: SignalInfo) -> SignalReceived:
    # A signal that a process sent (si_code <= 0) has that process where a fault has its address.
    is_fault = name in FAULT_SIGNALS and info.code > 0
    return SignalReceived(name, info.signo, info.code, info.address if is_fault else None)
