"""What the processor says of itself: CPUID's answers, and the state its system keeps for a task."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class OutOfRange(Enum):
    """What CPUID answers to a leaf beyond the last of its range; which of them is the maker's choice."""

    ZEROS = "zeros"
    HIGHEST_BASIC_LEAF = "highest basic leaf"
    """The answer of the highest basic leaf for the same subleaf (Intel SDM, CPUID)."""


@dataclass(frozen=True, slots=True)
class CpuidAnswer:
    """CPUID's answer to one question, asked in an i386 program: 64-bit code can be told otherwise."""

    leaf: int
    """eax on entry."""
    subleaf: int | None
    """ecx on entry; None: the leaf does not look at it."""
    eax: int
    ebx: int
    ecx: int
    edx: int


@dataclass(frozen=True, slots=True)
class Processor:
    """One processor as a program can know it."""

    cpu: int
    """The CPU that answered, by Linux's number. The APIC ids in leaves 1, 0xb, 0x1f, 0x8000001e are its own;
    on a processor with two kinds of cores, more than those."""
    cpuid: tuple[CpuidAnswer, ...]
    """In ascending order. Subleaves of leaf 0xd above 1 that are not listed are all zeros."""
    out_of_range: OutOfRange | None
    """None: neither, so that a leaf beyond its range is not modelled."""
    xcr0: int
    """XGETBV's answer for ecx 0: the state components in use (XCR0); 0 without XSAVE."""
    sets_resume_flag: bool
    """Whether the EFLAGS that a fault saves have RF set (Intel SDM vol. 3, Instruction-Breakpoint Exception
    Condition); QEMU, where it emulates the processor, leaves it out."""
