"""Accesses that no one may make: the signal, its code and address, and the fault that led to it.

What is predicted is held against gdb (signal, si_code, si_addr, registers) and against the witness run (the
last fault's mode, access and protection: the error code that the processor gave).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from inspector.model.fault import FaultMode
from inspector.model.vma import Access
from inspector.observe import observe
from inspector.observe.perf.witness import record_faults
from inspector.predict import predict
from tests.elfwriter import Elf, Phdr, R, W, X, gnu_stack
from tests.live.launches import launch

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.fault import Fault
    from inspector.model.profile import MachineProfile

pytestmark = pytest.mark.live

TEXT, RODATA, DATA, SHORT = 0x08048000, 0x0804A000, 0x0804C000, 0x08050000
CODE_AT = 0x200
ENTRY = TEXT + CODE_AT
_PRESENT, _WRITE, _USER, _FETCH = 1, 2, 4, 16


@dataclass(frozen=True)
class Case:
    """Code, and what becomes of it."""

    code: str
    signal: str
    si_code: int
    error_code: int | None
    """None: the exception is no page fault."""


CASES = {
    "read near 0": Case("a1 04000000", "SIGSEGV", 1, _USER),
    "write near 0": Case("a3 04000000", "SIGSEGV", 1, _USER | _WRITE),
    "write .text": Case("a3 10800408", "SIGSEGV", 2, _USER | _WRITE | _PRESENT),
    "write .rodata that was read": Case("a1 10a00408 a3 10a00408", "SIGSEGV", 2, _USER | _WRITE | _PRESENT),
    "write .rodata": Case("a3 10a00408", "SIGSEGV", 2, _USER | _WRITE),
    "execute .data": Case("b8 00c00408 ffe0", "SIGSEGV", 2, _USER | _FETCH | _PRESENT),
    "execute the stack": Case("89e0 ffe0", "SIGSEGV", 2, _USER | _FETCH | _PRESENT),
    "read a kernel address": Case("a1 00e0ffff", "SIGSEGV", 1, _USER),
    "read the last page": Case("a1 00f0ffff", "SIGSEGV", 1, _USER),
    "jump to nowhere": Case("b8 00000070 ffe0", "SIGSEGV", 1, _USER | _FETCH),
    # push eax; jmp to it
    "overflow the stack": Case("50 ebfd", "SIGSEGV", 1, _USER | _WRITE),
    "beyond the end of a file": Case("a1 04200508", "SIGBUS", 2, _USER),
    "read across the end of the address space": Case("a1 feffffff", "SIGSEGV", 0x80, None),
    # mov esp, 2; push eax
    "push across the end of the address space": Case("bc 02000000 50", "SIGBUS", 0x80, None),
    "hlt": Case("f4", "SIGSEGV", 0x80, None),
    "ud2": Case("0f0b", "SIGILL", 2, None),
    # xor ecx, ecx; div ecx
    "divide by 0": Case("31c9 f7f1", "SIGFPE", 1, None),
    "int3": Case("cc", "SIGTRAP", 0x80, None),
    # mov dword [0x804cffe], eax, the second half of which lies on a page that is not there
    "write across the end": Case("a3 fecf0408", "SIGSEGV", 1, _USER | _WRITE),
}


def program(case: Case) -> bytes:
    """Return an ELF file: a page of code, of read-only data, of data, and more than the file holds."""
    elf = Elf(
        [
            Phdr(offset=0, vaddr=TEXT, filesz=0x1000, flags=R | X),
            Phdr(offset=0, vaddr=RODATA, filesz=0x1000, flags=R),
            Phdr(offset=0, vaddr=DATA, filesz=0x1000, flags=R | W),
            Phdr(offset=0, vaddr=SHORT, filesz=0x6000, flags=R),
            gnu_stack(),
        ],
        entry=ENTRY,
        size=0x2000,
    )
    elf.contents = {CODE_AT: bytes.fromhex(case.code)}
    return elf.build()


def error_code(fault: Fault) -> int:
    """Return the processor's error code of a user fault."""
    return (
        (_PRESENT if fault.protection else 0)
        | (_WRITE if fault.access is Access.WRITE else 0)
        | (_USER if fault.mode is FaultMode.USER else 0)
        | (_FETCH if fault.access is Access.EXECUTE else 0)
    )


@pytest.mark.parametrize("name", CASES)
def test_an_illegal_access(name: str, stage: Path, profile: MachineProfile) -> None:
    case = CASES[name]
    path = stage / f"illegal-{name.replace(' ', '-')}"
    path.write_bytes(program(case))
    path.chmod(0o755)
    asked = launch(path)
    prediction = predict(asked, profile)
    seen = observe(asked)
    assert prediction.ending == seen.ending, prediction.not_modelled
    assert prediction.ending is not None
    assert (prediction.ending.signal, prediction.ending.code) == (case.signal, case.si_code)
    assert prediction.snapshots[-1].registers == seen.snapshots[-1].registers
    assert prediction.snapshots[-1].minor_faults == seen.snapshots[-1].minor_faults

    trace = record_faults(asked, seconds=20)
    if trace.faults is None or any(fault.access is None for fault in trace.faults):
        pytest.skip(f"error codes cannot be seen: {trace.notes}")
    told = [(f.mode, f.address, error_code(f), f.ip) for f in trace.faults if f.mode is FaultMode.USER]
    assert told == [
        (f.mode, f.address, error_code(f), f.ip) for f in prediction.faults or () if f.mode is FaultMode.USER
    ]
    if case.error_code is not None:
        assert told[-1][2] == case.error_code
