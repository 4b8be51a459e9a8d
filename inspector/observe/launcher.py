"""The launcher: a tiny i386 program that sets the stage inside the new process and calls execve.

It carries path, argv and envp in its own image, so no shell and no argument parser comes between the
user's words and the kernel. It asks to be traced, stops once (SIGTRAP) for the parent to set limits,
and then makes exactly one more system call. All its pages are present by then: whatever minor faults
follow the stop are execve's own.
"""

from __future__ import annotations

import os
import signal
import struct
from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SIZE
from inspector.observe.tiny_elf import Assembler, link

if TYPE_CHECKING:
    from inspector.model.program import Personality, Program

# System calls of arch/x86/entry/syscalls/syscall_32.tbl.
_CLOSE, _EXECVE, _PTRACE, _SIGNAL, _GETPPID = 6, 11, 26, 48, 64
_PERSONALITY, _PRCTL, _RT_SIGPROCMASK = 136, 172, 175

_PTRACE_TRACEME = 0
_PR_SET_PDEATHSIG = 1
_PR_SET_THP_DISABLE = 41
_PR_SET_PTRACER = 0x59616D61
_PTRACER_ANY = -1
_SIG_SETMASK = 2
_SIGNALS = 64

_BASE = 0x10000000
_LAST_STEPS_BYTES = 64
"""Room for the stop and the execve call, which must not fault in a page of their own."""

SETUP_FAILURES = {
    101: "it may not be traced (seccomp or another tracer forbids ptrace)",
    102: "the parent-death signal could not be set",
    103: "the tool ended while it was starting",
    104: "its personality could not be set",
    105: "its signals could not be reset",
}
"""What an exit status of the launcher means."""


def launcher_image(
    program: Program, *, parent: int, descriptor: int, personality: Personality | None = None
) -> bytes:
    """Return the launcher's ELF file for `program`.

    It is to be run as a child of process `parent`, and closes `descriptor`, through which it was run.
    `personality` is the program's own unless given.
    """
    asm = Assembler(_BASE)
    paths = _pointers(asm, program)
    entry = asm.here
    for address in range(_BASE, entry, PAGE_SIZE):
        asm.read_byte(address)

    asm.syscall(_CLOSE, descriptor)
    asm.syscall(_PTRACE, _PTRACE_TRACEME)
    asm.exit_unless_zero_or_more(101)
    # A tool killed with SIGKILL cannot clean up; the kernel does it. The parent may have died before
    # the request was made, hence the second look.
    asm.syscall(_PRCTL, _PR_SET_PDEATHSIG, signal.SIGKILL)
    asm.exit_unless_zero_or_more(102)
    asm.syscall(_GETPPID)
    asm.exit_unless_equal(parent, 103)
    # Yama (ptrace_scope 1) lets only a parent trace; gdb is a sibling. Without Yama this fails, unneeded.
    asm.syscall(_PRCTL, _PR_SET_PTRACER, _PTRACER_ANY)
    asm.syscall(_PRCTL, _PR_SET_THP_DISABLE, 1, 0, 0, 0)
    asm.syscall(_PERSONALITY, program.personality if personality is None else personality)
    asm.exit_unless_zero_or_more(104)
    for number in range(1, _SIGNALS + 1):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            asm.syscall(_SIGNAL, number, 0)
    asm.syscall(_RT_SIGPROCMASK, _SIG_SETMASK, paths.empty_set, 0, 8)
    asm.exit_unless_zero_or_more(105)
    asm.keep_on_one_page(_LAST_STEPS_BYTES)
    asm.breakpoint()
    asm.syscall(_EXECVE, paths.path, paths.argv, paths.envp)
    asm.exit(0)
    return link(asm, entry=entry)


class _Pointers:
    """Addresses of execve's arguments in the launcher's image."""

    __slots__ = ("argv", "empty_set", "envp", "path")

    def __init__(self, path: int, argv: int, envp: int, empty_set: int) -> None:
        self.path = path
        self.argv = argv
        self.envp = envp
        self.empty_set = empty_set


def _pointers(asm: Assembler, program: Program) -> _Pointers:
    def string(text: str) -> int:
        return asm.data(os.fsencode(text) + b"\0")

    def vector(strings: tuple[str, ...]) -> int:
        addresses = [string(text) for text in strings]
        return asm.data(struct.pack(f"<{len(addresses) + 1}I", *addresses, 0))

    return _Pointers(string(program.path), vector(program.argv), vector(program.envp), asm.data(bytes(8)))
