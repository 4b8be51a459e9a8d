"""One sequence out of the records of several rings."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from inspector.model.address import VirtAddr
from inspector.model.fault import Fault, FaultMode
from inspector.model.vma import Access
from inspector.observe.perf.records import Comm, Exit, Fork, Lost, Record, Sample, Throttled
from inspector.observe.perf.sequence import sequence

if TYPE_CHECKING:
    from collections.abc import Sequence


def touch(time: int, pid: int, address: int) -> Sample:
    return Sample(time, pid, True, address, 0x8049000, None)


def where(records: Sequence[Record], root: int = 10) -> list[tuple[int, int]]:
    return [(fault.process, fault.address) for fault in sequence(records, root).faults]


def test_a_user_fault_keeps_its_instruction_and_a_kernel_one_does_not() -> None:
    records = [
        Sample(1, 10, True, 0x80EB123, 0x8049000, 7),
        Sample(2, 10, False, 0x80EC004, 0xFFFFFFFF81000000, 2),
    ]
    assert sequence(records, 10).faults == [
        Fault(0, FaultMode.USER, VirtAddr(0x80EB123), Access.WRITE, True, VirtAddr(0x8049000)),
        Fault(0, FaultMode.KERNEL, VirtAddr(0x80EC004), Access.WRITE, False, None),
    ]


@pytest.mark.parametrize(
    ("code", "access", "protection"),
    [
        (0x4, Access.READ, False),
        (0x6, Access.WRITE, False),
        (0x7, Access.WRITE, True),
        (0x5, Access.READ, True),
        (0x14, Access.EXECUTE, False),
        (0x15, Access.EXECUTE, True),
        (0x0, Access.READ, False),
        (None, None, None),
    ],
)
def test_the_error_code_tells_access_and_protection(
    code: int | None, access: Access | None, protection: bool | None
) -> None:
    (fault,) = sequence([Sample(1, 10, True, 0x1000, 0x2000, code)], 10).faults
    assert (fault.access, fault.protection) == (access, protection)


def test_the_rings_of_several_cpus_are_merged_by_time() -> None:
    first = [touch(time, 10, time) for time in (1, 4, 5, 9)]
    second = [touch(time, 10, time) for time in (2, 3, 6, 7, 8)]
    assert where([*second, *first]) == [(0, time) for time in range(1, 10)]


def test_what_one_cpu_did_at_one_instant_stays_in_order() -> None:
    assert where([touch(1, 10, address) for address in (5, 3, 4)]) == [(0, 5), (0, 3), (0, 4)]


def test_processes_are_numbered_by_birth_whatever_ring_tells_of_it() -> None:
    records: list[Record] = [
        touch(9, 12, 0x3000),
        Fork(5, 12, 11),
        touch(3, 11, 0x1000),
        Fork(2, 11, 10),
        touch(4, 10, 0x2000),
    ]
    assert where(records) == [(1, 0x1000), (0, 0x2000), (2, 0x3000)]
    assert sequence(records, 10).counts == [1, 1, 1]


def test_a_process_without_a_fault_has_a_number_all_the_same() -> None:
    found = sequence([Fork(1, 11, 10), Fork(2, 12, 10), touch(3, 12, 0x1000)], 10)
    assert (found.counts, found.faults[0].process) == ([0, 0, 1], 2)


def test_threads_share_the_number_of_their_process() -> None:
    assert where([Fork(1, 10, 10), touch(2, 10, 1), Fork(3, 11, 10), touch(4, 11, 2)]) == [(0, 1), (1, 2)]


def test_a_number_that_the_kernel_gives_again_is_another_process() -> None:
    records: list[Record] = [Fork(1, 11, 10), touch(2, 11, 1), Exit(3, 11), Fork(4, 11, 10), touch(5, 11, 2)]
    assert where(records) == [(1, 1), (2, 2)]


def test_a_process_whose_birth_was_lost_is_numbered_when_it_is_heard_of() -> None:
    assert where([Lost(1, 3), touch(2, 77, 1), touch(3, 10, 2), Fork(4, 11, 77), touch(5, 11, 3)]) == [
        (1, 1),
        (0, 2),
        (2, 3),
    ]


def test_tasks_that_were_not_seen_to_end_are_counted() -> None:
    thread, child = Fork(1, 10, 10), Fork(2, 11, 10)
    assert sequence([thread, child], 10).tasks == [2, 1]
    assert sequence([thread, child, Exit(3, 10)], 10).tasks == [1, 1]
    assert sequence([thread, child, Exit(3, 10), Exit(4, 10), Exit(5, 11)], 10).tasks == [0, 0]


@pytest.mark.parametrize("gap", [Lost(3, 5), Throttled(3)], ids=str)
def test_the_first_gap_is_where_the_ring_tells_of_it(gap: Record) -> None:
    faults = [touch(time, 10, time) for time in (1, 2, 4)]
    assert sequence(faults, 10).first_gap is None
    assert sequence([*faults, gap, Lost(9, 1)], 10).first_gap == 2


def test_another_program_in_the_same_process_is_noted_and_the_first_is_not() -> None:
    records: list[Record] = [
        Comm(1, 10, "hello", by_exec=True),
        touch(2, 10, 1),
        Comm(3, 10, "renamed", by_exec=False),
        Fork(4, 11, 10),
        touch(5, 11, 1),
        touch(6, 11, 2),
        Comm(7, 11, "true", by_exec=True),
        touch(8, 11, 3),
    ]
    (note,) = sequence(records, 10).notes
    assert note.startswith("process 1 executed true after 2 faults")
    for shuffled in itertools.islice(itertools.permutations(records), 0, 40320, 997):
        assert sequence(shuffled, 10) == sequence(records, 10)
