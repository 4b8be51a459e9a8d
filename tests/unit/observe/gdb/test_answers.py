from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inspector.errors import NotModelled
from inspector.model.address import VirtAddr
from inspector.model.registers import REGISTER_NAMES
from inspector.observe.gdb import answers
from inspector.observe.gdb.stops import SignalInfo

if TYPE_CHECKING:
    from inspector.observe.gdb.mi import Value

GDB_ORDER = "eax ecx edx ebx esp ebp esi edi eip eflags cs ss ds es fs gs st0 st1".split()  # noqa: SIM905


def test_registers_are_told_by_gdbs_numbers() -> None:
    numbers = answers.register_numbers({"register-names": [*GDB_ORDER, ""]})
    assert len(numbers) == len(REGISTER_NAMES)
    values: list[Value] = [{"number": each, "value": hex(0x10000 + int(each))} for each in numbers]
    registers = answers.registers({"register-values": values}, numbers, at_breakpoint=False)
    assert (registers.eax, registers.esp, registers.eip, registers.gs) == (0x10000, 0x10004, 0x10008, 0x1000F)
    assert registers.eflags == 0x10009


def test_the_resume_flag_at_a_breakpoint_is_not_the_programs() -> None:
    numbers = answers.register_numbers({"register-names": [*GDB_ORDER]})
    values: list[Value] = [{"number": each, "value": "0x10246"} for each in numbers]
    registers = answers.registers({"register-values": values}, numbers, at_breakpoint=True)
    assert registers.eflags == 0x246
    assert registers.eax == 0x10246


def test_64_bit_registers_are_not_modelled() -> None:
    with pytest.raises(NotModelled, match="64-bit"):
        answers.register_numbers({"register-names": ["rax", "rip"]})


def test_memory_comes_in_blocks() -> None:
    assert answers.memory({"memory": [{"contents": "0102"}, {"contents": "ff"}]}) == b"\1\2\xff"
    assert answers.memory({}) == b""


def test_siginfo() -> None:
    values = ("11", "-6", "0xae6")
    assert answers.siginfo([{"value": value} for value in values]) == SignalInfo(11, -6, VirtAddr(0xAE6))
