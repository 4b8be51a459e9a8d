"""The command as its users meet it: real programs, real gdb, exit codes, signals."""

from __future__ import annotations

import json
import os
import pty
import random
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from inspector.model.document import parse_check, parse_observation
from inspector.model.finding import Verdict
from inspector.observe.doctor import can_check, examine
from inspector.observe.tiny_elf import Assembler, link
from inspector.report.text import display_width

pytestmark = pytest.mark.live

COMMAND = [sys.executable, "-m", "inspector"]
JUMP_TO_ITSELF = b"\xeb\xfe"
BASE = 0x08048000


@pytest.fixture(scope="session", autouse=True)
def _machine_can_check() -> None:
    checks = list(examine())
    if not can_check(checks):
        pytest.skip("; ".join(f"{check.name}: {check.detail}" for check in checks if check.ok is False))


def program_file(path: Path, code: bytes) -> Path:
    """Write a program that runs `code` and exits with 7."""
    assembler = Assembler(BASE)
    assembler.code += code
    assembler.exit(7)
    path.write_bytes(link(assembler, entry=assembler.start))
    path.chmod(0o755)
    return path


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return a program that ends at once."""
    return program_file(tmp_path / "program", b"")


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """Return a program that does not end."""
    return program_file(tmp_path / "endless", JUMP_TO_ITSELF)


def inspector(
    *arguments: object, seconds: float = 60, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=seconds,
        check=False,
    )


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


def odd_paths(directory: Path, program: Path) -> dict[str, str]:
    """Return paths of every kind, and the verdict's words."""
    (directory / "empty").touch(mode=0o755)
    (directory / "text").write_text("no program\n")
    (directory / "text").chmod(0o755)
    (directory / "not executable").write_bytes(program.read_bytes())
    (directory / "not executable").chmod(0o644)
    (directory / "truncated").write_bytes(program.read_bytes()[:60])
    (directory / "truncated").chmod(0o755)
    (directory / "a\nnewline \x1b[31m").write_bytes(program.read_bytes())
    (directory / "a\nnewline \x1b[31m").chmod(0o755)
    verdicts = {
        "": "ENOENT",
        "missing": "ENOENT",
        "empty/below": "ENOTDIR",
        ".": "EACCES",
        "empty": "ENOEXEC",
        "text": "ENOEXEC",
        "not executable": "EACCES",
        "truncated": "ENOEXEC",
        "x" * 300: "ENAMETOOLONG",
        "a\nnewline \x1b[31m": "runs",
    }
    return {f"{directory}/{name}" if name else "": verdict for name, verdict in verdicts.items()}


def test_any_path_gets_the_verdict_of_the_kernel(tmp_path: Path, program: Path) -> None:
    paths = odd_paths(tmp_path, program)
    done = inspector("check", "--json", "-", *paths)
    checks = [parse_check(line.encode("utf-8", "surrogateescape")) for line in done.stdout.splitlines()]
    assert [str(check.prediction.verdict).rpartition(" ")[2] for check in checks] == list(paths.values())
    assert [check.exit_code for check in checks] == [0] * len(paths)
    assert done.returncode == 0
    assert done.stderr == ""


def test_a_fifo_gets_its_verdict_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o755)
    done = inspector("check", tmp_path / "fifo", seconds=20)
    assert done.returncode == 0
    assert "refused: EACCES, predicted and observed" in done.stdout


def test_what_a_path_holds_never_reaches_the_terminal_raw(tmp_path: Path, program: Path) -> None:
    paths = odd_paths(tmp_path, program)
    done = inspector("check", "--verbose", *paths)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert f"{len(paths)} agree ({len(paths) - 1} do not run), 0 differ" in done.stdout


def test_what_was_not_meant_gets_a_hint_beside_its_verdict(tmp_path: Path, program: Path) -> None:
    source = tmp_path / "program.c"
    source.write_text("int main(void) { return 7; }\n")
    done = inspector("check", source)
    assert (done.returncode, done.stderr) == (0, "")
    assert "prediction and kernel agree that it does not run" in " ".join(done.stdout.split())
    assert "hint           C source: compile it with gcc -m32 -static" in done.stdout
    for command in ("check", "predict", "observe"):
        done = inspector(command, tmp_path / "progam")
        assert done.returncode == 0
        assert f"is the path right? In its folder: {program.name}" in " ".join(done.stdout.split())


def test_words_after_a_program_are_said_to_be_arguments_if_they_follow_two_dashes(program: Path) -> None:
    for command, code in (("check", 0), ("predict", 0)):
        done = inspector(command, program, "some", "words")
        assert done.returncode == code
        hint = f"arguments for the program follow --, as in: {program} -- some words"
        assert hint in " ".join(done.stdout.split())
        assert "follow --" not in inspector(command, program, program, "--", "some").stdout


def test_a_64_bit_program_is_named_as_not_modelled() -> None:
    done = inspector("check", sys.executable)
    assert done.returncode == 3
    assert "not modelled: 64-bit program" in done.stdout
    lines = {" ".join(line.split()) for line in done.stdout.splitlines()}
    assert "· not predicted a 64-bit program's registers, stack and auxiliary vector" in lines
    assert inspector("predict", sys.executable).returncode == 3


