"""ptrace, as little of it as a stop at exec needs.

A process is started traced (it asks for that itself), led to the entry and then the return of its
execve, looked at, and killed or let go. All calls must come from the thread that started it.
"""

from __future__ import annotations

import ctypes
import os
import struct
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from signal import SIGKILL, SIGTRAP, Signals, pidfd_send_signal
from typing import TYPE_CHECKING

from inspector.errors import CannotObserve, NotModelled, ProcessVanished
from inspector.model.registers import REGISTER_NAMES, Registers
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.procfs.stat import parse_stat

if TYPE_CHECKING:
    from collections.abc import Iterator

_PTRACE_CONT, _PTRACE_DETACH, _PTRACE_SYSCALL = 7, 17, 24
_PTRACE_SETOPTIONS, _PTRACE_GETREGSET, _PTRACE_SETREGSET = 0x4200, 0x4204, 0x4205
_O_TRACESYSGOOD, _O_TRACEEXEC, _O_EXITKILL = 1, 0x10, 0x100000
_PTRACE_GET_SYSCALL_INFO = 0x420E
_PTRACE_SEIZE, _PTRACE_INTERRUPT = 0x4206, 0x4207
_EVENT_STOP = 128
_NT_PRSTATUS = 1
_WALL = 0x40000000
_ANY_NEWS = _WALL | os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT
_POLL_SECONDS = 0.001
_SYSCALL_STOP = SIGTRAP | 0x80

# struct user_regs_struct of i386: the order in which NT_PRSTATUS delivers registers.
_I386_ORDER = "ebx ecx edx esi edi ebp eax ds es fs gs orig_eax eip cs eflags esp ss".split()  # noqa: SIM905
_I386_REGS = struct.Struct(f"<{len(_I386_ORDER)}I")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


class _IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


@dataclass(frozen=True, slots=True)
class Stopped:
    """The tracee is stopped by `signal`; `event` is the PTRACE_EVENT, `syscall` a system-call stop."""

    signal: int
    event: int
    syscall: bool


@dataclass(frozen=True, slots=True)
class Gone:
    """The tracee has ended: with an exit status, or killed by a signal."""

    status: int | None
    signal: str | None


def _request(request: int, pid: int, address: int = 0, data: int = 0) -> None:
    if _libc.ptrace(request, pid, address, data) < 0:
        number = ctypes.get_errno()
        if number == 3:  # noqa: PLR2004 - ESRCH
            raise ProcessVanished(f"process {pid} ended while it was traced")
        raise CannotObserve(
            f"ptrace of process {pid} failed: {os.strerror(number)}", help="see `inspector doctor`"
        )


def wait(pid: int, seconds: float) -> Stopped | Gone:
    """Wait for the next stop or end of the tracee, a child of ours.

    Raises CannotObserve if it takes longer than `seconds`; the tracee is killed then.
    """
    with killed_after(pid, seconds) as expired:
        stop = next_stop(pid)
    if expired.is_set():
        raise CannotObserve(f"process {pid} did not stop within {seconds:g} s", help="raise --timeout")
    return stop


def next_stop(pid: int) -> Stopped | Gone:
    """Wait for the next stop or end of the tracee, a child of ours, however long it takes."""
    _, status = os.waitpid(pid, _WALL)
    if os.WIFSTOPPED(status):
        signal = os.WSTOPSIG(status)
        return Stopped(signal & 0x7F, status >> 16, syscall=signal == _SYSCALL_STOP)
    if os.WIFSIGNALED(status):
        return Gone(None, Signals(os.WTERMSIG(status)).name)
    return Gone(os.WEXITSTATUS(status), None)


@contextmanager
def killed_after(pid: int, seconds: float) -> Iterator[threading.Event]:
    """Kill `pid` if the block takes longer than `seconds`; the event tells."""
    expired = threading.Event()
    # By a pidfd: the block may reap the tracee while the timer goes off, and its number be another's.
    pidfd = os.pidfd_open(pid)

    def kill() -> None:
        expired.set()
        with suppress(ProcessLookupError):
            pidfd_send_signal(pidfd, SIGKILL)

    timer = threading.Timer(seconds, kill)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()
        timer.join()
        os.close(pidfd)


def set_options(pid: int) -> None:
    """Ask for marked system-call stops and for the tracee's death should this process die."""
    _request(_PTRACE_SETOPTIONS, pid, 0, _O_TRACESYSGOOD | _O_TRACEEXEC | _O_EXITKILL)


