"""Random states of a processor: registers, floating-point state and memory worth trying."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tests.live.hardware import State

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

CODE, DATA, STACK = 0x10000000, 0x20000000, 0x20003800
DATA_SIZE = 0x4000
_EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 31, 32, 33)
_FLAGS = 0x8D5
_FORMATS = {4: (23, 8), 8: (52, 11), 10: (64, 15)}
"""Bytes of a number to the bits of its fraction and of its exponent."""
_CONDITIONS, _PRECISION = 0x4500, 0x300
"""C0, C2 and C3 of the status word; the precision in the control word."""
_CONTROLS = (0x37F, 0x37F, 0x37F, 0x27F, 0x07F, 0xF7F, 0xB7F, 0x77F)
"""x87 control words: every precision and every way of rounding, all exceptions masked."""
_SSE_CONTROLS = (0x1F80,) * 5 + (0x3F80, 0x5F80, 0x7F80, 0x9F80, 0x1FC0)
"""Values of MXCSR: every way of rounding, and denormals for 0 as results or as operands."""

_SINGLES = (
    0,
    0x80000000,
    0x3F800000,
    0xBF800000,
    0x7F800000,
    0xFF800000,
    0xFFC00000,
    0x7FC00001,
    0x7F800001,
    1,
    0x7FFFFF,
    0x7F7FFFFF,
)
_DOUBLES = (
    0,
    1 << 63,
    0x3FF << 52,
    0xBFF << 52,
    0x7FF << 52,
    0xFFF << 52,
    0xFFF8 << 48,
    0x7FF8 << 48 | 1,
    0x7FF << 52 | 1,
    1,
    (1 << 52) - 1,
)
_EXTENDEDS = (
    (0, 0),
    (0, 0x8000),
    (1 << 63, 0x3FFF),
    (1 << 63, 0x7FFF),
    (1 << 63, 0xFFFF),
    (3 << 62, 0xFFFF),
    (1 << 63 | 1, 0x7FFF),
    (1 << 62 | 1, 0x7FFF),
    (1 << 62, 0xBFFF),
    (1, 0),
)


def _is_denormal(number: bytes) -> bool:
    """Whether a float, a double or a long double is neither zero nor has a leading one."""
    fraction, exponent, _ = _fields(number)
    return not exponent and bool(fraction)


def _fields(number: bytes) -> tuple[int, int, int]:
    bits, width = _FORMATS[len(number)]
    value = int.from_bytes(number, "little")
    return value & (1 << bits) - 1, value >> bits & (1 << width) - 1, value >> bits + width


def single(source: random.Random) -> bytes:
    """Return a float: special, ordinary or of any exponent."""
    kind = source.random()
    if kind < 0.2:
        return struct.pack("<I", source.choice(_SINGLES))
    if kind < 0.7:
        return struct.pack("<f", source.uniform(-1000, 1000))
    return struct.pack(
        "<I", source.getrandbits(23) | source.randrange(255) << 23 | source.getrandbits(1) << 31
    )


def double(source: random.Random) -> bytes:
    """Return a double, likewise."""
    kind = source.random()
    if kind < 0.2:
        return struct.pack("<Q", source.choice(_DOUBLES))
    if kind < 0.7:
        return struct.pack("<d", source.uniform(-1000, 1000))
    return struct.pack(
        "<Q", source.getrandbits(52) | source.randrange(2047) << 52 | source.getrandbits(1) << 63
    )


def extended(source: random.Random) -> bytes:
    """Return a long double, likewise, in ten bytes."""
    kind = source.random()
    if kind < 0.2:
        return struct.pack("<QH", *source.choice(_EXTENDEDS))
    sign = source.getrandbits(1) << 15
    if kind < 0.5:
        return struct.pack(
            "<QH", 1 << 63 | source.getrandbits(10) << 53, 0x3FFF + source.randint(-12, 12) | sign
        )
    if kind < 0.9:
        return struct.pack("<QH", 1 << 63 | source.getrandbits(63), 0x3FFF + source.randint(-70, 70) | sign)
    return struct.pack("<QH", 1 << 63 | source.getrandbits(63), source.randint(1, 0x7FFE) | sign)


def word(source: random.Random) -> int:
    """Return 32 bits: often an edge."""
    return source.choice(_EDGES) if source.random() < 0.4 else source.getrandbits(32)


def memory(source: random.Random) -> bytes:
    """Return what DATA holds: numbers of every kind."""
    kinds = (single, double, double, extended, lambda source: struct.pack("<I", word(source)))
    return b"".join(source.choice(kinds)(source) for _ in range(DATA_SIZE // 4))[:DATA_SIZE]


def _number(source: random.Random, kind: Callable[[random.Random], bytes], *, denormals: bool) -> bytes:
    while _is_denormal(found := kind(source)) and not denormals:
        pass
    return found


def _vector(source: random.Random, *, denormals: bool) -> bytes:
    """Return 16 bytes of floats or doubles, none a denormal where they are not wanted."""
    kind, lanes = (single, 4) if denormals and source.random() < 0.5 else (double, 2)
    return b"".join(_number(source, kind, denormals=denormals) for _ in range(lanes))


def state(source: random.Random, ip: int, *, denormals: bool = True) -> State:
    """Return registers: five x87 registers are in use, esi, edi and esp point into memory."""
    general = {name: word(source) for name in ("eax", "ebx", "ecx", "edx", "ebp")}
    general["esi"] = DATA + 0x1000 + 16 * source.randrange(64)
    general["edi"] = DATA + 0x2000 + source.randrange(1024)
    general["esp"], general["eip"] = STACK, ip
    general["eflags"] = 0x202 | source.getrandbits(12) & _FLAGS
    fx = bytearray(512)
    control, status = source.choice(_CONTROLS), 3 << 11 | source.getrandbits(16) & _CONDITIONS
    struct.pack_into("<HHB", fx, 0, control, status, 0xF8)
    struct.pack_into("<II", fx, 24, source.choice(_SSE_CONTROLS), 0x2FFFF)
    # Short of full precision, Unicorn rounds a denormal one bit too early.
    x87_denormals = denormals and control & _PRECISION == _PRECISION
    for index in range(5):
        fx[32 + 16 * index : 42 + 16 * index] = _number(source, extended, denormals=x87_denormals)
    for index in range(8):
        fx[160 + 16 * index : 176 + 16 * index] = _vector(source, denormals=denormals)
    return State(general, bytes(fx))


def holds_denormal(state: State) -> bool:
    """Whether an x87 register in use holds a denormal."""
    return any(_is_denormal(state.fx[32 + 16 * index : 42 + 16 * index]) for index in range(8))
