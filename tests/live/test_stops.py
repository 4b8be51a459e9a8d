"""Where a run is stopped and what the stops are called; and that its time is that of the whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inspector.errors import UsageError
from inspector.model.document import observation_document, parse_observation
from inspector.observe import observe
from inspector.observe.controller import observe as observe_program
from inspector.observe.tiny_elf import Assembler, link
from inspector.predict import predict
from inspector.reconcile import reconcile
from tests.live import launches

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.observation import Observation
    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program

pytestmark = pytest.mark.live

BASE = 0x08048000
GETPID, WRITE, BRK, GETTID = 20, 4, 45, 224
JUMP_BACK_TO_START = 0xEB


def made(path: Path, assembler: Assembler, entry: int) -> Program:
    path.write_bytes(link(assembler, entry=entry))
    path.chmod(0o755)
    return launches.launch(path)


@pytest.fixture
def caller(tmp_path: Path) -> Program:
    """Return a program that calls getpid, write, brk, write, getpid, write, gettid, exit."""
    assembler = Assembler(BASE)
    text = assembler.data(b"x")
    entry = assembler.here
    for number in (GETPID, WRITE, BRK, WRITE, GETPID, WRITE, GETTID):
        assembler.syscall(number, 1 if number == WRITE else 0, text, 1)
    assembler.exit(7)
    return made(tmp_path / "caller", assembler, entry)


@pytest.fixture
def busy(tmp_path: Path) -> Program:
    """Return a program that calls getpid for ever."""
    assembler = Assembler(BASE)
    assembler.syscall(GETPID)
    length = len(assembler.code) + 2
    assembler.code += bytes([JUMP_BACK_TO_START, -length & 0xFF])
    return made(tmp_path / "busy", assembler, assembler.start)


def stops(observation: Observation) -> list[tuple[str, int]]:
    """Return the name of each checkpoint after exec, and the address of the next instruction there."""
    assert observation.cut_short is None
    return [
        (snapshot.checkpoint, snapshot.registers.eip)
        for snapshot in observation.snapshots[1:]
        if snapshot.registers is not None
    ]


def names(observation: Observation) -> list[str]:
    return [name for name, _ in stops(observation)]


def test_every_pass_of_a_system_call_has_a_name_of_its_own(caller: Program) -> None:
    seen = observe_program(caller, stops=["syscall:write"])
    assert names(seen) == ["syscall:write", "syscall:write#2", "syscall:write#3", "exit"]
    assert len({eip for _, eip in stops(seen)}) == 4
    assert seen.output == b"xxx"
    assert (seen.notes, seen.unreached) == ((), ())


def test_one_pass_can_be_asked_for_by_its_number(caller: Program) -> None:
    seen = observe_program(caller, stops=["syscall:write#3", "syscall:getpid#2", "syscall:brk#2"])
    assert names(seen) == ["syscall:getpid#2", "syscall:write#3", "exit"]
    assert seen.unreached == ("syscall:brk#2",)


def test_a_number_serves_as_well_as_a_name(caller: Program) -> None:
    assert names(observe_program(caller, stops=["syscall:45"])) == ["syscall:45", "exit"]
    assert names(observe_program(caller, until="syscall:4#2")) == ["syscall:4#2"]


def test_the_nth_system_call_is_counted_from_execve(caller: Program) -> None:
    """Each of them stands where the program made it: the call by name and the call by count are one place."""
    asked = [f"syscall#{number}" for number in range(1, 9)]
    counted = stops(observe_program(caller, stops=asked))
    assert [name for name, _ in counted] == [*asked, "exit"]
    assert counted[-1][1] == counted[-2][1]
    named = stops(observe_program(caller, stops=["syscall:getpid", "syscall:write", "syscall:brk"]))
    assert [eip for _, eip in named[:-1]] == [eip for _, eip in counted[:6]]


@pytest.mark.parametrize(
    ("asked", "until"),
    [
        (["syscall#1", "syscall#4", "syscall#8"], None),
        (["syscall:write", "syscall:45", "syscall#2"], None),
        (["syscall:write#3", "syscall:getpid#2"], None),
        ([], "syscall:write#2"),
        (["syscall:write"], "syscall#6"),
        ([], "syscall:brk#1"),
    ],
    ids=str,
)
def test_the_prediction_stops_at_the_same_places(
    caller: Program, profile: MachineProfile, asked: list[str], until: str | None
) -> None:
    prediction = predict(caller, profile, stops=asked, until=until)
    seen = observe(caller, stops=asked, until=until)
    assert [each.checkpoint for each in prediction.snapshots] == [each.checkpoint for each in seen.snapshots]
    result = reconcile(prediction, seen)
    assert result.differences == ()
    assert result.exit_code == 0


def test_a_count_alone_stops_nowhere_else(caller: Program) -> None:
    assert names(observe_program(caller, stops=["syscall#3"])) == ["syscall#3", "exit"]
    assert names(observe_program(caller, until="syscall#4")) == ["syscall#4"]
    seen = observe_program(caller, stops=["syscall#9"])
    assert names(seen) == ["exit"]
    assert seen.unreached == ("syscall#9",)


def test_both_wings_know_what_is_never_reached(caller: Program, profile: MachineProfile) -> None:
    asked = ["syscall:brk#2", "syscall:write#1", "syscall#9"]
    prediction, seen = predict(caller, profile, stops=asked), observe(caller, stops=asked)
    assert prediction.unreached == seen.unreached == ("syscall:brk#2", "syscall#9")
    result = reconcile(prediction, seen)
    assert (result.exit_code, result.differences) == (3, ())


def test_one_place_may_have_several_names(caller: Program) -> None:
    seen = observe_program(caller, stops=["syscall#2", "syscall:write#1", "syscall:4#1", "syscall:exit"])
    assert names(seen) == ["syscall#2", "syscall:write", "syscall:4", "syscall:exit", "exit"]
    assert seen.notes == ()
    assert names(observe_program(caller, until="syscall:brk#1")) == ["syscall:brk"]


@pytest.mark.parametrize("stop", ["syscall:", "syscall#", "syscall#0", "syscall#x", "syscall:write#0"])
def test_what_is_no_system_call_is_said_before_anything_runs(caller: Program, stop: str) -> None:
    with pytest.raises(UsageError, match="is no system call"):
        observe_program(caller, stops=[stop])


@pytest.mark.parametrize("asked", [["syscall:getpid"], ["syscall#1000000"], []], ids=str)
def test_the_time_is_that_of_the_whole_run(busy: Program, asked: list[str]) -> None:
    """Each of its stops comes at once; only the run has no end. What was seen at exec is kept."""
    seen = observe(busy, stops=asked, seconds=1.0)
    assert seen.cut_short == "the run was not over within 1 s (allow it more with --timeout)"
    assert seen.ending is None
    assert seen.snapshots[0].checkpoint == "exec"
    assert seen.snapshots[0].vmas
    assert parse_observation(observation_document(seen)) == seen


def test_a_gdb_that_fails_takes_nothing_with_it(caller: Program) -> None:
    seen = observe(caller, gdb="/bin/false")
    assert seen.cut_short is not None
    assert "gdb" in seen.cut_short
    assert [snapshot.checkpoint for snapshot in seen.snapshots] == ["exec"]
