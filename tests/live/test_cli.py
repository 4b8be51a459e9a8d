"""The command as its users meet it: real programs, real gdb, exit codes."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from inspector.model.document import parse_check
from inspector.model.finding import Verdict
from inspector.observe.tiny_elf import Assembler, link
from inspector.report.text import display_width
from tests.live.command_line import COMMAND, inspector, require_a_machine_that_can_check
from tests.live.launches import executable

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.live

BASE = 0x08048000


@pytest.fixture(scope="session", autouse=True)
def _machine_can_check() -> None:
    require_a_machine_that_can_check()


def test_a_program_agrees_to_its_end(program: Path) -> None:
    done = inspector("check", program)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "prediction and kernel agree" in done.stdout
    assert "ending  exit 7" in done.stdout
    assert all(display_width(line) <= 80 for line in done.stdout.splitlines())


def test_arguments_and_environment_reach_the_program(program: Path) -> None:
    words = ["", "two  words", "--json", "-", "--", "--help"]
    done = inspector(
        "check",
        "--until",
        "exec",
        program,
        "--env",
        "NAME=a=b",
        "--env",
        "LC_ALL=x",
        "--json",
        "-",
        "--",
        *words,
    )
    check = parse_check(done.stdout.encode())
    assert done.returncode == check.exit_code == 0
    assert check.prediction.program.argv[1:] == tuple(words)
    assert set(check.prediction.program.envp) >= {"NAME=a=b", "LC_ALL=x"}


def test_what_a_program_is_given_to_read_is_one_of_the_things_compared(
    tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.txt").write_text("words\n")
    monkeypatch.chdir(tmp_path)
    done = inspector("check", "--stdin", "in.txt", program, "--json", "-")
    check = parse_check(done.stdout.encode())
    assert done.returncode == 0
    assert {finding.verdict for finding in check.findings} == {Verdict.AGREES}
    assert check.observation is not None
    given = [file for file in check.prediction.files if file.path == str(tmp_path / "in.txt")]
    assert given == [check.observation.input]


def test_a_list_gives_each_program_its_own_arguments(tmp_path: Path, program: Path) -> None:
    listing = tmp_path / "list"
    listing.write_text(f"A=1 {program} 'two  words'\n{program}\n")
    done = inspector("check", "--until", "exec", program, "--list", listing, "--json", "-", "--", "all")
    checks = [parse_check(line.encode()) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    programs = [check.prediction.program for check in checks]
    assert [one.argv[1:] for one in programs] == [("all",), ("all", "two  words"), ("all",)]
    assert ["A=1" in one.envp for one in programs] == [False, True, False]
    assert inspector("check").returncode == 2


@pytest.mark.parametrize(
    "options", [["--layout", "3gb"], ["--aslr"], ["--aslr", "--layout", "3gb"], ["--in-place"]]
)
def test_every_way_to_launch_agrees(program: Path, options: list[str]) -> None:
    done = inspector("check", *options, program, "/nonexistent")
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("2 agree (1 does not run), 0 differ, 0 could not be observed\n")


def test_a_difference_is_shown_in_full_and_ends_with_1(tmp_path: Path, program: Path) -> None:
    profile = tmp_path / "profile.json"
    assert inspector("profile", "-o", profile).returncode == 0
    changed = json.loads(profile.read_text())
    changed["platform"] = "i5"
    profile.write_text(json.dumps(changed))
    done = inspector("check", "--until", "exec", "--profile", profile, program, "/nonexistent")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("✗ ")
    assert "differences" in lines[0]
    assert any("AT_PLATFORM" in line for line in lines)
    assert lines[-1] == "1 agree (1 does not run), 1 differ, 0 could not be observed"


@pytest.mark.parametrize("options", [[], ["--aslr"]])
def test_a_system_call_that_no_one_knows_is_all_that_is_said(program: Path, options: list[str]) -> None:
    done = inspector("check", *options, "--stop", "syscall:no_such_call", program)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "gdb knows no system call 'no_such_call'" in done.stderr
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("stop", ["no_such_symbol", "0xzz", "syscall:"])
def test_a_stop_that_makes_no_sense_ends_before_anything_is_run(program: Path, stop: str) -> None:
    done = inspector("check", "--stop", stop, "/nonexistent", program)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 2


def test_a_stop_is_no_obstacle_to_a_verdict(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program\n")
    (tmp_path / "text").chmod(0o755)
    assert inspector("check", "--stop", "main", tmp_path / "text", tmp_path / "missing").returncode == 0


def test_stops_are_predicted_too(program: Path) -> None:
    done = inspector("check", "--stop", f"{Assembler(BASE).start:#x}", program)
    assert done.returncode == 0
    assert f"✓ Compared at {Assembler(BASE).start:#x}" in done.stdout
    assert "· not predicted" not in done.stdout


def test_a_stop_never_reached_is_in_the_headline_and_is_no_success(program: Path) -> None:
    stops = ("--stop", "syscall:brk", "--stop", "syscall:exit")
    done = inspector("check", *stops, program)
    assert done.returncode == 3
    assert "they agree, but syscall:brk was never reached" in " ".join(done.stdout.split())
    assert "?  syscall:brk was never reached" in done.stdout
    observed = inspector("observe", *stops, program)
    assert observed.returncode == 0
    assert "observed: runs, but syscall:brk was never reached" in " ".join(observed.stdout.split())


def test_two_names_of_one_address_are_two_checkpoints_of_one_stop(program: Path) -> None:
    start = Assembler(BASE).start
    names = [f"{start:#x}", f"0x0{start:x}", str(start)]
    stops = [option for name in (*names[:2], names[0]) for option in ("--stop", name)]
    done = inspector("check", *stops, "--until", names[2], program, "--json", "-")
    check = parse_check(done.stdout.encode())
    assert check.observation is not None
    assert [snapshot.checkpoint for snapshot in check.observation.snapshots] == ["exec", *names]
    assert [raw.checkpoint for raw in check.observation.raw] == ["exec", *names]
    assert check.observation.unreached == ()
    assert done.returncode == 0


def test_where_nothing_can_be_saved_nothing_is_run(program: Path) -> None:
    for command in (
        ["check", "--json", "/nonexistent/file", program],
        ["predict", "--json", "/nonexistent/file", program],
        ["observe", "--json", "/nonexistent/file", program],
        ["observe", "-o", "/nonexistent/file", program],
    ):
        done = inspector(*command)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.splitlines() == [
            "inspector: /nonexistent/file: No such file or directory",
            "  create the directory first",
        ]


def test_without_gdb_the_program_is_still_compared_at_exec(program: Path) -> None:
    done = inspector("check", program, INSPECTOR_GDB="/nonexistent/gdb")
    assert done.returncode == 3
    assert "✓ Compared at exec" in done.stdout
    assert "/nonexistent/gdb" in done.stderr


def test_what_was_saved_can_be_compared_later(tmp_path: Path, program: Path) -> None:
    prediction, recording = tmp_path / "prediction.json", tmp_path / "recording.json"
    assert inspector("observe", "-o", recording, program).returncode == 0
    assert inspector("predict", "--until", "exec", "--json", prediction, program).returncode == 0
    done = inspector("compare", prediction, recording, PATH="/nonexistent")
    assert done.returncode == 0, done.stdout
    assert "prediction and kernel agree" in done.stdout
    assert inspector("compare", recording, prediction).returncode == 2
    recording.write_bytes(recording.read_bytes()[:-100])
    broken = inspector("compare", prediction, recording)
    assert broken.returncode == 2
    assert len(broken.stderr.splitlines()) == 2


def test_predict_goes_as_far_as_it_is_asked_to(program: Path) -> None:
    assert inspector("predict", "--until", "exec", program).returncode == 0
    assert "exit 7" in inspector("predict", program).stdout
    nowhere = inspector("predict", "--until", "main", program)
    assert nowhere.returncode == 2
    assert "has no symbols at all" in nowhere.stderr


def test_a_live_process_is_looked_at_and_goes_on() -> None:
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        done = inspector("observe", "--pid", sleeper.pid)
        assert done.returncode == 0
        assert "[stack]" in done.stdout
        assert all(display_width(line) <= 80 for line in done.stdout.splitlines())
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()
    assert inspector("observe", "--pid", sleeper.pid).returncode == 3


def on_a_terminal(*arguments: object, **environment: str) -> str:
    """Run the command on a terminal of its own and return everything it wrote there."""
    pid, master = pty.fork()
    if pid == 0:
        variables = os.environ | {"TERM": "xterm", "NO_COLOR": ""} | environment
        # A terminal needs a process of its own.
        os.execvpe(COMMAND[0], [*COMMAND, *map(str, arguments)], variables)  # noqa: S606
    text = b""
    with suppress(OSError):  # EIO: the other side has ended
        while data := os.read(master, 65536):
            text += data
    os.close(master)
    os.waitpid(pid, 0)
    return text.decode()


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (("predict",), "prediction"),
        (("observe",), "run"),
        (("loading", "--predict-only"), "prediction"),
        (("explain", "--predict-only"), "prediction"),
    ],
)
def test_a_terminal_hears_what_takes_long(tmp_path: Path, command: tuple[str, ...], what: str) -> None:
    assembler = Assembler(BASE)
    image = link(assembler, entry=assembler.data(b"\xeb\xfe"))
    program = executable(tmp_path / "endless", image)
    subject = (hex(BASE),) if command[0] == "explain" else ()
    shown = on_a_terminal(*command, "--timeout", "4", program, *subject)
    assert re.search(rf"\r\x1b\[K{what} of \S*endless: ", shown)


def test_a_terminal_gets_colour_and_progress_unless_it_does_not_want_them(program: Path) -> None:
    shown = on_a_terminal("check", program, "/nonexistent")
    assert "\x1b[32m✓\x1b[0m" in shown
    assert "\r\x1b[K[##########..........] 1 of 2 programs" in shown
    assert shown.endswith("\r\n2 agree (1 does not run), 0 differ, 0 could not be observed\r\n")
    plain = on_a_terminal("check", program, "/nonexistent", NO_COLOR="1")
    assert "\x1b[32m" not in plain
    assert "\x1b" not in on_a_terminal("check", program, "/nonexistent", TERM="dumb")
