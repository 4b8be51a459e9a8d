"""The stack of the x87, and denormal numbers, which it and SSE have flags for."""

from __future__ import annotations

import pytest

from inspector.errors import NotModelled
from inspector.model.address import VirtAddr
from inspector.model.vma import Access
from inspector.predict.machine.cpu import (
    CallGate,
    PageFault,
    Special,
    SpecialMet,
    SystemCall,
)
from tests.unit.predict.machine.machine import CODE, DATA, READ_WRITE, Machine


def test_the_x87_stack_begins_empty(machine: Machine) -> None:
    """fld1 fills one register, the seventh: its two bits of the tag word are 0."""
    cpu = machine.starts("d9 e8 d9 35 00 90 04 08 a1 08 90 04 08 cd 80")
    machine.map(DATA, READ_WRITE)
    assert cpu.run() == SystemCall(CallGate.INTERRUPT)
    assert cpu.read("eax") == 0xFFFF_3FFF


@pytest.mark.parametrize(
    ("store", "seen"),
    [("d9 35 00 90 04 08", 0xFFFF_037F), ("df 1d 00 90 04 08", 1)],
    ids=["fnstenv", "fistp word"],
)
def test_a_treated_store_is_seen_in_the_frame_that_its_fault_has_brought(
    machine: Machine, store: str, seen: int
) -> None:
    """The page is read before, as copy-on-write allows."""
    cpu = machine.starts("a1 00 90 04 08 d9 e8" + store + "a1 00 90 04 08 cd 80")
    machine.map(DATA, Access.READ)
    assert cpu.run() == PageFault(DATA, Access.WRITE, VirtAddr(CODE + 7))
    machine.map(DATA, READ_WRITE)
    assert cpu.run() == SystemCall(CallGate.INTERRUPT)
    assert cpu.read("eax") == seen


@pytest.mark.parametrize(
    "code",
    [
        "d9 e8" * 9 + "cd 80",
        "d9 e8 eb fc",
        "31 c9 41 d9 e8 83 f9 14 dd d8 7c f6 d9 e8 eb fc",
        "d9 e8 de c1 cd 80",
        "31 c9 d9 e8 41 83 f9 14 7c f8 cd 80",
        "d9 e8 dd c0 d9 f7 d9 e8 d8 c1 cd 80",
        "d9 e8 dd d8 dd d8 cd 80",
    ],
    ids=[
        "nine pushes",
        "a loop that pushes",
        "a loop that pushes, after one that is balanced",
        "addition of one number",
        "twenty turns that push",
        "addition of a number that was freed",
        "one pop too many",
    ],
)
def test_an_x87_stack_that_overflows_or_underflows_is_named(machine: Machine, code: str) -> None:
    cpu = machine.starts(code)
    with pytest.raises(NotModelled, match="x87 registers beyond those in use"):
        cpu.run()


def test_an_overflow_where_nobody_looks_any_more_is_seen_by_the_next_event(machine: Machine) -> None:
    """A function that pushes is balanced by its caller thirty times, and then nine times it is not."""
    # mov ecx, 30; L: call F; fstp st; loop L; mov cl, 9; M: call F; loop M; int 0x80; F: fld1; ret
    cpu = machine.starts(
        "b9 1e 00 00 00 e8 0f 00 00 00 dd d8 e2 f7 b1 09 e8 04 00 00 00 e2 f9 cd 80 d9 e8 c3"
    )
    machine.map(DATA, READ_WRITE)
    cpu.write("esp", DATA + 0x100)
    with pytest.raises(NotModelled, match="x87 registers beyond those in use"):
        cpu.run()


def test_registers_may_be_left_out_of_the_x87_stack_on_purpose(machine: Machine) -> None:
    """Thirty times fld1; ffree st; fincstp, and each time a system call."""
    cpu = machine.starts("d9 e8 dd c0 d9 f7 d9 f6 cd 80 d9 f7 eb f2")
    for _ in range(30):
        assert cpu.run() == SystemCall(CallGate.INTERRUPT)


