"""The filter, run by a small machine of its own: which calls it lets pass."""

from __future__ import annotations

import struct

import pytest

from inspector.lab.syscall_filter import filter_program

X86_64, I386, AARCH64 = 0xC000003E, 0x40000003, 0xC00000B7
ALLOWED, REFUSED, MISSING = 0x7FFF0000, 0x50001, 0x50026
CLONE = {X86_64: 56, I386: 120}


def verdict(architecture: int, number: int, argument: int = 0) -> int:
    """Interpret the program as kernel/seccomp.c has it interpreted."""
    code = list(struct.iter_unpack("<HBBI", filter_program()))
    data = struct.pack("<IIQQ", number, architecture, 0, argument)
    accumulator = at = 0
    while True:
        operation, if_true, if_false, value = code[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif operation == 0x15:
            at += if_true if accumulator == value else if_false
        elif operation == 0x35:
            at += if_true if accumulator >= value else if_false
        elif operation == 0x45:
            at += if_true if accumulator & value else if_false
        else:
            assert operation == 0x06
            return int(value)


@pytest.mark.parametrize(
    ("architecture", "refused"),
    [
        (X86_64, {29, 68, 101, 135, 272, 310, 311, 319, 447}),
        (I386, {26, 117, 136, 310, 347, 348, 356, 395, 399, 447}),
    ],
)
def test_only_these_calls_are_refused(architecture: int, refused: set[int]) -> None:
    verdicts = {number: verdict(architecture, number) for number in range(600)}
    assert {number for number, said in verdicts.items() if said == REFUSED} == refused
    assert {number for number, said in verdicts.items() if said == MISSING} == {435}
    assert set(verdicts.values()) == {ALLOWED, REFUSED, MISSING}


@pytest.mark.parametrize("architecture", CLONE)
def test_a_process_may_be_made_and_a_user_namespace_may_not(architecture: int) -> None:
    clone, newuser = CLONE[architecture], 0x10000000
    assert verdict(architecture, clone, 0x11) == ALLOWED
    assert verdict(architecture, clone, 0x11 | newuser) == REFUSED
    assert verdict(architecture, clone + 1, newuser) == ALLOWED


def test_calls_of_x32_and_other_machines_are_refused() -> None:
    assert verdict(X86_64, 0x40000000 | 1) == verdict(X86_64, 0xFFFFFFFF) == REFUSED
    assert {verdict(AARCH64, number) for number in range(600)} == {REFUSED}
