"""The CPU alone: code as bytes, page tables as a dictionary, events as the hardware would give them."""

from __future__ import annotations

import pytest

from inspector.errors import NotModelled
from inspector.model.address import VirtAddr, vpn_of
from inspector.model.vma import Access
from inspector.predict.machine.cpu import (
    Breakpoint,
    CallGate,
    HardwareException,
    PageFault,
    SystemCall,
    descriptor,
)
from inspector.predict.machine.pagetable import PageTableEntry
from tests.unit.predict.machine.machine import CODE, DATA, READ_WRITE, Machine

MOV_EBX_DATA = "bb 00 90 04 08"


@pytest.mark.parametrize(
    ("instruction", "access"),
    [
        ("8b 03", Access.READ),  # mov eax, [ebx]
        ("89 03", Access.WRITE),  # mov [ebx], eax
        ("01 03", Access.WRITE),  # add [ebx], eax: read and written, one write fault
        ("f0 0f b1 0b", Access.WRITE),  # lock cmpxchg [ebx], ecx: written even when it compares unequal
        ("87 03", Access.WRITE),  # xchg [ebx], eax
        ("3b 03", Access.READ),  # cmp eax, [ebx]
        ("ff e3", Access.EXECUTE),  # jmp ebx
    ],
)
def test_a_fault_names_address_access_and_instruction(
    machine: Machine, instruction: str, access: Access
) -> None:
    cpu = machine.starts(MOV_EBX_DATA + instruction)
    ip = DATA if access is Access.EXECUTE else VirtAddr(CODE + 5)
    assert cpu.run() == PageFault(DATA, access, ip)


def test_an_instruction_goes_on_where_it_faulted(machine: Machine) -> None:
    cpu = machine.starts(MOV_EBX_DATA + "01 1b 8b 0b cd 80")
    assert isinstance(cpu.run(), PageFault)
    machine.map(DATA, READ_WRITE, b"\x01")
    assert cpu.run() == SystemCall(CallGate.INTERRUPT)
    assert (cpu.read("ecx"), cpu.read("eip")) == (DATA + 1, CODE + 11)


def test_a_page_that_has_become_read_only_faults_once_the_tlb_is_flushed(machine: Machine) -> None:
    cpu = machine.starts(MOV_EBX_DATA + "89 03 cd 80 89 03")
    machine.map(DATA, READ_WRITE)
    cpu.run()
    frame = machine.pages[vpn_of(DATA)].frame
    machine.pages[vpn_of(DATA)] = PageTableEntry(frame, Access.READ, None)
    cpu.flush_tlb()
    assert cpu.run() == PageFault(DATA, Access.WRITE, VirtAddr(CODE + 9))


def test_a_page_that_may_not_be_executed(machine: Machine) -> None:
    cpu = machine.starts(MOV_EBX_DATA + "ff e3")
    machine.map(DATA, READ_WRITE, b"\x90")
    assert cpu.run() == PageFault(DATA, Access.EXECUTE, DATA)


def test_the_next_page_is_not_missed_before_the_program_gets_there(machine: Machine) -> None:
    """The last instruction of the page leaves it; what lies behind is never fetched."""
    cpu = machine.starts("40 cd 80", at=CODE + 0xFFD)
    assert cpu.run() == SystemCall(CallGate.INTERRUPT)
    assert cpu.read("eax") == 1
    assert cpu.run() == PageFault(DATA, Access.EXECUTE, DATA)


def test_an_instruction_that_crosses_into_an_absent_page(machine: Machine) -> None:
    cpu = machine.starts("40 b8 01", at=CODE + 0xFFD)
    assert cpu.run() == PageFault(DATA, Access.EXECUTE, VirtAddr(CODE + 0xFFE))
    assert cpu.read("eax") == 1


def test_a_breakpoint_comes_before_the_fetch(machine: Machine) -> None:
    cpu = machine.cpu
    cpu.write("eip", CODE)
    cpu.add_breakpoint(CODE)
    assert cpu.run() == Breakpoint(CODE)
    assert cpu.run() == PageFault(CODE, Access.EXECUTE, CODE)
    machine.starts("40 cd 80")
    assert cpu.run() == SystemCall(CallGate.INTERRUPT)
    assert cpu.read("eax") == 1


