"""The i386 user registers."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Registers:
    """The registers gdb calls general, each as an unsigned 32-bit number."""

    eax: int
    ebx: int
    ecx: int
    edx: int
    esi: int
    edi: int
    ebp: int
    esp: int
    eip: int
    eflags: int
    cs: int
    ss: int
    ds: int
    es: int
    fs: int
    gs: int


RESUME_FLAG = 1 << 16
"""EFLAGS.RF, which the processor sets in what it saves when it reports a fault."""
REGISTER_NAMES = tuple(field.name for field in fields(Registers))
"""The register names in the order of `Registers`."""