@pytest.mark.parametrize("verb", ["check", "predict", "observe"])
def test_a_symbol_that_is_not_there_is_said_of_the_file_the_user_named(verb: str, program: Path) -> None:
    for path, lacks in ((sys.executable, "has no symbol 'nosuch'"), (program, "has no symbols at all")):
        done = inspector(verb, "--until", "nosuch", path)
        assert done.returncode == 2
        assert done.stderr.splitlines()[0] == f"inspector: {Path(path).name} {lacks}"


def test_a_list_says_by_which_rule_a_program_is_refused(tmp_path: Path) -> None:
    done = inspector("check", tmp_path / "missing", tmp_path)
    said = " ".join(done.stdout.split())
    assert "does not run (refused: ENOENT) by exec.path: The path does not lead to a file." in said
    assert "does not run (refused: EACCES) by exec.not-regular:" in said


def test_the_bases_of_a_64_bit_program_are_not_known() -> None:
    done = inspector("check", "--aslr", "--until", "exec", sys.executable)
    assert done.returncode == 3
    assert "not modelled: the random bases of ASLR" in done.stdout


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


def test_a_fifo_is_no_document(tmp_path: Path, program: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    prediction = tmp_path / "prediction.json"
    assert inspector("predict", "--json", prediction, program).returncode == 0
    done = inspector("compare", tmp_path / "fifo", prediction, seconds=20)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        f"inspector: {tmp_path}/fifo: not a regular file",
    )


def test_a_program_that_does_not_end_could_not_be_observed(program: Path, endless: Path) -> None:
    alone = inspector("check", "--timeout", "1", endless)
    assert alone.returncode == 3
    assert alone.stderr.startswith("inspector: the run was not over within 1 s")
    assert len(alone.stderr.splitlines()) == 2
    assert "✓ Compared at exec" in alone.stdout
    assert alone.stdout.startswith("? ")
    many = inspector("check", "--timeout", "1", endless, program)
    assert many.returncode == 3
    assert many.stdout.splitlines()[0].startswith("? ")
    assert many.stdout.endswith("1 agree, 0 differ, 1 could not be observed\n")


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "0", "1e9", "soon"])
def test_a_timeout_that_is_none_is_said_in_one_line(program: Path, seconds: str) -> None:
    done = inspector("check", f"--timeout={seconds}", program)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        f"inspector: Invalid value for '--timeout': {seconds} is no time in seconds: "
        "give a number, at most 1000000."
    )
    assert len(done.stderr.splitlines()) == 2


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


def test_a_recording_cut_short_is_saved_all_the_same(tmp_path: Path, endless: Path) -> None:
    done = inspector("observe", "--timeout", "1", "-o", tmp_path / "recording", endless)
    assert done.returncode == 3
    assert done.stderr.startswith("inspector: the run was not over within 1 s")
    seen = parse_observation((tmp_path / "recording").read_bytes())
    assert seen.cut_short is not None
    assert seen.snapshots[0].vmas


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


def test_a_terminal_gets_colour_and_progress_unless_it_does_not_want_them(program: Path) -> None:
    shown = on_a_terminal("check", program, "/nonexistent")
    assert "\x1b[32m✓\x1b[0m" in shown
    assert "\r\x1b[K[##########..........] 1 of 2 programs" in shown
    assert shown.endswith("\r\n2 agree (1 does not run), 0 differ, 0 could not be observed\r\n")
    plain = on_a_terminal("check", program, "/nonexistent", NO_COLOR="1")
    assert "\x1b[32m" not in plain
    assert "\x1b" not in on_a_terminal("check", program, "/nonexistent", TERM="dumb")


def left_over(directory: Path, mark: str) -> list[str]:
    """Return the processes that run in `directory`, or whose environment holds `mark`."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        with suppress(OSError):
            ours = mark.encode() in (process / "environ").read_bytes()
            ours = ours or (process / "cwd").readlink() == directory
            if ours and (process / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.mark.parametrize("moment", range(10))
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_ending_the_command_ends_all_it_started(
    tmp_path: Path, endless: Path, number: signal.Signals, moment: int
) -> None:
    """Each moment is somewhere in a tenth of its own of the time in which a check gets going."""
    delay = (moment + random.random()) / 10  # noqa: S311 - pytest-randomly prints the seed
    # The name of tmp_path alone would be that of every session of tests on this machine.
    mark = f"/nonexistent/{uuid.uuid4().hex}"
    where = tmp_path / "here"
    where.mkdir()
    programs = [endless] if moment % 2 else [endless, endless, endless]
    command = subprocess.Popen(
        [*COMMAND, "check", "--jobs", "2", *map(str, programs)],
        cwd=where,
        env=os.environ | {"PATH": f"{os.environ['PATH']}:{mark}", "PYTHONPATH": str(Path.cwd())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    time.sleep(delay)
    command.send_signal(number)
    _, said = command.communicate(timeout=30)
    # Until our first lines run, Python itself answers the signal, and at times with a traceback of its own.
    before_us = b"KeyboardInterrupt" in said and b"/inspector/" not in said
    assert before_us or command.returncode in {128 + number, -number}, f"after {delay:.3f} s: {said!r}"
    if command.returncode > 0 and not before_us:
        assert said.decode() in {"inspector: interrupted\n", "inspector: terminated\n"}
    deadline = time.monotonic() + 10
    while left := left_over(where, mark):
        assert time.monotonic() < deadline, f"after {delay:.3f} s: {left}"
        time.sleep(0.02)
