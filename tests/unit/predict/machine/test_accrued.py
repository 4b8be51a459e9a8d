"""Where Unicorn keeps the floating-point exceptions is found in whatever memory malloc() has to give."""

from __future__ import annotations

import ctypes
import random

from inspector.predict.machine import engine


def test_what_others_left_in_memory_does_not_hide_the_exceptions() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    source = random.Random(1)  # noqa: S311
    size = engine.Engine().uc.context_save().size
    expected = engine._accrued_offsets()
    for _ in range(60):
        blocks = [libc.malloc(size + source.choice((0, 8, 40, 92, 400))) for _ in range(40)]
        for block in blocks:
            ctypes.memmove(block, source.randbytes(size), size)
        for block in blocks[::2]:
            libc.free(block)
        assert engine._accrued_offsets.__wrapped__() == expected
        for block in blocks[1::2]:
            libc.free(block)
