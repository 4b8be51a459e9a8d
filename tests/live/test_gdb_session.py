"""A program under gdb: what makes it stop, what is told of the stop, how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.errors import CannotObserve, GdbRefused, GdbTimeout, NotModelled, ProcessVanished, UsageError
from inspector.model.address import VirtAddr
from inspector.observe.gdb.session import GdbSession
from inspector.observe.gdb.stops import (
    BreakpointHit,
    Execed,
    Exited,
    Forked,
    KilledBy,
    SignalReceived,
    Stop,
    SyscallEntry,
    SyscallReturn,
)
from inspector.observe.launch import Launched, launch
from tests.live import launches
from tests.live.gdb_programs import STYLES, build, build_absent_pages, load_bias, stripped, symbol

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("gdb")]

SECONDS = 20.0
EXIT_GROUP, GETPID, TGKILL = 252, 20, 270


@contextmanager
def under_gdb(program: Path, *arguments: str) -> Iterator[tuple[GdbSession, Launched]]:
    """Attach gdb to `program` at its first instruction."""
    with launch(launches.launch(program, (str(program), *arguments))) as launched, GdbSession() as session:
        launched.hand_over()
        session.attach(launched.pid)
        yield session, launched


def run_to_end(session: GdbSession) -> list[Stop]:
    """Return every stop from here on."""
    stops = [session.resume(SECONDS)]
    while not isinstance(stops[-1], Exited | KilledBy):
        stops.append(session.resume(SECONDS))
    return stops


@pytest.mark.parametrize("style", STYLES)
def test_a_breakpoint_at_main_whatever_the_link_style(stage: Path, style: str) -> None:
    program = build(stage, "hello", STYLES[style])
    with under_gdb(program) as (session, launched):
        main = VirtAddr(symbol(program, "main") + load_bias(launched.pid, program))
        number = session.insert_hardware_breakpoint(main)
        assert session.resume(SECONDS) == BreakpointHit(main, number)
        assert session.registers().eip == main
        assert run_to_end(session) == [Exited(3)]


def test_a_breakpoint_in_a_stripped_program(stage: Path) -> None:
    program = build(stage, "hello")
    main = VirtAddr(symbol(program, "main"))
    with under_gdb(stripped(program)) as (session, _):
        number = session.insert_hardware_breakpoint(main)
        assert run_to_end(session) == [BreakpointHit(main, number), Exited(3)]


@pytest.mark.parametrize("temporary", [False, True])
def test_a_breakpoint_where_the_program_stands_is_reported_once(stage: Path, temporary: bool) -> None:
    program = build(stage, "hello")
    start = VirtAddr(symbol(program, "_start"))
    with under_gdb(program) as (session, _):
        number = session.insert_hardware_breakpoint(start, temporary=temporary)
        assert session.resume(SECONDS) == BreakpointHit(start, number)
        assert session.registers().eip == start
        assert run_to_end(session) == [Exited(3)]


def test_a_breakpoint_stays_and_a_temporary_one_goes(stage: Path) -> None:
    program = build(stage, "spins")
    tick = VirtAddr(symbol(program, "tick"))
    with under_gdb(program) as (session, _):
        number = session.insert_hardware_breakpoint(tick)
        for _ in range(3):
            assert session.resume(SECONDS) == BreakpointHit(tick, number)
        session.remove_breakpoint(number)
        number = session.insert_hardware_breakpoint(tick, temporary=True)
        # The program stands there still, and that has been reported: this is the next tick.
        assert session.resume(SECONDS) == BreakpointHit(tick, number)
        with pytest.raises(GdbTimeout, match=r"did not stop within 0\.1 s"):
            session.resume(0.1)


def test_there_are_four_debug_registers(stage: Path) -> None:
    program = build(stage, "hello")
    main = symbol(program, "main")
    with under_gdb(program) as (session, _):
        numbers = [session.insert_hardware_breakpoint(VirtAddr(main + offset)) for offset in range(100, 104)]
        with pytest.raises(UsageError, match="no hardware breakpoint left for 0x"):
            session.insert_hardware_breakpoint(VirtAddr(main))
        session.insert_hardware_breakpoint(VirtAddr(main + 100))  # shares a register
        session.remove_breakpoint(numbers[-1])
        number = session.insert_hardware_breakpoint(VirtAddr(main), temporary=True)
        assert session.resume(SECONDS) == BreakpointHit(VirtAddr(main), number)
        session.insert_hardware_breakpoint(VirtAddr(main + 104))
        assert run_to_end(session) == [Exited(3)]


FAULTS = {
    "segv": ("SIGSEGV", 1, 0x1234),
    "write_text": ("SIGSEGV", 2, None),
    "jump_to_nowhere": ("SIGSEGV", 1, 0x10),
    "jump_to_guard": ("SIGSEGV", 1, 0xFFF1),
    "privileged": ("SIGSEGV", 128, 0),
}


@pytest.mark.parametrize("breakpoints", [0, 1, 2, 4])
@pytest.mark.parametrize("temporary", [False, True])
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_with_its_code_and_address(
    stage: Path, name: str, breakpoints: int, temporary: bool
) -> None:
    # Whatever the debug registers are used for: gdb can take the signal for a breakpoint's.
    program = build(stage, name)
    signal_name, code, address = FAULTS[name]
    address = symbol(program, "main") if address is None else address
    places = [VirtAddr(symbol(program, each)) for each in ("main", "__libc_start_main", "exit", "_exit")]
    with under_gdb(program) as (session, _):
        for place in places[:breakpoints]:
            session.insert_hardware_breakpoint(place, temporary=temporary)
        stops = [stop for stop in run_to_end(session) if not isinstance(stop, BreakpointHit)]
        expected = SignalReceived(signal_name, signal.SIGSEGV, code, VirtAddr(address))
        assert stops == [expected, KilledBy(signal_name)]


def test_a_handled_fault_goes_to_its_handler(stage: Path) -> None:
    with under_gdb(build(stage, "handles_segv")) as (session, _):
        fault = SignalReceived("SIGSEGV", signal.SIGSEGV, 1, VirtAddr(0x1234))
        assert run_to_end(session) == [fault, Exited(6)]


def test_a_breakpoint_on_an_instruction_that_faults(stage: Path) -> None:
    program = build(stage, "jump_to_nowhere")
    with under_gdb(program) as (session, _):
        number = session.insert_hardware_breakpoint(VirtAddr(0x10))
        # The breakpoint comes before the fetch that faults.
        assert session.resume(SECONDS) == BreakpointHit(VirtAddr(0x10), number)
        fault = SignalReceived("SIGSEGV", signal.SIGSEGV, 1, VirtAddr(0x10))
        assert run_to_end(session) == [fault, KilledBy("SIGSEGV")]


def test_system_calls_are_caught_by_name_and_by_number(stage: Path) -> None:
    with under_gdb(build(stage, "stops_itself")) as (session, _):
        caught = session.catch_syscalls(("tgkill", EXIT_GROUP))
        entry, back = SyscallEntry(TGKILL, "tgkill"), SyscallReturn(TGKILL, "tgkill")
        assert session.resume(SECONDS) == entry
        assert session.siginfo() is None
        assert session.resume(SECONDS) == back
        assert session.registers().eax == 0
        session.remove_breakpoint(caught)
        session.catch_syscalls(("exit_group",))
        assert run_to_end(session)[-2:] == [SyscallEntry(EXIT_GROUP, "exit_group"), Exited(5)]


def test_a_breakpoint_right_after_a_system_call(stage: Path) -> None:
    program = build_absent_pages(stage)
    trap = VirtAddr(symbol(program, "trap"))
    with under_gdb(program) as (session, _):
        number = session.insert_hardware_breakpoint(trap)
        session.catch_syscalls((GETPID,))
        call = [SyscallEntry(GETPID, "getpid"), SyscallReturn(GETPID, "getpid")]
        stops = [session.resume(SECONDS) for _ in range(5)]
        assert stops == [*call, *call, BreakpointHit(trap, number)]


@pytest.mark.parametrize("call", ["", "1 2", "brk\nshell false", "group:memory", "-location"])
def test_only_names_and_numbers_are_system_calls(stage: Path, call: str) -> None:
    with under_gdb(build(stage, "hello")) as (session, _):
        with pytest.raises(UsageError):
            session.catch_syscalls((call,))
        with pytest.raises(GdbRefused, match="no_such_call"):
            session.catch_syscalls(("no_such_call",))
        session.catch_syscalls((9999,))
        assert run_to_end(session) == [Exited(3)]


def test_a_program_that_stops_itself_is_seen_to_and_goes_on(stage: Path) -> None:
    # Neither is a SIGSTOP of the program's own lost, nor one of the launch's or gdb's taken for one.
    with under_gdb(build(stage, "stops_itself")) as (session, _):
        stops = run_to_end(session)
    names = [(stop.name, stop.code) for stop in stops if isinstance(stop, SignalReceived)]
    assert names == [("SIGSTOP", -6), ("SIGTSTP", -6), ("SIGSTOP", -6)]
    assert stops[-1] == Exited(5)


def test_threads_bring_no_stops_of_their_own(stage: Path) -> None:
    with under_gdb(build(stage, "threads")) as (session, _):
        assert run_to_end(session) == [Exited(7)]


def test_every_thread_meets_the_breakpoint(stage: Path) -> None:
    program = build(stage, "threads")
    work = VirtAddr(symbol(program, "work"))
    with under_gdb(program) as (session, _):
        number = session.insert_hardware_breakpoint(work)
        assert run_to_end(session) == [BreakpointHit(work, number)] * 4 + [Exited(7)]


def test_an_int3_of_the_program_is_its_own(stage: Path) -> None:
    trap = SignalReceived("SIGTRAP", signal.SIGTRAP, 128, VirtAddr(0))
    program = build(stage, "int3")
    with under_gdb(program) as (session, _):
        assert run_to_end(session) == [trap, KilledBy("SIGTRAP")]
    with under_gdb(program, "with a handler") as (session, _):
        assert run_to_end(session) == [trap, Exited(11)]
    with under_gdb(program) as (session, _):
        assert session.resume(SECONDS) == trap
        assert session.resume(SECONDS, deliver_signal=False) == Exited(10)


def test_another_program_executed(stage: Path) -> None:
    hello = build(stage, "hello", STYLES["dynamic-pie"])
    with under_gdb(build(stage, "execs"), str(hello)) as (session, _):
        assert session.resume(SECONDS) == Execed(str(hello))
        assert session.registers().cs
        assert run_to_end(session) == [Exited(3)]


def test_a_64_bit_program_executed_is_not_modelled(stage: Path) -> None:
    with under_gdb(build(stage, "execs"), "/bin/true") as (session, _):
        session.registers()
        assert isinstance(session.resume(SECONDS), Execed)
        with pytest.raises(NotModelled, match="64-bit"):
            session.registers()
        assert run_to_end(session) == [Exited(0)]


def test_children_run_free(stage: Path) -> None:
    program = build(stage, "forks")
    with under_gdb(program) as (session, _):
        assert run_to_end(session) == [Exited(5)]
    with under_gdb(program) as (session, _):
        session.insert_hardware_breakpoint(VirtAddr(symbol(program, "_exit")))
        session.catch_forks()
        fork, vfork, *rest = run_to_end(session)
        assert isinstance(fork, Forked)
        assert not fork.shares_memory
        assert isinstance(vfork, Forked)
        assert vfork.shares_memory
        assert [type(stop) for stop in rest] == [BreakpointHit, Exited]


def test_what_the_program_prints_is_never_taken_for_gdb(stage: Path) -> None:
    with under_gdb(build(stage, "forges")) as (session, launched):
        assert run_to_end(session) == [Exited(8)]
        launched.close()
        assert b'*stopped,reason="exited"' in launched.terminal.output


def test_memory_is_read_from_the_process(stage: Path) -> None:
    program = build(stage, "hello")
    start = VirtAddr(symbol(program, "_start"))
    with under_gdb(program) as (session, launched):
        session.insert_hardware_breakpoint(start)
        with Path(f"/proc/{launched.pid}/mem").open("rb") as memory:
            memory.seek(start)
            assert session.read_memory(start, 5000) == memory.read(5000)
        for address in (VirtAddr(0x1000), VirtAddr(0x8048000 - 10)):
            with pytest.raises(CannotObserve, match="not all of"):
                session.read_memory(address, 20)


def test_a_program_killed_by_someone_else(stage: Path) -> None:
    program = build(stage, "spins")
    with under_gdb(program) as (session, launched):
        session.insert_hardware_breakpoint(VirtAddr(symbol(program, "tick")))
        session.resume(SECONDS)
        os.kill(launched.pid, signal.SIGKILL)
        assert session.resume(SECONDS) == KilledBy("SIGKILL")
        with pytest.raises(GdbRefused, match="gone"):
            session.registers()


def test_a_process_that_is_not_there(stage: Path) -> None:
    ended = subprocess.Popen([build(stage, "hello")], stdout=subprocess.DEVNULL)
    ended.wait()
    with GdbSession() as session, pytest.raises(ProcessVanished):
        session.attach(ended.pid)


def test_a_process_that_is_already_traced(stage: Path) -> None:
    with launch(launches.launch(build(stage, "hello"))) as launched, GdbSession() as session:
        with pytest.raises(CannotObserve, match=f"already traced, by process {os.getpid()}"):
            session.attach(launched.pid)
        launched.hand_over()
        session.attach(launched.pid)
        assert run_to_end(session) == [Exited(3)]


def test_calls_out_of_turn_are_refused(stage: Path) -> None:
    with GdbSession() as session:
        for call in (session.registers, session.detach, lambda: session.resume(1)):
            with pytest.raises(GdbRefused):
                call()
        session.kill()
    with under_gdb(build(stage, "spins")) as (session, launched):
        with pytest.raises(GdbRefused):
            session.attach(launched.pid)
        with pytest.raises(GdbTimeout):
            session.resume(0.05)
        with pytest.raises(GdbRefused, match="running"):
            session.registers()
        session.kill()
        session.kill()