LOAD_DENORMAL = {
    "double": "dd 05 00 90 04 08 d9 e8 d8 d1",  # fld qword [DATA]; fld1; fcom
    "long double": "db 2d 10 90 04 08 d9 e8 d8 d1",  # fld tbyte [DATA + 16]; fld1; fcom
    "SSE": "0f 57 c9 f2 0f 58 0d 00 90 04 08",  # xorps xmm1, xmm1; addsd xmm1, [DATA]
    # fld tbyte [DATA + 32], the least normal number; fmul dword [DATA + 48], 0.5; fld1; fcom
    "exact result": "db 2d 20 90 04 08 d8 0d 30 90 04 08 d9 e8 d8 d1",
}
SHOW = {"fnstsw": "df e0", "fnstenv": "d9 35 80 90 04 08", "stmxcsr": "0f ae 1d 80 90 04 08"}
NUMBERS = b"".join(
    number.ljust(16, b"\0")
    for number in (b"\1", b"\1", bytes.fromhex("0000000000000080 0100"), bytes.fromhex("0000003f"))
)


@pytest.mark.parametrize("show", [name for name in SHOW if name != "stmxcsr"])
@pytest.mark.parametrize("load", [name for name in LOAD_DENORMAL if name != "SSE"])
def test_the_flag_of_denormal_operands_is_not_shown_once_there_was_one(load: str, show: str) -> None:
    _denormal_is_met_and_its_flag_not_shown(LOAD_DENORMAL[load] + SHOW[show])


def test_the_flag_of_denormal_operands_of_sse_is_not_shown_either() -> None:
    _denormal_is_met_and_its_flag_not_shown(LOAD_DENORMAL["SSE"] + SHOW["stmxcsr"])


def _denormal_is_met_and_its_flag_not_shown(code: str) -> None:
    machine = Machine()
    machine.map(DATA, READ_WRITE, NUMBERS)
    with pytest.raises(SpecialMet) as met:
        machine.starts("31 c0 cd 80" + code + "cd 80").run(), machine.cpu.run()
    assert (met.value.kind, met.value.number) == (Special.DENORMAL, 1)
    machine = Machine({met.value.kind: met.value.number})
    machine.map(DATA, READ_WRITE, NUMBERS)
    cpu = machine.starts("31 c0 cd 80" + code + "cd 80")
    assert cpu.run() == SystemCall(CallGate.INTERRUPT)
    with pytest.raises(NotModelled, match="the flag of denormal operands"):
        cpu.run()


@pytest.mark.parametrize("show", SHOW)
def test_it_is_known_before(machine: Machine, show: str) -> None:
    machine.map(DATA, READ_WRITE, NUMBERS)
    # fld1; fcom; addsd xmm0, xmm0
    assert machine.starts("d9 e8 d8 d0 f2 0f 58 c0" + SHOW[show] + "cd 80").run() == SystemCall(
        CallGate.INTERRUPT
    )


def test_a_denormal_is_computed_with_where_one_is_expected() -> None:
    """Fld qword [DATA]; fadd st, st; fstp qword [DATA + 8]; fnstsw ax; and eax, 0x4500: no DE."""
    code = "dd 05 00 90 04 08 d8 c0 dd 1d 08 90 04 08 d9 ee d9 ee d8 d9 df e0 25 00 45 00 00 cd 80"
    machine = Machine({Special.DENORMAL: 0})
    machine.map(DATA, READ_WRITE, NUMBERS)
    assert machine.starts(code).run() == SystemCall(CallGate.INTERRUPT)
    assert machine.cpu.peek(DATA + 8, 8) == (2).to_bytes(8, "little")


@pytest.mark.parametrize("mxcsr", [0x9F80, 0x1FC0], ids=["result", "operand"])
def test_a_denormal_that_the_program_wants_flushed(machine: Machine, mxcsr: int) -> None:
    # xmm0: the least normal number, xmm1: 0.5; ldmxcsr; mulsd xmm0, xmm1; and the same once more
    least, half = "66 0f 76 c0 66 0f 73 d0 3f 66 0f 73 f0 34", "66 0f 76 c9 66 0f 73 d1 37 66 0f 73 f1 35"
    cpu = machine.starts(least + half + "0f ae 15 00 90 04 08" + "f2 0f 59 c1" * 2 + "cd 80")
    machine.map(DATA, READ_WRITE, mxcsr.to_bytes(4, "little"))
    with pytest.raises(NotModelled, match="a denormal number flushed to 0"):
        cpu.run()
