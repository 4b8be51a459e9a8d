"""Signals: what an exception becomes, who else sends one, and what is done about it (kernel/signal.c)."""

from __future__ import annotations

import signal
import struct
from dataclasses import dataclass, field, replace
from signal import Signals
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import VirtAddr
from inspector.model.ending import Ending
from inspector.model.fault import FaultMode
from inspector.model.vma import Access

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inspector.model.fault import Fault
    from inspector.predict.kernel.fault import Refused
    from inspector.predict.kernel.task import Task
    from inspector.predict.machine.cpu import State

SI_USER, SI_KERNEL, SI_TKILL = 0, 0x80, -6
SIG_DFL, SIG_IGN = 0, 1
SA_NOCLDWAIT, SA_SIGINFO, SA_RESTORER = 0x2, 0x4, 0x0400_0000
SA_ONSTACK, SA_NODEFER, SA_RESETHAND = 0x0800_0000, 0x4000_0000, 0x8000_0000
SS_ONSTACK, SS_DISABLE, SS_AUTODISARM = 1, 2, 1 << 31
LAST_SIGNAL = 64
_FIRST_REALTIME = 32
_FPE_INTDIV, _ILL_ILLOPN, _TRAP_BRKPT = 1, 2, 1
_PF_PROT, _PF_WRITE, _PF_USER, _PF_INSTR = 1, 2, 4, 16
_PAGE_FAULT = 14
_WITH_ERROR_CODE = frozenset({8, 10, 11, 12, 13, 17})

