"""An observation has the page faults of a second run, and says so where it has not."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.errors import LaunchFailed
from inspector.model.fault_trace import FaultSource
from inspector.observe import observe
from inspector.observe.damon import SCHEMES
from inspector.observe.deadline import Deadline
from inspector.observe.perf import event, sources, witness
from inspector.observe.perf.sources import kept_registered
from inspector.observe.perf.tracefs import read_tracepoint
from inspector.observe.perf.witness import record_faults
from tests.elfwriter import Elf
from tests.live import launches
from tests.live.fault_programs import build
from tests.machines import write_program

if TYPE_CHECKING:
    from inspector.model.program import Program

pytestmark = pytest.mark.live


@pytest.fixture
def tiny(tmp_path: Path) -> Program:
    """Return a program that does nothing but end."""
    return write_program(tmp_path, Elf(contents={0x100: b"\xb8\1\0\0\0\xcd\x80"}).build())


@pytest.fixture
def source(tiny: Program) -> str:
    """Return what tells of faults here."""
    trace = record_faults(tiny, seconds=30)
    if trace.source is None:
        pytest.skip(trace.notes[0])
    return trace.source.value


def test_the_faults_of_a_run_to_the_end_are_there_and_whole(tiny: Program, source: str) -> None:
    observation = observe(tiny)
    assert observation.faults == record_faults(tiny, seconds=30).faults
    assert observation.faults
    assert (observation.fault_source, observation.faults_lost, observation.faults_complete) == (
        source,
        0,
        True,
    )
    assert str(observation.ending) == "exit 0"


@pytest.mark.usefixtures("source")
def test_only_what_is_followed_to_its_end_is_run_again(tiny: Program, tmp_path: Path) -> None:
    assert observe(tiny, faults=False).faults is None
    assert observe(tiny, until="exec").faults is None
    part = observe(tiny, until="0x8048105")
    assert part.faults is None
    assert part.notes == ("page faults are recorded only in a run to the program's end (without --until)",)
    assert observe(replace(tiny, path=str(tmp_path / "absent"))).faults is None


@pytest.mark.usefixtures("source")
def test_both_runs_share_one_deadline(tiny: Program, tmp_path: Path) -> None:
    spins = launches.launch(build(tmp_path, "spins"))
    first = replace(observe(tiny, faults=False), program=spins)
    deadline = Deadline.after(1.0)
    second = witness.witnessed(first, deadline)
    assert deadline.passed
    assert second.cut_short is not None
    assert second.cut_short.startswith(
        "the second run, which records page faults, was not over within the 1 s"
    )
    assert second.faults
    assert not second.faults_complete
    third = witness.witnessed(first, deadline)
    assert third.cut_short == second.cut_short
    assert third.faults is None


def test_what_execve_kills_has_the_faults_until_then(tmp_path: Path, source: str) -> None:
    observation = observe(write_program(tmp_path, Elf(entry=0xFFFFF000).build()))
    assert str(observation.verdict) == "killed: SIGSEGV"
    assert observation.faults is not None
    assert observation.fault_source == source


def test_with_aslr_a_second_run_has_other_addresses_and_is_not_made(tiny: Program) -> None:
    observation = observe(replace(tiny, randomize=True))
    assert (observation.faults, observation.fault_source) == (None, None)
    assert [note for note in observation.notes if "ASLR" in note]


def test_a_run_that_ends_otherwise_is_noted(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    program = launches.launch(build(tmp_path, "once"), ("once", str(mark)))
    observation = observe(program)
    assert str(observation.ending) == "exit 0"
    assert [note for note in observation.notes if note.endswith("ended otherwise: exit 1")]


@pytest.mark.usefixtures("source")
def test_faults_that_were_cut_short_are_not_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "_LINGER_SECONDS", 0.1)
    observation = observe(launches.launch(build(tmp_path, "leaves")))
    assert observation.faults
    assert not observation.faults_complete
    assert [note for note in observation.notes if "cut short" in note]


def test_without_perf_the_rest_is_observed_as_ever(tiny: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sandbox:
        def syscall(self, *_: object) -> int:
            ctypes.set_errno(errno.EPERM)
            return -1

    expected = observe(tiny, faults=False)
    monkeypatch.setattr(event, "_libc", Sandbox())
    observation = observe(tiny)
    assert (observation.faults, observation.fault_source) == (None, None)
    (note,) = observation.notes
    assert note.startswith("page faults were not recorded: ")
    assert [each.vmas for each in observation.snapshots] == [each.vmas for each in expected.snapshots]
    assert observation.ending == expected.ending


def test_a_second_run_that_fails_does_not_undo_the_first(
    tiny: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise LaunchFailed("no more processes")

    monkeypatch.setattr(witness, "record_faults", fails)
    observation = observe(tiny)
    assert observation.notes == ("page faults were not recorded: no more processes",)
    assert observation.faults is None
    assert str(observation.ending) == "exit 0"


def perf_events_of_ours() -> int:
    for thread in threading.enumerate():
        if thread.name == "closing perf events":
            thread.join()
    return sum(
        os.readlink(link) == "anon_inode:[perf_event]"  # noqa: PTH115 - Path would look for a file there
        for link in Path("/proc/self/fd").iterdir()
        if link.is_symlink()
    )


def kernel_tells_of(tracepoint: str) -> bool:
    try:
        read_tracepoint(tracepoint)
    except (OSError, ValueError):
        return False
    return True


@pytest.mark.usefixtures("source")
def test_tracepoints_are_kept_registered_while_asked_and_no_longer(tiny: Program) -> None:
    trace = record_faults(tiny, seconds=30)
    if trace.source is not FaultSource.TRACEPOINTS:
        pytest.skip("needs the tracepoints")
    assert perf_events_of_ours() == 0
    with kept_registered():
        assert perf_events_of_ours() == 2 + kernel_tells_of(SCHEMES)
        assert record_faults(tiny, seconds=30).faults == trace.faults
    assert perf_events_of_ours() == 0


def test_where_there_are_no_tracepoints_none_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(sources, "open_event", refuse)
    with kept_registered():
        assert perf_events_of_ours() == 0
