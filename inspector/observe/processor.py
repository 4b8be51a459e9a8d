"""Asking the processor what it is, by CPUID and XGETBV executed in an i386 program."""

from __future__ import annotations

import os
from signal import SIGILL
from typing import TYPE_CHECKING

from inspector.model.processor import CpuidAnswer, OutOfRange, Processor
from inspector.model.registers import RESUME_FLAG
from inspector.observe.tiny_elf import Assembler, link
from inspector.observe.tiny_process import tiny_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Answer = tuple[int, int, int, int]
    Ask = Callable[[int, int], Answer]
    """(leaf, subleaf) -> eax, ebx, ecx, edx."""

_SCHED_GETAFFINITY = 204
"""Its number on x86-64."""
_LARGEST_CPUMASK_BYTES = 8192
_BASE = 0x08048000
_RANGES = (0, 0x4000_0000, 0x4000_0100, 0x8000_0000, 0xC000_0000)
"""First leaves: basic, two of hypervisors, extended, VIA's."""
_LONGEST_RANGE = 0x100
_OSXSAVE = 1 << 27
_ALWAYS_ASKED = (0, 1, 2)
_PROBABLY_NONE = 0xFFFF_FFFF
"""No leaf has a subleaf of this number."""
_MOST_SUBLEAVES = 64


def probe_processor() -> Processor:
    """Ask the first CPU we may run on. Raises LaunchFailed or CannotObserve."""
    asm = Assembler(_BASE)
    asm.breakpoint()
    cpuid = asm.data(b"\x0f\xa2\xcc")  # cpuid; int3
    undefined = asm.data(b"\x0f\x0b")  # ud2
    xgetbv = asm.data(b"\x0f\x01\xd0\xcc")  # xgetbv; int3
    cpu = min(os.sched_getaffinity(0))
    with tiny_process(link(asm, entry=asm.start)) as process:
        os.sched_setaffinity(process.pid, {cpu})

        def ask(leaf: int, subleaf: int = 0) -> Answer:
            found = process.call(cpuid, eax=leaf, ecx=subleaf)
            return found.eax, found.ebx, found.ecx, found.edx

        answers = tuple(_all_answers(ask))
        xcr0 = 0
        if ask(1)[2] & _OSXSAVE:
            found = process.call(xgetbv, ecx=0)
            xcr0 = found.edx << 32 | found.eax
        faulted = process.call_into_signal(undefined, SIGILL)
        return Processor(
            cpu=cpu,
            cpuid=answers,
            out_of_range=_out_of_range(ask),
            xcr0=xcr0,
            sets_resume_flag=bool(faulted.eflags & RESUME_FLAG),
        )


def _last_leaf(ask: Ask, first: int) -> int:
    """Return the last leaf of the range that begins with `first`, or less than `first` if there is none."""
    last = ask(first, 0)[0]
    return last if last < first + _LONGEST_RANGE else first - 1


def _all_answers(ask: Ask) -> Iterator[CpuidAnswer]:
    for first in _RANGES:
        for leaf in range(first, _last_leaf(ask, first) + 1):
            yield from _leaf_answers(ask, leaf)


def _leaf_answers(ask: Ask, leaf: int) -> Iterator[CpuidAnswer]:
    always = [ask(leaf, subleaf) for subleaf in (*_ALWAYS_ASKED, _PROBABLY_NONE)]
    if len(set(always)) == 1:
        yield CpuidAnswer(leaf, None, *always[0])
        return
    for subleaf in sorted({*_ALWAYS_ASKED, *_subleaves(ask, leaf)}):
        answer = ask(leaf, subleaf)
        if leaf != 0xD or subleaf < 2 or any(answer):  # noqa: PLR2004 - see Processor.cpuid
            yield CpuidAnswer(leaf, subleaf, *answer)


def _subleaves(ask: Ask, leaf: int) -> Iterator[int]:
    """Yield the subleaves `leaf` has, and where a program finds the end by asking, the one that says so.

    Source: Intel SDM and AMD APM, the instruction CPUID; a leaf that is not listed here has those few that
    are always asked.
    """
    eax, ebx, _, edx = ask(leaf, 0)
    match leaf:
        case 0x4 | 0x8000_001D:  # caches, to the first of type 0
            yield from _until(ask, leaf, lambda answer: not answer[0] & 0x1F)
        case 0xB | 0x1F | 0x8000_0026:  # levels of topology, to the first of type 0
            yield from _until(ask, leaf, lambda answer: not answer[2] >> 8 & 0xFF)
        case 0x12:  # SGX: two of its own, then sections to the first that is invalid
            yield from _until(ask, leaf, lambda answer: not answer[0] & 0xF, first=2)
        case 0x1B:  # PCONFIG targets, to the first that is invalid
            yield from _until(ask, leaf, lambda answer: not answer[0] & 0xFFF)
        case 0x7 | 0x14 | 0x17 | 0x18 | 0x1D | 0x24:  # eax is the last one
            yield from range(min(eax, _MOST_SUBLEAVES) + 1)
        case 0xD:  # components of the extended state
            yield from range(_MOST_SUBLEAVES)
        case 0x10:  # resources whose allocation can be steered: a bit each
            yield from _bits(edx)
        case 0x23:
            yield from _bits(eax)
        case 0x8000_0020:
            yield from _bits(ebx)


def _until(ask: Ask, leaf: int, is_last: Callable[[Answer], bool], first: int = 0) -> Iterator[int]:
    for subleaf in range(first, first + _MOST_SUBLEAVES):
        yield subleaf
        if is_last(ask(leaf, subleaf)):
            return


def _bits(mask: int) -> Iterator[int]:
    return (bit for bit in range(32) if mask >> bit & 1)


def _out_of_range(ask: Ask) -> OutOfRange | None:
    """Ask beyond each range; the leaves up to 0x4fffffff, which no processor has, are beyond all."""
    beyond = [0x3FFF_FFFF, 0x4FFF_FFFF, *(max(_last_leaf(ask, first), first) + 1 for first in _RANGES)]
    highest = _last_leaf(ask, 0)
    seen = {(subleaf, ask(leaf, subleaf)) for leaf in beyond for subleaf in _ALWAYS_ASKED}
    if not any(any(answer) for _, answer in seen):
        return OutOfRange.ZEROS
    if seen == {(subleaf, ask(highest, subleaf)) for subleaf in _ALWAYS_ASKED}:
        return OutOfRange.HIGHEST_BASIC_LEAF
    return None


def cpumask_bytes() -> int | None:
    """Return how many bytes sched_getaffinity stores into a buffer that is large enough, or None.

    Source: kernel/sched/syscalls.c:sched_getaffinity().
    """
    if os.uname().machine != "x86_64":
        return None
    import ctypes

    buffer = ctypes.create_string_buffer(_LARGEST_CPUMASK_BYTES)
    stored = ctypes.CDLL(None).syscall(_SCHED_GETAFFINITY, 0, len(buffer), buffer)
    return stored if stored > 0 else None
