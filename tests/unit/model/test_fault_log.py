from __future__ import annotations

import tracemalloc
from dataclasses import astuple, fields, replace

import pytest

from inspector.model.address import PAGE_SIZE, AddressRange, FileOffset, VirtAddr
from inspector.model.fault import Fault, FaultKind, FaultMode
from inspector.model.fault_log import FaultLog
from inspector.model.vma import Access, Anonymous, Sharing, Vma

HEAP = Vma(
    AddressRange(VirtAddr(0x1000), VirtAddr(0xFFFF_F000)), Access.READ, Sharing.PRIVATE, Anonymous("[heap]")
)
OF_THE_PROGRAM = Fault(
    process=3,
    mode=FaultMode.USER,
    address=VirtAddr(0xFFFF_EFFF),
    access=Access.WRITE,
    protection=True,
    ip=VirtAddr(0xFFFF_FFFF),
    kind=FaultKind.FILE_READ,
    area=HEAP,
    file_offset=FileOffset(1 << 40),
    mapped=AddressRange(VirtAddr(0xFFFF_E000), VirtAddr(0xFFFF_F000)),
    symbol="main+0x12",
)
OF_THE_KERNEL = Fault(0, FaultMode.KERNEL, VirtAddr(0), Access.READ, False, None, FaultKind.REFUSED)
AT_ZERO = replace(OF_THE_PROGRAM, ip=VirtAddr(0), file_offset=FileOffset(0))
FAULTS = (OF_THE_PROGRAM, OF_THE_KERNEL, AT_ZERO)
BYTES_A_FAULT = 128


@pytest.fixture
def log() -> FaultLog:
    log = FaultLog()
    for fault in FAULTS:
        record(log, fault)
    return log


def record(log: FaultLog, fault: Fault) -> None:
    log.record(*(getattr(fault, field.name) for field in fields(Fault)))


def test_what_was_recorded_is_told_again(log: FaultLog) -> None:
    assert tuple(log) == FAULTS
    assert (len(log), log[0], log[-1]) == (3, OF_THE_PROGRAM, AT_ZERO)
    assert (log[1:], log[::-1]) == (FAULTS[1:], FAULTS[::-1])
    assert astuple(log[1]) == astuple(OF_THE_KERNEL)


def test_there_is_none_beyond_the_last(log: FaultLog) -> None:
    with pytest.raises(IndexError):
        log[3]


def test_it_equals_any_sequence_of_the_same_faults(log: FaultLog) -> None:
    assert log == FAULTS
    assert list(FAULTS) == log
    assert log != FAULTS[:2]
    assert log != (*FAULTS[:2], replace(AT_ZERO, ip=VirtAddr(1)))
    assert log != 3
    assert FaultLog() == ()


def test_a_fault_is_kept_in_few_bytes() -> None:
    count = 20_000
    log = FaultLog()
    tracemalloc.start()
    try:
        for number in range(count):
            page = VirtAddr(0x1000_0000 + number * PAGE_SIZE)
            mapped = AddressRange(page, VirtAddr(page + PAGE_SIZE))
            record(log, replace(OF_THE_PROGRAM, address=page, ip=page, mapped=mapped))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(log) == count
    assert kept / count < BYTES_A_FAULT
