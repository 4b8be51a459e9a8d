"""What a student's program may not ask of the kernel.

    to look          tracing another process, addresses that are not random: a loader is to work areas out,
                     and could execute the file it is given and look. It is a hurdle, no proof.
    to hide memory   files and segments that no address space shows once they are unmapped, and a user
                     namespace of its own, in which it could mount file systems in memory: what is bounded are
                     address spaces (process_tree.py)

A refused call fails with EPERM. clone3 is said not to be there (ENOSYS): its flags lie in memory, where a
filter does not look, and C libraries go on with clone. On x86-64 there are calls of i386 programs, and of
x32, whose numbers have bit 30 set: the latter are refused altogether.

    seccomp_data   nr (4 bytes) arch (4) instruction_pointer (8) args (6 x 8)

Source: kernel/seccomp.c; include/uapi/linux/seccomp.h, audit.h, sched.h; arch/x86/entry/syscalls/.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, ..JGE.., ..JSET.., BPF_RET|BPF_K."""
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _ERRNO = 0x7FFF_0000, 0x0005_0000
_REFUSE, _MISSING = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
_X32 = 0x4000_0000
_CLONE_NEWUSER = 0x1000_0000


@dataclass(frozen=True, slots=True)
class Calls:
    """The numbers of one architecture."""

    refused: tuple[int, ...]
    clone: int
    clone3: int = 435


_X86_64, _I386 = 0xC000_003E, 0x4000_0003
CALLS = {
    _X86_64: Calls(
        (
            *(101, 135, 310, 311),  # ptrace, personality, process_vm_readv, process_vm_writev
            *(319, 447, 29, 68, 272),  # memfd_create, memfd_secret, shmget, msgget, unshare
        ),
        clone=56,
    ),
    _I386: Calls(
        (
            *(26, 136, 347, 348),
            *(356, 447, 395, 399, 117, 310),  # 117 is ipc: shmget and msgget by an older way
        ),
        clone=120,
    ),
}


def filter_program() -> bytes:
    """Return the filter as an array of struct sock_filter (code, jt, jf, k), eight bytes each."""
    code = [(_LOAD, 0, 0, _ARCHITECTURE)]
    for architecture, calls in CALLS.items():
        block = _block(calls, x32=architecture == _X86_64)
        code.append((_JUMP_EQUAL, 0, len(block), architecture))
        code += block
    code.append((_RETURN, 0, 0, _REFUSE))  # an architecture that is neither
    return b"".join(struct.pack("<HBBI", *each) for each in code)


_END = (
    (_RETURN, 0, 0, _ALLOW),
    (_LOAD, 0, 0, _FIRST_ARGUMENT),
    (_JUMP_SET, 1, 0, _CLONE_NEWUSER),
    (_RETURN, 0, 0, _ALLOW),
    (_RETURN, 0, 0, _REFUSE),
    (_RETURN, 0, 0, _MISSING),
)
_TO_CLONE, _TO_REFUSE, _TO_MISSING = 1, 4, 5


def _block(calls: Calls, *, x32: bool) -> list[tuple[int, int, int, int]]:
    """Return the instructions for one architecture; they end in a verdict."""
    tests = [(_JUMP_EQUAL, number, _TO_REFUSE) for number in calls.refused]
    tests += [(_JUMP_EQUAL, calls.clone, _TO_CLONE), (_JUMP_EQUAL, calls.clone3, _TO_MISSING)]
    if x32:
        tests.append((_JUMP_GREATER_EQUAL, _X32, _TO_REFUSE))
    # A test that holds jumps over those that follow it, and into the end.
    last = len(tests) - 1
    jumps = [(code, last - index + to, 0, value) for index, (code, value, to) in enumerate(tests)]
    return [(_LOAD, 0, 0, _NUMBER), *jumps, *_END]
