"""The machine's own processor as a subject: a stopped i386 process whose memory and registers are ours.

It shares nothing with `inspector.observe`, so that a mistake common to both is seen.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tests.elfwriter import Elf

if TYPE_CHECKING:
    from pathlib import Path

READ, WRITE, EXECUTE = 1, 2, 4
GENERAL = ("eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp", "eip", "eflags")

_MMAP2, _MUNMAP, _MPROTECT, _RT_SIGACTION, _SIGALTSTACK = 192, 91, 125, 174, 186
_FIXED_PRIVATE_ANONYMOUS = 0x32
_SIGINFO_ONSTACK_NODEFER = 0x4 | 0x08000000 | 0x40000000
_TRACEME, _CONT, _GETREGSET, _SETREGSET, _SETOPTIONS = 0, 7, 0x4204, 0x4205, 0x4200
_EXITKILL = 0x100000
_NT_PRSTATUS, _NT_PRXFPREG = 1, 0x46E62B7F
_ORDER = "ebx ecx edx esi edi ebp eax ds es fs gs orig_eax eip cs eflags esp ss".split()  # noqa: SIM905
_STUB, _HANDLER, _ALTSTACK = 0x08048100, 0x08048110, 0x09000000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


class _IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


@dataclass
class State:
    """General registers by name, and the floating-point state as fxsave lays it out."""

    general: dict[str, int]
    fx: bytes


@dataclass(frozen=True)
class Trap:
    """An exception as the processor reported it: its vector, error code, and the address in CR2."""

    vector: int
    error: int
    cr2: int


@dataclass
class Stop:
    """What ended a run: a signal, the state then, and for a fault what the processor said."""

    signal: int
    state: State
    trap: Trap | None


def _become_traced() -> None:
    _libc.ptrace(_TRACEME, 0, 0, 0)


class Hardware:
    """A context manager. All calls must come from the thread that made it."""

    def __init__(self, directory: Path) -> None:
        """Start the process from a file written into `directory`."""
        program = directory / "subject"
        program.write_bytes(Elf(contents={0x100: b"\xcd\x80\xcc", 0x110: b"\xcc"}).build())
        program.chmod(0o755)
        self._process = subprocess.Popen([program], preexec_fn=_become_traced)  # noqa: PLW1509
        self.pid = self._process.pid
        self._wait()
        self._request(_SETOPTIONS, 0, _EXITKILL)
        self._memory = os.open(f"/proc/{self.pid}/mem", os.O_RDWR)
        self._first = self._registers()
        self.start = self.state()
        self.map(_ALTSTACK, 0x10000, READ | WRITE)
        self.write(_ALTSTACK, struct.pack("<III", _ALTSTACK + 0x1000, 0, 0xF000))
        self.syscall(_SIGALTSTACK, _ALTSTACK, 0)
        self.write(_ALTSTACK, struct.pack("<IIIII", _HANDLER, _SIGINFO_ONSTACK_NODEFER, 0, 0, 0))
        for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL):
            self.syscall(_RT_SIGACTION, number, _ALTSTACK, 0, 8)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._memory)
        self._process.kill()
        self._process.wait()

    # --- memory ---------------------------------------------------------------------------------

    def write(self, address: int, contents: bytes) -> None:
        """Store bytes, whatever the page's protection."""
        os.pwrite(self._memory, contents, address)

    def read(self, address: int, size: int) -> bytes:
        """Return bytes."""
        return os.pread(self._memory, size, address)

    def map(self, address: int, size: int, protection: int) -> None:
        """Map fresh anonymous memory in place of what was there."""
        found = self.syscall(_MMAP2, address, size, protection, _FIXED_PRIVATE_ANONYMOUS, 0xFFFF_FFFF, 0)
        if found != address:
            raise OSError(f"mmap at {address:#x} returned {found:#x}")

    def protect(self, address: int, size: int, protection: int) -> None:
        """Change the protection of mapped memory."""
        if self.syscall(_MPROTECT, address, size, protection):
            raise OSError(f"mprotect at {address:#x} failed")

    def unmap(self, address: int, size: int) -> None:
        """Unmap."""
        self.syscall(_MUNMAP, address, size)

    # --- running --------------------------------------------------------------------------------

    def syscall(self, number: int, *arguments: int) -> int:
        """Make a system call in the process; return eax as an unsigned number."""
        names = ("ebx", "ecx", "edx", "esi", "edi", "ebp")
        general = dict(self.start.general) | {"eax": number, "eip": _STUB}
        general |= dict(zip(names, arguments, strict=False))
        self._set(_NT_PRSTATUS, self._pack(general))
        self._continue(0)
        self._wait()
        return self.state().general["eax"]

    def run(self, state: State) -> Stop:
        """Run from `state` until a signal. What the signal is about to change is not changed."""
        self._set(_NT_PRSTATUS, self._pack(self.start.general | state.general))
        self._set(_NT_PRXFPREG, state.fx)
        self._continue(0)
        number = self._wait()
        after = self.state()
        trap = None if number == signal.SIGTRAP else self._trap(number)
        return Stop(number, after, trap)

    def _trap(self, number: int) -> Trap:
        """Let the signal be delivered, and read what the kernel put into the frame."""
        self._continue(number)
        if self._wait() != signal.SIGTRAP:
            raise OSError("the signal was not handled")
        # struct rt_sigframe_ia32: return address, signal, siginfo *, ucontext *; the ucontext holds flags,
        # link, stack_t and struct sigcontext_32: gs fs es ds edi esi ebp esp ebx edx ecx eax trapno err ...
        stack = self.state().general["esp"]
        (context,) = struct.unpack("<I", self.read(stack + 12, 4))
        saved = struct.unpack("<22I", self.read(context + 20, 88))
        return Trap(vector=saved[12], error=saved[13], cr2=saved[21])

    def state(self) -> State:
        """Return the state of the stopped process."""
        values = self._registers()
        return State({name: values[name] for name in GENERAL}, self._get(_NT_PRXFPREG, 512))

    def _registers(self) -> dict[str, int]:
        return dict(zip(_ORDER, struct.unpack("<17I", self._get(_NT_PRSTATUS, 68)), strict=True))

    # --- ptrace ---------------------------------------------------------------------------------

    def _pack(self, general: dict[str, int]) -> bytes:
        values = self._first | general | {"orig_eax": 0xFFFF_FFFF}
        return struct.pack("<17I", *(values[name] for name in _ORDER))

    def _request(self, request: int, address: int, data: int) -> None:
        if _libc.ptrace(request, self.pid, address, data) < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"ptrace {request:#x}: {os.strerror(number)}")

    def _get(self, kind: int, size: int) -> bytes:
        buffer = ctypes.create_string_buffer(size)
        vector = _IoVec(ctypes.addressof(buffer), size)
        self._request(_GETREGSET, kind, ctypes.addressof(vector))
        return buffer.raw[: vector.length]

    def _set(self, kind: int, contents: bytes) -> None:
        buffer = ctypes.create_string_buffer(contents, len(contents))
        vector = _IoVec(ctypes.addressof(buffer), len(contents))
        self._request(_SETREGSET, kind, ctypes.addressof(vector))

    def _continue(self, number: int) -> None:
        self._request(_CONT, 0, number)

    def _wait(self) -> int:
        _, status = os.waitpid(self.pid, 0x40000000)
        if not os.WIFSTOPPED(status):
            raise OSError(f"the subject ended: status {status:#x}")
        return os.WSTOPSIG(status)
