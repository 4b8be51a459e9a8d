"""Whether a bit of eax is looked at by the code that follows."""

from __future__ import annotations

import pytest

from inspector.predict.machine.liveness import is_looked_at

CODE = 0x1000
DENORMAL, ROUNDED = 1, 9


def looked_at(code: str, bit: int) -> bool:
    contents = bytes.fromhex(code)
    return is_looked_at(
        lambda at, size: contents[at - CODE : at - CODE + size] if at >= CODE else b"", CODE, "eax", bit
    )


@pytest.mark.parametrize(
    ("code", "denormal", "rounded"),
    [
        ("31 c0 b8 01 00 00 00 c3", True, True),
        ("b8 01 00 00 00 c3", False, False),
        ("b0 01 c3", False, True),
        ("b4 01 c3", True, False),
        ("9e 77 05 b8 01 00 00 00 b8 01 00 00 00 c3", False, False),
        ("9e 77 01 c3 b8 01 00 00 00 c3", True, True),
        ("f6 c4 45 b8 01 00 00 00 c3", False, False),
        ("f6 c4 47 b8 01 00 00 00 c3", False, True),
        ("80 e4 45 b0 00 c3", False, False),
        ("25 00 45 00 00 c3", False, False),
        ("83 e0 3d c3", False, False),
        ("83 e0 02 c3", True, False),
        ("89 c6 b8 00 00 00 00 81 e6 00 02 00 00 c3", False, True),
        ("a3 00 00 00 00 b8 01 00 00 00 c3", True, True),
        ("8b 00 b8 01 00 00 00 c3", True, True),
        ("0f 44 c2 c3", True, True),
        ("0b 45 08 83 e0 3d c3", False, False),
        ("0b 45 08 75 00 83 e0 3d c3", True, True),
        ("a9 00 45 00 00 74 00 31 d2 b8 00 00 00 00 c3", False, False),
        ("e8 00 00 00 00", True, True),
        ("eb fe", False, False),
        ("ff", True, True),
    ],
    ids=[
        "xor eax: an operand, for all that is known",
        "mov eax",
        "mov al",
        "mov ah",
        "sahf, two ways, mov eax",
        "sahf, one of two ways returns",
        "test ah without either",
        "test ah",
        "and ah",
        "and without either",
        "and without either, as a byte",
        "and with one",
        "copied, and masked",
        "stored",
        "used as an address",
        "cmov to eax",
        "or, then and",
        "or, and its flags used",
        "test without either, its flags used",
        "call",
        "a loop",
        "no instruction",
    ],
)
def test_what_is_looked_at(code: str, *, denormal: bool, rounded: bool) -> None:
    assert (looked_at(code, DENORMAL), looked_at(code, ROUNDED)) == (denormal, rounded)
