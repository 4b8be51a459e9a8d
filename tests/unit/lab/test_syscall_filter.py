"""The filter, run by a small machine of its own: which calls it lets pass."""

from __future__ import annotations

import struct

import pytest

from inspector.lab.syscall_filter import filter_program

X86_64, I386, AARCH64 = 0xC000003E, 0x40000003, 0xC00000B7
ALLOWED, REFUSED = 0x7FFF0000, 0x50001


def verdict(architecture: int, number: int) -> int:
    """Interpret the program as kernel/seccomp.c has it interpreted."""
    code = list(struct.iter_unpack("<HBBI", filter_program()))
    data = struct.pack("<II", number, architecture)
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
        else:
            assert operation == 0x06
            return int(value)


@pytest.mark.parametrize(
    ("architecture", "refused"), [(X86_64, {101, 135, 310, 311}), (I386, {26, 136, 347, 348})]
)
def test_only_these_calls_are_refused(architecture: int, refused: set[int]) -> None:
    assert {number for number in range(600) if verdict(architecture, number) == REFUSED} == refused
    assert {verdict(architecture, number) for number in range(600)} == {ALLOWED, REFUSED}


def test_calls_of_x32_and_other_machines_are_refused() -> None:
    assert verdict(X86_64, 0x40000000 | 1) == verdict(X86_64, 0xFFFFFFFF) == REFUSED
    assert {verdict(AARCH64, number) for number in range(600)} == {REFUSED}