_SYNCHRONOUS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGTRAP, signal.SIGFPE, signal.SIGSYS)
_IGNORED = frozenset({signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH})
"""By default (SIG_KERNEL_IGNORE_MASK)."""
_STOPPING = frozenset({signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
NEVER_BLOCKED = 1 << signal.SIGKILL - 1 | 1 << signal.SIGSTOP - 1


@dataclass(frozen=True, slots=True)
class SignalInfo:
    """One signal (kernel_siginfo)."""

    number: int
    code: int
    """si_code."""
    address: VirtAddr | None = None
    """si_addr of a fault; 0 where the kernel names none. None: the signal has no such field."""
    sender: tuple[int, ...] = ()
    """si_pid and si_uid of one that a process sent; of a child's end what follows them, too."""

    @property
    def name(self) -> str:
        """`SIGSEGV`; of a real-time signal `SIG34`, as gdb calls it."""
        return f"SIG{self.number}" if self.number >= _FIRST_REALTIME else Signals(self.number).name

    def pack(self) -> bytes:
        """Return struct compat_siginfo, 128 bytes. Source: kernel/signal.c:copy_siginfo_to_external32()."""
        fields = self.sender if self.address is None else (self.address,)
        return struct.pack(f"<iii{len(fields)}I", self.number, 0, self.code, *fields).ljust(128, b"\0")


def signal_number(name: str) -> int:
    """Undo `SignalInfo.name`."""
    return int(name[3:]) if name[3:].isdecimal() else Signals[name].value


@dataclass(frozen=True, slots=True)
class Action:
    """What a process wants done about a signal (struct k_sigaction)."""

    handler: int = SIG_DFL
    flags: int = 0
    restorer: int = 0
    mask: int = 0
    """Signals blocked while the handler runs; signal n is bit n - 1."""

    @property
    def forgets_children(self) -> bool:
        """Whether, as the action for SIGCHLD, it leaves no zombies to wait for."""
        return self.handler == SIG_IGN or bool(self.flags & SA_NOCLDWAIT)


@dataclass(frozen=True, slots=True)
class AlternateStack:
    """Where handlers with SA_ONSTACK run (sigaltstack)."""

    sp: int = 0
    size: int = 0
    flags: int = 0

    def holds(self, esp: int) -> bool:
        """Whether `esp` lies on it (on_sig_stack())."""
        return not self.flags & SS_AUTODISARM and self.sp < esp <= self.sp + self.size


@dataclass(slots=True)
class SignalState:
    """What a process has decided about signals, and what waits for it."""

    actions: dict[int, Action] = field(default_factory=dict)
    blocked: int = 0
    pending: dict[int, SignalInfo] = field(default_factory=dict)
    """Sent to the thread: by the kernel for what it did, and by tkill. In order of arrival."""
    shared_pending: dict[int, SignalInfo] = field(default_factory=dict)
    """Sent to the process: by kill, and of a child's end. They come after the others."""
    stack: AlternateStack = field(default_factory=AlternateStack)
    saved_mask: int | None = None
    """The mask that sigsuspend replaced, to be put back by the handler's return."""
    trap: tuple[int, int, int] | None = None
    """trapno, err and cr2 of the last exception that became a signal. None: what execve has left there."""
    coprocessors: dict[int, State] = field(default_factory=dict)
    """What the coprocessor held, by where in a signal frame its image lies."""

    def inherited(self) -> SignalState:
        """Return what a child begins with: all but what was sent to its parent."""
        return replace(
            self,
            actions=dict(self.actions),
            pending={},
            shared_pending={},
            coprocessors=dict(self.coprocessors),
        )

    def action(self, number: int) -> Action:
        """Return the action for a signal."""
        return self.actions.get(number, _DEFAULT)

    def is_blocked(self, number: int) -> bool:
        """Whether a signal has to wait."""
        return bool(self.blocked >> number - 1 & 1)

    def is_ignored(self, number: int) -> bool:
        """Whether a signal would be thrown away."""
        handler = self.action(number).handler
        return handler == SIG_IGN or (handler == SIG_DFL and number in _IGNORED)

    @property
    def waiting(self) -> set[int]:
        """The numbers of all that wait, blocked or not."""
        return self.pending.keys() | self.shared_pending.keys()

    @property
    def interrupts(self) -> bool:
        """Whether a signal waits that ends sigsuspend: not one that is thrown away unseen."""
        return any(not self.is_blocked(number) and not self.is_ignored(number) for number in self.waiting)

    def flush(self, numbers: Iterable[int]) -> None:
        """Forget signals that wait. Source: kernel/signal.c:flush_sigqueue_mask()."""
        for number in numbers:
            self.pending.pop(number, None)
            self.shared_pending.pop(number, None)


_DEFAULT = Action()
_EXCEPTIONS = {
    0: (signal.SIGFPE, _FPE_INTDIV, True),
    3: (signal.SIGTRAP, SI_KERNEL, False),
    4: (signal.SIGSEGV, SI_KERNEL, False),
    5: (signal.SIGSEGV, SI_KERNEL, False),
    6: (signal.SIGILL, _ILL_ILLOPN, True),
    11: (signal.SIGBUS, SI_KERNEL, False),
    12: (signal.SIGBUS, SI_KERNEL, False),
    13: (signal.SIGSEGV, SI_KERNEL, False),
}
"""Vector -> signal, si_code, whether the address is the instruction's. Source: arch/x86/kernel/traps.c."""


def force_exception(task: Task, vector: int, ip: VirtAddr) -> None:
    """Send what a processor exception other than #PF becomes. Raises NotModelled."""
    if vector not in _EXCEPTIONS:
        raise NotModelled(f"processor exception {vector}", ip=ip)
    number, code, has_address = _EXCEPTIONS[vector]
    if vector in _WITH_ERROR_CODE and task.signals.action(number).handler not in (SIG_DFL, SIG_IGN):
        raise NotModelled(f"a handler that may see the error code of processor exception {vector}", ip=ip)
    _, _, cr2 = task.signals.trap or (0, 0, 0)
    task.signals.trap = (vector, 0, cr2)
    _force(task, SignalInfo(number, code, ip if has_address else VirtAddr(0)))


def force_fault(task: Task, refused: Refused, fault: Fault) -> None:
    """Send the signal of a page fault that could not be allowed."""
    error = _PF_PROT * bool(fault.protection) | _PF_WRITE * (fault.access is Access.WRITE)
    error |= _PF_USER * (fault.mode is FaultMode.USER) | _PF_INSTR * (fault.access is Access.EXECUTE)
    task.signals.trap = (_PAGE_FAULT, error, refused.address)
    _force(task, SignalInfo(Signals[refused.signal], refused.code, refused.address))


def force_sigsegv(task: Task, failed: int) -> None:
    """Send SIGSEGV since the frame of signal `failed` could not be written, or read back.

    Source: kernel/signal.c:force_sigsegv(), force_fatal_sig().
    """
    if failed == signal.SIGSEGV:
        task.signals.actions.pop(failed, None)
    _force(task, SignalInfo(signal.SIGSEGV, SI_KERNEL, VirtAddr(0)))


def _force(task: Task, info: SignalInfo) -> None:
    """Send a signal that cannot be refused. Source: kernel/signal.c:force_sig_info_to_task()."""
    state = task.signals
    if state.is_blocked(info.number) or state.action(info.number).handler == SIG_IGN:
        state.actions.pop(info.number, None)
        state.blocked &= ~(1 << info.number - 1)
    state.pending.setdefault(info.number, info)


def send(task: Task, info: SignalInfo, *, to_process: bool = False) -> None:
    """Send a signal to the one thread, or to the process.

    Source: kernel/signal.c:prepare_signal(), __send_signal_locked().
    """
    state = task.signals
    queue = state.shared_pending if to_process else state.pending
    if info.number in _STOPPING:
        state.flush([signal.SIGCONT])
    elif info.number == signal.SIGCONT:
        state.flush(_STOPPING)
    if not state.is_blocked(info.number) and state.is_ignored(info.number):
        return
    if info.number >= _FIRST_REALTIME and info.number in queue:
        raise NotModelled("a queue of real-time signals")
    queue.setdefault(info.number, info)


def get_signal(task: Task) -> SignalInfo | None:
    """Take the next signal that is not blocked; what is ignored is thrown away.

    Source: kernel/signal.c:get_signal(), dequeue_synchronous_signal(), next_signal().
    """
    state = task.signals
    for queue in (state.pending, state.shared_pending):
        while waiting := [info for info in queue.values() if not state.is_blocked(info.number)]:
            synchronous = [info for info in waiting if info.number in _SYNCHRONOUS]
            forced = [info for info in synchronous if info.code > 0 and queue is state.pending]
            info = forced[0] if forced else min(synchronous or waiting, key=lambda each: each.number)
            del queue[info.number]
            if not state.is_ignored(info.number):
                return info
    return None


def is_fatal(task: Task, info: SignalInfo) -> bool:
    """Whether the signal, taken by `get_signal`, ends the process."""
    return task.signals.action(info.number).handler == SIG_DFL and info.number not in _STOPPING


def deliver(task: Task, info: SignalInfo) -> None:
    """End the process, or have it run its handler. Raises NotModelled for a signal that stops it."""
    from inspector.predict.kernel.sigchld import hear_of_child
    from inspector.predict.kernel.sigframe import setup_frame

    if is_fatal(task, info):
        task.ending = Ending(signal=info.name, code=info.code, address=info.address)
        return
    state = task.signals
    action = state.action(info.number)
    if action.handler == SIG_DFL:
        raise NotModelled(f"a process stopped by {info.name}")
    if action.flags & SA_RESETHAND:
        state.actions[info.number] = replace(action, handler=SIG_DFL)
    if info.number == signal.SIGCHLD:
        hear_of_child(task, info)
    if not setup_frame(task, info, action):
        force_sigsegv(task, info.number)
        return
    # Source: kernel/signal.c:signal_delivered().
    state.saved_mask = None
    own = 0 if action.flags & SA_NODEFER else 1 << info.number - 1
    state.blocked |= (action.mask | own) & ~NEVER_BLOCKED
