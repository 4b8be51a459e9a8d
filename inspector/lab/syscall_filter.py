"""What a student's program may not ask of the kernel: to trace another, or addresses that are not random.

A loader is to work areas out; with these two it could execute the file it is given and look. It is a hurdle,
no proof.

    seccomp_data   nr (4 bytes) arch (4) instruction_pointer (8) args (6 x 8)

A refused call fails with EPERM. On x86-64 there are calls of i386 programs, and those of x32, whose numbers
have bit 30 set: the latter are refused altogether.
Source: kernel/seccomp.c; include/uapi/linux/seccomp.h, audit.h.
"""

from __future__ import annotations

import errno
import struct

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _RETURN = 0x20, 0x15, 0x35, 0x06
"""BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_JMP|BPF_JGE|BPF_K, BPF_RET|BPF_K."""
_NUMBER, _ARCHITECTURE = 0, 4
_X86_64, _I386 = 0xC000_003E, 0x4000_0003
_ALLOW, _REFUSE = 0x7FFF_0000, 0x0005_0000 | errno.EPERM
_X32 = 0x4000_0000
REFUSED = {
    _X86_64: (101, 135, 310, 311),  # ptrace, personality, process_vm_readv, process_vm_writev
    _I386: (26, 136, 347, 348),
}


def filter_program() -> bytes:
    """Return the filter as an array of struct sock_filter (code, jt, jf, k), eight bytes each."""
    blocks = {architecture: _block(architecture, numbers) for architecture, numbers in REFUSED.items()}
    code = [(_LOAD, 0, 0, _ARCHITECTURE)]
    for architecture, block in blocks.items():
        code.append((_JUMP_EQUAL, 0, len(block), architecture))
        code += block
    code.append((_RETURN, 0, 0, _REFUSE))  # an architecture that is neither
    return b"".join(struct.pack("<HBBI", *each) for each in code)


def _block(architecture: int, numbers: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """Return the instructions for one architecture; they end in a verdict."""
    tests = [(_JUMP_EQUAL, number) for number in numbers]
    if architecture == _X86_64:
        tests.append((_JUMP_GREATER_EQUAL, _X32))
    # A test that holds jumps over those that follow it, and over the permission, to the refusal.
    jumps = [(code, len(tests) - index, 0, value) for index, (code, value) in enumerate(tests)]
    return [(_LOAD, 0, 0, _NUMBER), *jumps, (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
