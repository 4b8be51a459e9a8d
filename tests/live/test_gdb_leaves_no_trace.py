"""gdb touches no page and causes no fault: held against the same program under bare ptrace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.model.address import VirtAddr
from inspector.observe import ptrace
from inspector.observe.gdb.session import GdbSession
from inspector.observe.gdb.stops import BreakpointHit, Exited, SignalReceived, SyscallEntry
from inspector.observe.launch import Launched, launch
from inspector.observe.snapshot import read_fault_counts
from tests.live import launches
from tests.live.gdb_programs import STYLES, build, build_absent_pages, load_bias, symbol
from tests.live.looking import needs_pagemap, snapshot_now

if TYPE_CHECKING:
    from inspector.model.page import PageState
    from inspector.model.snapshot import FaultCounts

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("gdb"), needs_pagemap]

SECONDS = 20.0
EXIT_GROUP = 252


def pages(pid: int) -> tuple[PageState, ...]:
    """Return the resident pages and their kinds, but not their frames: those differ from run to run."""
    resident = snapshot_now(pid)[0].pages
    assert resident is not None
    return tuple(type(page)(page.vpn, page.kind) for page in resident)


def faults_since_exec(launched: Launched) -> tuple[int, int]:
    now: FaultCounts = read_fault_counts(launched.pid)
    return now.minor - launched.baseline.minor, now.major - launched.baseline.major


def at_exit_under_ptrace(program: Path) -> tuple[tuple[PageState, ...], tuple[int, int]]:
    """Return pages and faults when `program` asks the kernel to end it."""
    with launch(launches.launch(program)) as launched:
        number = ""
        while number != str(EXIT_GROUP):
            ptrace.continue_to_syscall(launched.pid)
            assert isinstance(launched.wait(SECONDS), ptrace.Stopped)
            number = Path(f"/proc/{launched.pid}/syscall").read_text().split()[0]
        return pages(launched.pid), faults_since_exec(launched)


@pytest.mark.parametrize("style", STYLES)
def test_an_attach_touches_nothing(stage: Path, style: str) -> None:
    program = build(stage, "hello", STYLES[style])
    with launch(launches.launch(program)) as launched, GdbSession() as session:
        before = pages(launched.pid), read_fault_counts(launched.pid), launched.registers()
        launched.hand_over()
        session.attach(launched.pid)
        assert (pages(launched.pid), read_fault_counts(launched.pid), session.registers()) == before
        for name in ("main", "_start"):
            address = symbol(program, name) + load_bias(launched.pid, program)
            session.insert_hardware_breakpoint(VirtAddr(address))
        assert (pages(launched.pid), read_fault_counts(launched.pid)) == before[:2]


@pytest.mark.parametrize("temporary", [False, True])
@pytest.mark.parametrize("style", STYLES)
def test_a_run_through_breakpoints_is_the_run_without_gdb(stage: Path, style: str, temporary: bool) -> None:
    program = build(stage, "hello", STYLES[style])
    at_exit_under_ptrace(program)  # into the page cache with it
    expected = at_exit_under_ptrace(program)
    with launch(launches.launch(program)) as launched, GdbSession() as session:
        launched.hand_over()
        session.attach(launched.pid)
        bias = load_bias(launched.pid, program)
        wanted = [VirtAddr(symbol(program, name) + bias) for name in ("_start", "main")]
        for address in wanted:
            session.insert_hardware_breakpoint(address, temporary=temporary)
        session.catch_syscalls(("exit_group",))
        hit = [session.resume(SECONDS) for _ in wanted]
        assert [stop.address for stop in hit if isinstance(stop, BreakpointHit)] == wanted
        assert session.resume(SECONDS) == SyscallEntry(EXIT_GROUP, "exit_group")
        observed = pages(launched.pid), faults_since_exec(launched)
    if not style.startswith("dynamic"):
        assert observed == expected
    # The C library lies on a disk, where large folios make one run differ from the next.
    assert of_the_program(observed[0]) == of_the_program(expected[0])


def of_the_program(resident: tuple[PageState, ...]) -> list[PageState]:
    """Return the pages below the libraries."""
    return [page for page in resident if page.address < 0xF0000000]


def test_a_breakpoint_on_an_absent_page_leaves_it_absent(stage: Path) -> None:
    program = build_absent_pages(stage)
    far = VirtAddr(symbol(program, "far"))
    with launch(launches.launch(program)) as launched, GdbSession() as session:
        launched.hand_over()
        session.attach(launched.pid)
        number = session.insert_hardware_breakpoint(far)
        session.catch_syscalls(("getpid",))

        present = pages(launched.pid)
        for _ in ("entry", "return"):
            session.resume(SECONDS)
        # One read of the program's first page, with its neighbours; no page that esp or ebp point to.
        first = symbol(program, "_start") >> 12
        added = {page.vpn for page in pages(launched.pid)} - {page.vpn for page in present}
        assert first in added
        assert max(added) < far >> 12

        present = pages(launched.pid)
        assert session.resume(SECONDS) == BreakpointHit(far, number)
        assert session.registers().eip == far
        assert pages(launched.pid) == present
        for _ in ("entry", "return"):
            session.resume(SECONDS)
        assert far >> 12 in {page.vpn for page in pages(launched.pid)}

        present = pages(launched.pid)
        trap = session.resume(SECONDS)
        assert isinstance(trap, SignalReceived)
        assert trap.name == "SIGTRAP"
        assert pages(launched.pid) == present
        assert session.resume(SECONDS, deliver_signal=False) == Exited(2)


def test_an_int3_at_a_breakpoint_is_not_met_for_ever(stage: Path) -> None:
    program = build_absent_pages(stage)
    trap = VirtAddr(symbol(program, "trap"))
    with launch(launches.launch(program)) as launched, GdbSession() as session:
        launched.hand_over()
        session.attach(launched.pid)
        number = session.insert_hardware_breakpoint(trap)
        assert session.resume(SECONDS) == BreakpointHit(trap, number)
        received = session.resume(SECONDS)
        assert isinstance(received, SignalReceived)
        assert received.name == "SIGTRAP"
        assert session.registers().eip == trap + 1
        assert session.resume(SECONDS, deliver_signal=False) == Exited(2)


def test_the_next_page_is_read_only_when_asked(stage: Path) -> None:
    program = build_absent_pages(stage)
    far = VirtAddr(symbol(program, "far"))
    with launch(launches.launch(program)) as launched, GdbSession() as session:
        launched.hand_over()
        session.attach(launched.pid)
        session.insert_hardware_breakpoint(far)
        assert session.read_memory(far, 1) == b"\x90"
        assert far >> 12 in {page.vpn for page in pages(launched.pid)}
