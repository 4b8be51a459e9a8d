"""The one way to launch: what the launcher sets, what it leaves alone, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.errors import LaunchFailed
from inspector.model.program import Layout
from inspector.observe.launch import launch
from inspector.observe.procfs.status import parse_status
from tests.elfwriter import Elf
from tests.live import launches
from tests.live.launches import executable
from tests.live.odd_programs import FIXED, with_interpreter
from tests.machines import write_program

if TYPE_CHECKING:
    from inspector.model.program import Program
    from inspector.observe.launch import Launched

pytestmark = pytest.mark.live


@pytest.fixture
def tiny(tmp_path: Path) -> Program:
    """Return a program that runs."""
    return write_program(tmp_path, Elf().build())


def proc(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


def test_the_stage_is_set_as_asked(tiny: Program) -> None:
    with launch(replace(tiny, layout=Layout.THREE_GB, argv=("a", "b\nc", "\udcff"))) as launched:
        pid = launched.pid
        assert proc(pid, "cmdline") == b"a\0b\nc\0\xff\0"
        assert int(proc(pid, "personality"), 16) == 0x8040000
        assert b"Max stack size            8388608" in proc(pid, "limits")
        assert b"Max core file size        0" in proc(pid, "limits")
        status = parse_status(proc(pid, "status"))
        assert not status.sig_ign
        assert not status.sig_blk
        assert status.thp_enabled is not True
        descriptors = {entry.name: str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
        assert descriptors.keys() == {"0", "1", "2"}
        assert descriptors["0"] == "/dev/null"
        assert descriptors["1"] == descriptors["2"]
    assert not Path(f"/proc/{pid}").exists()


def test_signals_ignored_by_the_tool_are_not_ignored_by_the_program(tiny: Program) -> None:
    numbers = (signal.SIGINT, signal.SIGRTMAX)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        with launch(tiny) as launched:
            assert not parse_status(proc(launched.pid, "status")).sig_ign
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


FAMILIES = {
    "a child in the program's group": "sleep 1000 & echo $!; wait",
    "a child in a session of its own": "setsid sleep 1000 & echo $!; wait",
    "an orphan": "(sleep 1000 & echo $!)",
    "an orphan in a session of its own": "(setsid sh -c 'echo $$; exec sleep 1000' &)",
    "one with another environment and directory": "cd /; env -i setsid sh -c 'echo $$; exec sleep 1000' &",
    "one of many generations": "(setsid sh -c '(setsid sh -c \"(sleep 1000 & echo \\$!)\" &)' &)",
}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_all_that_the_program_started_ends_with_it(family: str) -> None:
    with launch(launches.launch("/bin/sh", ("sh", "-c", family))) as launched:
        launched.hand_over()
        os.kill(launched.pid, signal.SIGCONT)
        descendant = _number_printed(launched)
        assert _runs(descendant)
    deadline = time.monotonic() + 5
    while _runs(descendant) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(descendant)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_all_that_the_program_started_ends_with_a_tool_that_is_killed(family: str) -> None:
    script = (
        "import os, signal, sys, time\n"
        "from inspector.observe.launch import launch; from tests.live import launches, test_launch\n"
        "launched = launch(launches.launch('/bin/sh', ('sh', '-c', sys.argv[1])))\n"
        "launched.hand_over()\n"
        "os.kill(launched.pid, signal.SIGCONT)\n"
        "print(test_launch._number_printed(launched), flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, family], stdout=subprocess.PIPE, text=True) as tool:
        assert tool.stdout is not None
        descendant = int(tool.stdout.readline())
        assert _runs(descendant)
        tool.kill()
    deadline = time.monotonic() + 5
    while _runs(descendant) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(descendant)


def test_what_others_started_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as other:
        with launch(launches.launch("/bin/true")):
            pass
        assert other.poll() is None
        other.kill()


def _number_printed(launched: Launched) -> int:
    deadline = time.monotonic() + 10
    while not launched.terminal.output.endswith(b"\n") and time.monotonic() < deadline:
        time.sleep(0.01)
    return int(launched.terminal.output)


def _runs(pid: int) -> bool:
    try:
        return parse_status(proc(pid, "status")).state not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/nonexistent", "refused: ENOENT"),
        ("/usr", "refused: EACCES"),
        ("/etc/passwd", "refused: EACCES"),
        ("/etc/passwd/x", "refused: ENOTDIR"),
        ("/" + "x" * 300, "refused: ENAMETOOLONG"),
        ("/dev/null", "refused: EACCES"),
    ],
)
def test_a_refusal_is_an_errno_and_leaves_no_process(path: str, answer: str) -> None:
    with launch(launches.launch(path)) as launched:
        assert str(launched.verdict) == answer
        assert not Path(f"/proc/{launched.pid}").exists()


def test_a_death_past_the_point_of_no_return_is_a_signal(tmp_path: Path) -> None:
    with launch(write_program(tmp_path, Elf(entry=0xFFFFF000).build())) as launched:
        assert str(launched.verdict) == "killed: SIGSEGV"


@pytest.mark.parametrize("by", ["a script", "PT_INTERP", "execve itself"])
def test_a_program_that_leads_back_to_the_launcher_is_none(by: str, tmp_path: Path) -> None:
    target = b"/proc/self/exe"
    line = b"#!" + target + b"\n"
    dynamic = with_interpreter(FIXED, target + b"\0").contents()
    path = executable(tmp_path / "under-test", line if by == "a script" else dynamic)
    with pytest.raises(LaunchFailed, match="leads back to whoever starts it"):
        launch(launches.launch(target.decode() if by == "execve itself" else path))


def test_strings_over_many_pages_are_not_charged_to_execve(tiny: Program) -> None:
    """The launcher touched every page of its own: execve's faults are its string pages and the tables'."""
    arguments = ("x" * 5000,) * 20
    with launch(replace(tiny, argv=arguments)) as launched:
        from inspector.observe.snapshot import read_fault_counts

        resident = read_fault_counts(launched.pid).minor - launched.baseline.minor
        assert resident == 5000 * 20 // 4096 + 1


def test_a_stdin_that_cannot_be_opened_is_said_so(tiny: Program) -> None:
    with pytest.raises(LaunchFailed, match="/no/such/input"):
        launch(replace(tiny, stdin="/no/such/input"))


def test_a_stack_limit_above_the_hard_limit_is_said_so() -> None:
    script = (
        "from inspector.observe.launch import launch; from tests.live import launches\n"
        "from inspector.errors import LaunchFailed\n"
        "import os, resource; resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))\n"
        "program = launches.launch('/bin/true')\n"
        "os.setuid(65534) if os.getuid() == 0 else None\n"
        "try: launch(program)\n"
        "except LaunchFailed as error: print(error, '|', error.help)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "hard limit of the stack is 1048576 bytes, below the 8388608 bytes" in done.stdout, done.stderr


def test_the_program_dies_with_the_tool(tiny: Program) -> None:
    script = (
        "import sys, time; from inspector.observe.launch import launch; from tests.live import launches\n"
        "launched = launch(launches.launch(sys.argv[1]))\n"
        "if sys.argv[2] == 'handed': launched.hand_over()\n"
        "print(launched.pid, flush=True); time.sleep(60)\n"
    )
    for state in ("traced", "handed"):
        tool = subprocess.Popen(
            [sys.executable, "-c", script, tiny.path, state], stdout=subprocess.PIPE, text=True
        )
        assert tool.stdout is not None
        pid = int(tool.stdout.readline())
        tool.kill()
        tool.wait()
        tool.stdout.close()
        deadline = time.monotonic() + 5
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not Path(f"/proc/{pid}").exists(), state


def _output_of_cat(fifo: Path) -> bytes:
    with launch(replace(launches.launch("/bin/cat"), stdin=str(fifo))) as launched:
        launched.hand_over()
        os.kill(launched.pid, signal.SIGCONT)
        os.waitid(os.P_PID, launched.pid, os.WEXITED | os.WNOWAIT)
    return launched.terminal.output


def test_a_fifo_that_nobody_writes_to_reads_as_empty(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert _output_of_cat(tmp_path / "fifo") == b""


def test_a_fifo_is_read_until_its_writer_is_done(tmp_path: Path) -> None:
    """The program waits for what is written late, as it would for a pipe a shell gave it."""
    os.mkfifo(tmp_path / "fifo")
    script = "exec 3<>fifo; exec 4>fifo; exec 3<&-; echo open; sleep 0.3; echo late >&4"
    with subprocess.Popen(["sh", "-c", script], cwd=tmp_path, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"open\n"
        assert _output_of_cat(tmp_path / "fifo") == b"late\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide /dev/pts")
def test_without_pseudo_terminals_the_program_writes_to_a_pipe() -> None:
    script = (
        "from inspector.observe import observe; from tests.live import launches\n"
        "seen = observe(launches.launch('/bin/echo', ('echo', 'words')), until='exec')\n"
        "print(seen.verdict, seen.notes)\n"
    )
    hide = 'mount -t tmpfs none /dev/pts && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", hide, "sh", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.stderr.startswith("unshare: ") or "mount: " in done.stderr:
        pytest.skip(done.stderr)
    assert done.stdout.startswith("runs "), done.stderr
    assert "no pseudo-terminal" in done.stdout
    assert "mount -t devpts devpts /dev/pts" in done.stdout