def seize(pid: int) -> None:
    """Begin to trace a running process that is not ours, without stopping it. Raises ProcessVanished."""
    try:
        _request(_PTRACE_SEIZE, pid)
    except CannotObserve:
        # One that has ended and is not yet reaped is refused like one that is forbidden.
        with ProcessFiles(pid) as files:
            if parse_stat(files.stat()).state in "ZX":
                raise ProcessVanished(f"process {pid} has ended") from None
        raise


def interrupt(pid: int, seconds: float) -> int:
    """Stop a seized process, and return the signal that `detach` must deliver: 0, or one on its way to it.

    A signal that arrives at that moment stops the tracee as well, before it is delivered, and is lost unless
    the tracer passes it on (ptrace(2), "Signal-delivery-stop"). Raises ProcessVanished if the process ends
    instead, and CannotObserve if it does not stop within `seconds`; it goes on.
    """
    _request(_PTRACE_INTERRUPT, pid)
    end = time.monotonic() + seconds
    # WNOWAIT: the end of a process is for its parent to hear of, and that may be ourselves.
    while (news := os.waitid(os.P_PID, pid, _ANY_NEWS)) is None:
        if time.monotonic() > end:
            # It may be in an uninterruptible sleep. It is not ours to kill.
            raise CannotObserve(f"process {pid} did not stop within {seconds:g} s", help="try again later")
        time.sleep(_POLL_SECONDS)
    if news.si_code not in (os.CLD_TRAPPED, os.CLD_STOPPED):
        raise ProcessVanished(f"process {pid} ended while it was traced")
    return 0 if news.si_status >> 8 == _EVENT_STOP else news.si_status & 0x7F


def release(pid: int, signal: int) -> None:
    """Let a seized process go on, delivering `signal`, whatever became of it meanwhile."""
    with suppress(CannotObserve):
        detach(pid, signal)


def continue_to_syscall(pid: int, signal: int = 0) -> None:
    """Let the tracee run to the next entry into, or return from, a system call."""
    _request(_PTRACE_SYSCALL, pid, 0, signal)


def resume(pid: int, signal: int = 0) -> None:
    """Let the tracee run, delivering `signal` if one is given."""
    _request(_PTRACE_CONT, pid, 0, signal)


def detach(pid: int, signal: int = 0) -> None:
    """Stop tracing."""
    _request(_PTRACE_DETACH, pid, 0, signal)


# struct ptrace_syscall_info at a return: op, padding, arch, ip, sp, then the signed result.
_SYSCALL_INFO = struct.Struct("<BxxxIQQq")


def syscall_result(pid: int) -> int:
    """Return what the system call just made returned: a value, or -errno.

    The tracee stands at the return of a system call, of whatever word size. Needs Linux 5.3.
    """
    buffer = ctypes.create_string_buffer(_SYSCALL_INFO.size)
    _request(_PTRACE_GET_SYSCALL_INFO, pid, len(buffer), ctypes.addressof(buffer))
    result: int = _SYSCALL_INFO.unpack(buffer.raw)[-1]
    return result


def registers(pid: int) -> Registers:
    """Return the user registers of a stopped i386 tracee.

    Raises NotModelled for a 64-bit one. Source: arch/x86/kernel/ptrace.c:x86_32_regsets.
    """
    values = _read_registers(pid)
    del values["orig_eax"]
    return Registers(**values)


def set_registers(pid: int, registers: Registers) -> None:
    """Set the user registers of a stopped i386 tracee; the number of its system call, if any, stays."""
    values = _read_registers(pid) | {name: getattr(registers, name) for name in REGISTER_NAMES}
    buffer = ctypes.create_string_buffer(_I386_REGS.pack(*(values[name] for name in _I386_ORDER)))
    vector = _IoVec(ctypes.addressof(buffer), _I386_REGS.size)
    _request(_PTRACE_SETREGSET, pid, _NT_PRSTATUS, ctypes.addressof(vector))


def _read_registers(pid: int) -> dict[str, int]:
    buffer = ctypes.create_string_buffer(512)
    vector = _IoVec(ctypes.addressof(buffer), len(buffer))
    _request(_PTRACE_GETREGSET, pid, _NT_PRSTATUS, ctypes.addressof(vector))
    if vector.length != _I386_REGS.size:
        raise NotModelled("64-bit program")
    return dict(zip(_I386_ORDER, _I386_REGS.unpack_from(buffer.raw), strict=True))