def test_a_breakpoint_in_a_loop_is_met_each_time(machine: Machine) -> None:
    cpu = machine.starts("41 83 f9 03 75 fa cd 80")
    cpu.add_breakpoint(CODE)
    assert [cpu.run() for _ in range(4)] == [Breakpoint(CODE)] * 3 + [SystemCall(CallGate.INTERRUPT)]
    cpu.remove_breakpoint(CODE)
    cpu.write("eip", CODE)
    cpu.write("ecx", 0)
    assert cpu.run() == SystemCall(CallGate.INTERRUPT)


@pytest.mark.parametrize(
    ("code", "vector", "length"),
    [("cc", 3, 1), ("f4", 13, 0), ("31 c9 f7 f1", 0, 2), ("0f 0b", 6, 0), ("ce", None, 0)],
    ids=["int3", "hlt", "division by zero", "ud2", "into without overflow"],
)
def test_exceptions(machine: Machine, code: str, vector: int | None, length: int) -> None:
    cpu = machine.starts(code + "cd 80")
    expected = (
        SystemCall(CallGate.INTERRUPT)
        if vector is None
        else HardwareException(vector, VirtAddr(CODE + length))
    )
    assert cpu.run() == expected


@pytest.mark.parametrize("show", ["9f", "9c", "37", "27"], ids=["lahf", "pushf", "aaa", "daa"])
@pytest.mark.parametrize(
    ("before", "defined"),
    [("c1 e0 03", False), ("0f af c3 89 c1", False), ("c1 e0 03 01 d8 89 c1", True), ("d1 c0", True)],
    ids=["shl", "imul", "shl, then add", "rol"],
)
def test_the_adjust_flag_is_not_shown_while_it_is_undefined(
    machine: Machine, before: str, show: str, *, defined: bool
) -> None:
    cpu = machine.starts(before + show + "cd 80")
    machine.map(DATA, READ_WRITE)
    cpu.write("esp", DATA + 0x100)
    if defined:
        assert cpu.run() == SystemCall(CallGate.INTERRUPT)
    else:
        with pytest.raises(NotModelled):
            cpu.run()


def test_a_treated_store_into_code_is_seen_by_the_code(machine: Machine) -> None:
    """cmpxchg8b puts two decrements in place of two increments that have run before."""
    # call F; mov esi, F; mov eax, [esi]; mov edx, [esi + 4]; mov ebx, 0x90c34f4f; mov ecx, edx;
    # cmpxchg8b [esi]; call F; int 0x80; at 0x40 F: inc edi; inc edi; ret
    code = "e8 3b 00 00 00 be 40 90 04 08 8b 06 8b 56 04 bb 4f 4f c3 90 89 d1 0f c7 0e e8 22 00 00 00 cd 80"
    contents = bytes.fromhex(code).ljust(0x40, b"\x90") + bytes.fromhex("47 47 c3 90 90 90 90 90")
    machine.map(DATA, READ_WRITE | Access.EXECUTE, contents)
    machine.map(VirtAddr(DATA + 0x1000), READ_WRITE)
    cpu = machine.cpu
    cpu.write("esp", DATA + 0x1800)
    cpu.write("edi", 10)
    cpu.write("eip", DATA)
    assert cpu.run() == SystemCall(CallGate.INTERRUPT)
    assert cpu.read("edi") == 10


@pytest.mark.parametrize(
    "code",
    ["0f 5d 05 04 90 04 08", "66 0f 3a 08 05 04 90 04 08 08", "0f 58 05 04 90 04 08"],
    ids=["minps", "roundps", "addps"],
)
def test_what_else_is_wrong_with_an_instruction_does_not_hide_that_it_is_misaligned(
    machine: Machine, code: str
) -> None:
    machine.map(DATA, READ_WRITE)
    assert machine.starts(code).run() == HardwareException(13, CODE)


@pytest.mark.parametrize("exponent", ["01 40", "ff 7f", "ff ff"], ids=["unnormal", "pseudo-NaN", "negative"])
def test_an_encoding_that_is_no_number_is_told_from_numbers(machine: Machine, exponent: str) -> None:
    """Fld tbyte [DATA]; fxam; fnstsw ax: C3, C2 and C0 clear, C1 the sign."""
    machine.map(DATA, READ_WRITE, bytes.fromhex("01 00 00 00 00 00 00 40" + exponent))
    cpu = machine.starts("db 2d 00 90 04 08 d9 e5 df e0 cd 80")
    assert cpu.run() == SystemCall(CallGate.INTERRUPT)
    assert cpu.read("eax") & 0xFFFF == (7 << 11) | (0x200 if exponent == "ff ff" else 0)


