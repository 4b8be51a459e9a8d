from __future__ import annotations

import pytest

from inspector.errors import UsageError
from inspector.model.address import VirtAddr
from inspector.observe.gdb.breakpoints import Breakpoints
from inspector.observe.gdb.connection import Answer
from inspector.observe.gdb.regions import Regions
from inspector.observe.gdb.stops import BreakpointHit

A, B, C, D, E = (VirtAddr(0x8049000 + 16 * index) for index in range(5))


class Gdb:
    """Numbers breakpoints as gdb does, from 2 on: 1 is the catchpoint for execve."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.number = 1

    def __call__(self, *commands: str) -> list[Answer]:
        self.asked += commands
        return [self.answer(command) for command in commands]

    def answer(self, command: str) -> Answer:
        if not command.startswith("-break-insert"):
            return Answer({}, "", ())
        self.number += 1
        return Answer({"bkpt": {"number": str(self.number)}}, "", ())

    def inserted(self) -> list[str]:
        return [command for command in self.asked if command.startswith("-break")]


@pytest.fixture
def gdb() -> Gdb:
    return Gdb()


@pytest.fixture
def breakpoints(gdb: Gdb) -> Breakpoints:
    return Breakpoints(gdb)


def run(
    breakpoints: Breakpoints, gdb: Gdb, ip: VirtAddr, *, readable: bool = False, aside: bool = False
) -> None:
    """Do what a resume does."""
    gdb(*breakpoints.prepare(ip, readable=readable, aside=aside))


def test_a_breakpoint_is_not_read(breakpoints: Breakpoints, gdb: Gdb) -> None:
    assert breakpoints.insert(A, temporary=True) == 2
    assert gdb.asked == [
        f"mem {A:#x} {A + 1:#x} wo",
        "set mem inaccessible-by-default off",
        f"-break-insert -t -h *{A:#x}",
    ]


def test_one_debug_register_stays_in_use(breakpoints: Breakpoints, gdb: Gdb) -> None:
    run(breakpoints, gdb, A)
    assert gdb.inserted() == []
    breakpoints.insert(A, temporary=True)
    run(breakpoints, gdb, B)
    assert gdb.inserted()[1:] == ["-break-insert -h *0xfff1"]
    assert breakpoints.hit(2, A)
    assert breakpoints.addresses == set()
    run(breakpoints, gdb, A)
    assert len(gdb.inserted()) == 2


def test_the_guard_makes_room_for_a_fourth_and_comes_back(breakpoints: Breakpoints, gdb: Gdb) -> None:
    breakpoints.insert(A, temporary=False)
    run(breakpoints, gdb, E)
    numbers = [breakpoints.insert(each, temporary=False) for each in (B, C, D)]
    assert gdb.inserted()[-2:] == ["-break-delete 3", f"-break-insert -h *{D:#x}"]
    run(breakpoints, gdb, E)
    with pytest.raises(UsageError, match="CPU has 4"):
        breakpoints.insert(E, temporary=False)
    breakpoints.insert(D, temporary=False)
    breakpoints.remove(numbers[0])
    run(breakpoints, gdb, E)
    assert gdb.inserted()[-1] == "-break-insert -h *0xfff1"


def test_a_program_at_the_guard_is_not_reported_and_the_guard_moves(
    breakpoints: Breakpoints, gdb: Gdb
) -> None:
    breakpoints.insert(A, temporary=False)
    run(breakpoints, gdb, B)
    assert not breakpoints.hit(3, VirtAddr(0xFFF1))
    run(breakpoints, gdb, VirtAddr(0xFFF1))
    assert gdb.inserted()[-2:] == ["-break-delete 3", "-break-insert -h *0xfff2"]


def test_a_guard_is_never_where_a_breakpoint_is(breakpoints: Breakpoints, gdb: Gdb) -> None:
    breakpoints.insert(VirtAddr(0xFFF1), temporary=False)
    run(breakpoints, gdb, VirtAddr(0xFFF2))
    assert gdb.inserted()[-1] == "-break-insert -h *0xfff3"


def test_where_the_program_stands_is_due_once(breakpoints: Breakpoints, gdb: Gdb) -> None:
    breakpoints.insert(A, temporary=False)
    assert breakpoints.take_due(B) is None
    assert breakpoints.take_due(A) == BreakpointHit(A, 2)
    assert breakpoints.take_due(A) is None
    breakpoints.moved(A)  # a signal arrived: still the same arrival
    assert breakpoints.take_due(A) is None
    breakpoints.moved(B)
    assert breakpoints.take_due(A) == BreakpointHit(A, 2)
    assert gdb.inserted() == [f"-break-insert -h *{A:#x}"]


def test_a_temporary_one_that_is_due_is_gone(breakpoints: Breakpoints, gdb: Gdb) -> None:
    breakpoints.insert(A, temporary=True)
    assert breakpoints.take_due(A) == BreakpointHit(A, 2)
    assert gdb.inserted()[-1] == "-break-delete 2"
    breakpoints.moved(B)
    assert breakpoints.take_due(A) is None


def test_one_hit_uses_up_every_temporary_one_there(breakpoints: Breakpoints, gdb: Gdb) -> None:
    for temporary in (True, True, False):
        breakpoints.insert(A, temporary=temporary)
    assert breakpoints.take_due(A) == BreakpointHit(A, 2)
    assert gdb.inserted()[-2:] == ["-break-delete 2", "-break-delete 3"]
    breakpoints.insert(B, temporary=True)
    breakpoints.insert(B, temporary=True)
    assert breakpoints.hit(5, B)
    assert breakpoints.addresses == {A}


def test_a_hit_is_not_due(breakpoints: Breakpoints) -> None:
    breakpoints.insert(A, temporary=False)
    assert breakpoints.hit(2, A)
    assert breakpoints.take_due(A) is None


def test_aside_for_one_stop(breakpoints: Breakpoints, gdb: Gdb) -> None:
    for _ in range(2):
        breakpoints.insert(A, temporary=False)
    run(breakpoints, gdb, A, aside=True)
    assert gdb.inserted()[-2:] == ["-break-disable 2", "-break-disable 3"]
    breakpoints.remove(3)
    run(breakpoints, gdb, A)
    assert gdb.inserted()[-1] == "-break-enable 2"


def test_regions_change_one_by_one() -> None:
    regions = Regions()
    assert regions.forbid(()) == ["set mem inaccessible-by-default off"]
    assert regions.forbid({B, A}) == [f"mem {A:#x} {A + 1:#x} wo", f"mem {B:#x} {B + 1:#x} wo"]
    assert regions.forbid({A, B}) == []
    # gdb's numbers count on: 1 is the region that always stands.
    assert regions.forbid({A, C}) == ["delete mem 3", f"mem {C:#x} {C + 1:#x} wo"]
    assert regions.forbid({0xFFF0}) == ["delete mem 2", "delete mem 4"]
