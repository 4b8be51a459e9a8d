"""gdb absent, old, silent, hung or killed: a clear error in time, and nothing left behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.errors import GdbDied, GdbError, GdbMissing, GdbTimeout, GdbTooOld
from inspector.model.address import VirtAddr
from inspector.observe import ptrace
from inspector.observe.gdb.process import GDB_VARIABLE, find_gdb
from inspector.observe.gdb.session import GdbSession
from inspector.observe.gdb.stops import BreakpointHit, Exited
from inspector.observe.launch import launch
from inspector.observe.procfs.status import parse_status
from tests.live import launches
from tests.live.gdb_programs import build, symbol

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("gdb")]

SECONDS = 20.0


@pytest.fixture(autouse=True)
def _no_gdb_left() -> Iterator[None]:
    yield
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    left = {Path(f"/proc/{child}/comm").read_text().strip() for child in children}
    assert not left & {"gdb", "sh", "sleep"}


def has_ended(pid: int, within: float = 5.0) -> bool:
    """Whether `pid`, no child of ours, ends in time."""
    with suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        try:
            return bool(select.select((pidfd,), (), (), within)[0])
        finally:
            os.close(pidfd)
    return True


def script(directory: Path, text: str) -> str:
    """Return a program that stands in for gdb."""
    path = directory / "gdb"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_gdb_that_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for named in (tmp_path / "none", tmp_path):
        with pytest.raises(GdbMissing, match=str(named)) as caught:
            GdbSession(str(named))
        assert "apt install gdb" in caught.value.help
    monkeypatch.setenv(GDB_VARIABLE, str(tmp_path / "from the environment"))
    with pytest.raises(GdbMissing, match="from the environment"):
        GdbSession()
    monkeypatch.delenv(GDB_VARIABLE)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_path", {"scripts": str(tmp_path)}.get)
    with pytest.raises(GdbMissing, match="on PATH"):
        GdbSession()


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    garbage = tmp_path / "gdb"
    garbage.write_bytes(b"\x7fELF, but not quite")
    garbage.chmod(0o755)
    with pytest.raises(GdbMissing, match="cannot run"):
        GdbSession(str(garbage))


@pytest.mark.parametrize(
    "text",
    [
        "echo 'GNU gdb (GDB) 7.12'",
        "case $1 in --version) echo 'GNU gdb (Debian 11.2-1) 11.2';; *) echo 'no mi3' >&2; exit 1;; esac",
    ],
)
def test_an_old_gdb(tmp_path: Path, text: str) -> None:
    with GdbSession(script(tmp_path, text)) as session, pytest.raises(GdbTooOld, match="too old") as caught:
        session.attach(os.getpid())
    assert "12.0" in caught.value.help


def test_an_old_gdb_that_speaks_mi(tmp_path: Path) -> None:
    real = find_gdb()
    old = script(tmp_path, f'{real} "$@" | sed -u \'s/^~"GNU gdb .*/~"GNU gdb (GDB) 10.1\\\\n"/\'')
    with GdbSession(old) as session, pytest.raises(GdbTooOld, match=r"10\.1"):
        session.attach(os.getpid())


def test_a_gdb_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    dying = script(tmp_path, "echo 'gdb: libpython is missing' >&2; exit 127")
    with GdbSession(dying) as session, pytest.raises(GdbDied, match=r"status 127.*libpython is missing"):
        _ = session.version


@pytest.mark.parametrize("text", ["exec sleep 60", "exec cat"])
def test_a_gdb_that_says_nothing_of_use(tmp_path: Path, text: str) -> None:
    start = time.monotonic()
    silent = script(tmp_path, f'test "$1" = --version && exit; {text}')
    with GdbSession(silent, command_timeout=0.3) as session, pytest.raises(GdbTimeout, match=r"0\.3 s"):
        _ = session.version
    assert time.monotonic() - start < 5


def test_a_wrapper_around_gdb_that_fills_stderr(tmp_path: Path, stage: Path) -> None:
    # More than a pipe holds, and gdb as the script's child.
    noisy = script(tmp_path, f'yes noise | head -c 300000 >&2; "{find_gdb()}" "$@"; exit $?')
    with launch(launches.launch(build(stage, "hello"))) as launched, GdbSession(noisy) as session:
        launched.hand_over()
        session.attach(launched.pid)
        assert session.resume(SECONDS) == Exited(3)


def gdb_of(pid: int) -> int:
    return parse_status(Path(f"/proc/{pid}/status").read_bytes()).tracer_pid


def test_a_gdb_killed_while_the_program_is_stopped(stage: Path) -> None:
    with launch(launches.launch(build(stage, "spins"))) as launched:
        with GdbSession() as session:
            launched.hand_over()
            session.attach(launched.pid)
            os.kill(gdb_of(launched.pid), signal.SIGKILL)
            with pytest.raises(GdbDied, match="killed by SIGKILL"):
                session.registers()
            with pytest.raises(GdbError):
                session.resume(SECONDS)
        assert has_ended(launched.pid)


def test_a_gdb_killed_while_the_program_runs(stage: Path) -> None:
    with launch(launches.launch(build(stage, "spins"))) as launched:
        with GdbSession() as session:
            launched.hand_over()
            session.attach(launched.pid)
            gdb = gdb_of(launched.pid)
            killer = threading.Timer(0.1, os.kill, (gdb, signal.SIGKILL))
            killer.start()
            start = time.monotonic()
            with pytest.raises(GdbDied):
                session.resume(SECONDS)
            assert time.monotonic() - start < 5
        assert has_ended(launched.pid)


def test_a_gdb_that_hangs(stage: Path) -> None:
    with launch(launches.launch(build(stage, "spins"))) as launched:
        with GdbSession(command_timeout=0.3) as session:
            # Starting may take longer than the deadline chosen for the hang.
            for attempt in range(20):
                with suppress(GdbTimeout):
                    _ = session.version
                    break
                assert attempt < 19
            launched.hand_over()
            session.attach(launched.pid)
            os.kill(gdb_of(launched.pid), signal.SIGSTOP)
            start = time.monotonic()
            with pytest.raises(GdbTimeout, match=r"did not answer .* within 0\.3 s"):
                session.registers()
            session.kill()
        assert time.monotonic() - start < 5
        assert has_ended(launched.pid)


@pytest.mark.parametrize("owned", [True, False])
def test_nobody_waits_long_for_a_gdb_that_hangs(stage: Path, owned: bool) -> None:
    process = subprocess.Popen([build(stage, "spins")])
    try:
        with GdbSession() as session:
            session.attach(process.pid, owned=owned)
            os.kill(gdb_of(process.pid), signal.SIGSTOP)
            start = time.monotonic()
            if owned:
                session.kill()
        assert time.monotonic() - start < 4
        assert (process.poll() is not None) == owned
    finally:
        process.kill()
        process.wait()


def test_a_program_that_does_not_stop(stage: Path) -> None:
    program = build(stage, "spins")
    with launch(launches.launch(program)) as launched:
        with GdbSession() as session:
            launched.hand_over()
            session.attach(launched.pid)
            start = time.monotonic()
            for _ in range(2):
                with pytest.raises(GdbTimeout, match=r"did not stop within 0\.\d+ s"):
                    session.resume(0.1)
        assert time.monotonic() - start < 3
        assert has_ended(launched.pid)


@pytest.mark.parametrize("running", [False, True])
def test_kill_lets_the_parent_reap_at_once(stage: Path, running: bool) -> None:
    program = build(stage, "spins")
    with launch(launches.launch(program)) as launched, GdbSession() as session:
        launched.hand_over()
        session.attach(launched.pid)
        session.insert_hardware_breakpoint(VirtAddr(symbol(program, "tick")), temporary=True)
        session.resume(SECONDS)
        if running:
            with pytest.raises(GdbTimeout):
                session.resume(0.05)
        session.kill()
        start = time.monotonic()
        launched.close()
        assert time.monotonic() - start < 1


@pytest.mark.parametrize("moment", ["stopped", "at a breakpoint", "running"])
def test_a_process_that_is_not_ours_is_let_go(stage: Path, moment: str) -> None:
    program = build(stage, "spins")
    tick = VirtAddr(symbol(program, "tick"))
    process = subprocess.Popen([program])
    try:
        time.sleep(0.05)
        with GdbSession() as session:
            session.attach(process.pid, owned=False)
            number = session.insert_hardware_breakpoint(tick)
            if moment != "stopped":
                assert session.resume(SECONDS) == BreakpointHit(tick, number)
            if moment == "running":
                session.remove_breakpoint(number)
                with pytest.raises(GdbTimeout):
                    session.resume(0.05)
        time.sleep(0.05)
        status = parse_status(Path(f"/proc/{process.pid}/status").read_bytes())
        assert status.tracer_pid == 0
        assert status.state in "RS"
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_a_process_that_was_stopped_stays_so_when_let_go(stage: Path) -> None:
    process = subprocess.Popen([build(stage, "spins")])
    try:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        with GdbSession() as session:
            session.attach(process.pid, owned=False)
            assert session.registers().cs
        time.sleep(0.05)
        assert parse_status(Path(f"/proc/{process.pid}/status").read_bytes()).state == "T"
        process.send_signal(signal.SIGCONT)
    finally:
        process.kill()
        process.wait()


def test_detached_a_program_runs_to_its_end(stage: Path) -> None:
    program = build(stage, "hello")
    with launch(launches.launch(program)) as launched, GdbSession() as session:
        launched.hand_over()
        session.attach(launched.pid)
        session.insert_hardware_breakpoint(VirtAddr(symbol(program, "main")))
        session.detach()
        assert launched.wait(SECONDS) == ptrace.Gone(3, None)


ABANDONED = """
import sys, time
from inspector.observe.gdb.session import GdbSession
from inspector.observe.launch import launch
from tests.live import launches

with launch(launches.launch(sys.argv[1])) as launched, GdbSession() as session:
    launched.hand_over()
    session.attach(launched.pid)
    print(launched.pid, session._process.pid, flush=True)
    session.resume(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_gdb_and_the_program_end_with_the_tool(stage: Path, number: signal.Signals) -> None:
    tool = subprocess.Popen(
        [sys.executable, "-c", ABANDONED, build(stage, "spins")], stdout=subprocess.PIPE, text=True
    )
    assert tool.stdout is not None
    pids = [int(word) for word in tool.stdout.readline().split()]
    time.sleep(0.05)
    tool.send_signal(number)
    tool.wait()
    tool.stdout.close()
    assert len(pids) == 2
    assert all(has_ended(pid) for pid in pids)


def test_sessions_leave_no_descriptors_and_threads(stage: Path) -> None:
    def held() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    program = build(stage, "hello")
    before = held()
    for _ in range(3):
        with launch(launches.launch(program)) as launched, GdbSession() as session:
            launched.hand_over()
            session.attach(launched.pid)
        with GdbSession() as session:
            os.kill(session._process.pid, signal.SIGKILL)
            with pytest.raises(GdbDied):
                _ = session.version
    assert held() == before