def test_a_null_call_is_a_fetch_from_0(machine: Machine) -> None:
    cpu = machine.starts("31 c0 ff e0")
    assert cpu.run() == PageFault(VirtAddr(0), Access.EXECUTE, VirtAddr(0))


def test_an_instruction_the_cpu_cannot_do_is_named(machine: Machine) -> None:
    cpu = machine.starts("c5 fd 6f c0")
    with pytest.raises(NotModelled, match="vmovdqa ymm0, ymm0") as caught:
        cpu.run()
    assert caught.value.ip == CODE


@pytest.mark.parametrize(
    "code",
    [
        "6a 00 1f",
        "6a 23 07",
        "6a 23 17",
        "b8 23 00 00 00 8e e8",
        "b8 33 00 00 00 8e e8",
        "ea 00 80 04 08 33 00",
        "9c 6a 33 68 00 80 04 08 cf",
        "2e a3 00 90 04 08",
        "2e ff 05 00 90 04 08",
        "f0 89 05 00 90 04 08",
        "8f c8 00 00 00 00",
        "c2 00 80",
        "66 c8 04 00 00",
        "68 02 03 00 00 0e 68 00 80 04 08 cf",
        "68 02 02 04 00 0e 68 00 80 04 08 cf",
        "68 02 42 00 00 9d 68 02 02 00 00 0e 68 00 80 04 08 cf",
        "b8 13 00 00 00 8e e8",
    ],
    ids=[
        "pop ds: null",
        "pop es: code",
        "pop ss: code",
        "mov gs: code, which could then be written",
        "mov gs: of the kernel's own GDT",
        "ljmp to 64-bit code",
        "iret to 64-bit code",
        "write through cs",
        "inc through cs",
        "lock mov",
        "XOP",
        "ret that drops 32 KiB",
        "enter, sixteen bits wide",
        "iret that traps",
        "iret that checks alignment",
        "iret of a nested task",
        "mov gs: of ring 0",
    ],
)
def test_what_unicorn_takes_lightly_is_named(machine: Machine, code: str) -> None:
    cpu = machine.starts(code + "cd 80")
    machine.map(DATA, READ_WRITE)
    cpu.write("esp", DATA + 0x100)
    with pytest.raises(NotModelled):
        cpu.run()


@pytest.mark.parametrize(
    "code",
    [
        "66 2e 0f 1f 84 00 00 00 00 00",
        "2e 0f 18 0d 00 90 04 08",
        "2e d9 05 00 90 04 08 dd d8",
        "d9 ee 2e dc 05 00 90 04 08",
        "2e 83 3d 00 90 04 08 00",
        "bc 00 98 04 08 2e ff 35 00 90 04 08 58",
    ],
    ids=["nop", "prefetcht0", "fld", "fadd", "cmp", "push"],
)
def test_what_writes_no_memory_may_name_the_code_segment(machine: Machine, code: str) -> None:
    cpu = machine.starts(code + "cd 80")
    machine.map(DATA, READ_WRITE)
    assert cpu.run() == SystemCall(CallGate.INTERRUPT)


@pytest.mark.parametrize(
    ("code", "aligned"),
    [
        ("0f 28 05", True),
        ("0f 14 05", True),
        ("66 0f 15 05", True),
        ("f3 0f 12 05", True),
        ("f3 0f 16 05", True),
        ("66 0f 2d 05", True),
        ("66 0f 2e 05", False),
        ("66 0f 2f 05", False),
        ("f2 0f 12 05", False),
        ("0f 10 05", False),
    ],
    ids=[
        "movaps",
        "unpcklps",
        "unpckhpd",
        "movsldup",
        "movshdup",
        "cvtpd2pi",
        "ucomisd",
        "comisd",
        "movddup",
        "movups",
    ],
)
def test_which_operands_must_be_aligned(machine: Machine, code: str, *, aligned: bool) -> None:
    cpu = machine.starts(code + "04 90 04 08 cd 80")
    machine.map(DATA, READ_WRITE)
    protects = HardwareException(13, CODE)
    assert cpu.run() == (protects if aligned else SystemCall(CallGate.INTERRUPT))


@pytest.mark.parametrize(
    "code",
    ["0e 68 07 80 04 08 cb", "ea 07 80 04 08 23 00", "6a 2b 1f", "2e a1 00 90 04 08", "2e 8d 74 26 00"],
    ids=["lret", "ljmp", "pop ds", "read through cs", "lea as padding"],
)
def test_flat_segments_are_as_good_as_none(machine: Machine, code: str) -> None:
    length = len(bytes.fromhex(code))
    cpu = machine.starts(code + "cd 80")
    machine.map(DATA, READ_WRITE)
    cpu.write("esp", DATA + 0x100)
    assert cpu.run() == SystemCall(CallGate.INTERRUPT)
    assert cpu.read("eip") == CODE + length + 2


