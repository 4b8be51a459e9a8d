"""How the command comes to an end before its work is done: for want of time, or by a signal."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from inspector.model.document import parse_check, parse_observation
from tests.live.command_line import COMMAND, inspector, require_a_machine_that_can_check

pytestmark = pytest.mark.live


@pytest.fixture(scope="session", autouse=True)
def _machine_can_check() -> None:
    require_a_machine_that_can_check()


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


def test_prediction_and_runs_have_the_time_together(endless: Path) -> None:
    check = parse_check(inspector("check", "--timeout", "2", "--json", "-", endless).stdout.encode())
    assert check.prediction.not_modelled is not None
    assert check.prediction.not_modelled.what == "a run of more than 1 s of simulation"
    assert check.prediction.not_modelled.help == "allow it more with --timeout"
    assert check.observation is not None
    assert check.observation.cut_short == "the run was not over within 2 s (allow it more with --timeout)"


@pytest.mark.parametrize(
    "command",
    [["predict"], ["replace", "--program"], ["pagetable", "--program"]],
    ids=lambda command: command[0],
)
def test_a_prediction_has_as_long_as_it_is_given(endless: Path, command: list[str]) -> None:
    done = inspector(*command, endless, "--timeout", "0.5")
    assert done.returncode == 3
    said = " ".join(done.stdout.split())
    assert "a run of more than 0.5 s of simulation" in said
    assert "(allow it more with --timeout)" in said or command[0] != "predict"


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "0", "1e9", "soon"])
def test_a_timeout_that_is_none_is_said_in_one_line(program: Path, seconds: str) -> None:
    done = inspector("check", f"--timeout={seconds}", program)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        f"inspector: Invalid value for '--timeout': {seconds} is no time in seconds: "
        "give a number, at most 1000000."
    )
    assert len(done.stderr.splitlines()) == 2


def test_a_recording_cut_short_is_saved_all_the_same(tmp_path: Path, endless: Path) -> None:
    done = inspector("observe", "--timeout", "1", "-o", tmp_path / "recording", endless)
    assert done.returncode == 3
    assert done.stderr.startswith("inspector: the run was not over within 1 s")
    seen = parse_observation((tmp_path / "recording").read_bytes())
    assert seen.cut_short is not None
    assert seen.snapshots[0].vmas


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