def test_cpuid_and_thread_local_storage_are_the_callers(machine: Machine) -> None:
    # cpuid; mov gs, si; mov edi, gs:[4]; int 0x80
    cpu = machine.starts("b8 06 00 00 00 0f a2 8e ee 65 8b 3d 04 00 00 00 cd 80")
    cpu.set_descriptor(12, descriptor(DATA, 0xFFFFF))
    cpu.write("esi", 12 << 3 | 3)
    machine.map(DATA, READ_WRITE, b"\x2a", 4)
    assert cpu.run() == SystemCall(CallGate.INTERRUPT)
    assert (cpu.read("eax"), cpu.read("ebx"), cpu.read("edi")) == (7, 2, 42)


def test_a_segment_is_what_it_was_until_it_is_loaded_again(machine: Machine) -> None:
    # mov gs, si; int 0x80; mov edi, gs:[4]; int 0x80; mov edi, gs:[4]; int 0x80
    cpu = machine.starts("8e ee cd 80" + "65 8b 3d 04 00 00 00 cd 80" * 2)
    machine.map(DATA, READ_WRITE, b"\x2a\0\0\0\x2b", 4)
    cpu.set_descriptor(12, descriptor(DATA, 0xFFFFF))
    cpu.write("esi", 12 << 3 | 3)
    cpu.run()
    cpu.set_descriptor(12, descriptor(DATA + 4, 0xFFFFF))
    cpu.run()
    assert cpu.read("edi") == 0x2A
    cpu.set_descriptor(12, descriptor(DATA + 4, 0xFFFFF), reload=True)
    cpu.run()
    assert cpu.read("edi") == 0x2B


@pytest.mark.parametrize(
    "contents",
    [
        descriptor(DATA, 0xFFFFE),
        descriptor(DATA, 0xFFFFF, pages=False),
        bytes.fromhex("ffff 0000 00 12 cf 00"),
        bytes.fromhex("ffff 0000 00 f6 cf 00"),
    ],
    ids=["a page short", "one megabyte", "not present", "grows downward"],
)
def test_a_segment_with_a_limit_is_named(machine: Machine, contents: bytes) -> None:
    cpu = machine.starts("8e ee cd 80")
    cpu.set_descriptor(12, contents)
    cpu.write("esi", 12 << 3 | 3)
    with pytest.raises(NotModelled, match="segment selector 0x63 in gs"):
        cpu.run()


def test_it_starts_as_linux_starts_a_program(machine: Machine) -> None:
    registers = machine.cpu.registers
    assert (registers.cs, registers.ss, registers.ds, registers.eflags) == (0x23, 0x2B, 0x2B, 0x202)
    # fnstcw [ebx]; stmxcsr [ebx + 4]; int 0x80
    cpu = machine.starts(MOV_EBX_DATA + "d9 3b 0f ae 5b 04 cd 80")
    machine.map(DATA, READ_WRITE)
    cpu.run()
    contents = machine.memory.read(machine.pages[vpn_of(DATA)].frame, 0, 8)
    assert contents == bytes.fromhex("7f03 0000 801f 0000")


def test_a_saved_state_comes_back(machine: Machine) -> None:
    cpu = machine.starts("40 cd 80 40 cd 80")
    cpu.run()
    saved = cpu.save()
    cpu.run()
    cpu.restore(saved)
    assert (cpu.read("eax"), cpu.read("eip")) == (1, CODE + 3)
    cpu.run()
    assert cpu.read("eax") == 2


def test_accessed_and_dirty_bits_tell_what_was_used_since_they_were_cleared(machine: Machine) -> None:
    machine.map(DATA, READ_WRITE)
    data = machine.pages[vpn_of(DATA)]
    data.tells_use = True
    cpu = machine.starts(MOV_EBX_DATA + "8b 03 cd 80 89 03 cd 80 90 cd 80")  # read; write; neither
    for used in ((True, False), (True, True), (False, False)):
        assert isinstance(cpu.run(), SystemCall)
        assert (data.accessed, data.dirty) == used
        if data.dirty:
            data.accessed = data.dirty = False
            cpu.flush_tlb()
