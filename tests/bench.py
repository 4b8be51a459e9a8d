"""`make bench`: ratios of two times taken in one run, so that a slow machine is slow for both; then figures.

Nothing here passes or fails; the goal a row has stands beside it. bench_faults.py holds the figures.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tabulate import tabulate

from inspector.elf.file import ExecutableFile
from inspector.fuzz.campaign import Campaign, Subject
from inspector.model.program import BASE_ENVIRONMENT, Program
from inspector.observe.credentials import current_credentials
from inspector.observe.probe import probe_profile
from inspector.predict import predict
from tests.bench_faults import figures

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.model.profile import MachineProfile

HELLO = Path(__file__).parents[1] / "fixtures" / "build" / "hello"
INSPECTOR = Path(sys.executable).with_name("inspector")
SOURCE = Path(__file__).with_name("bench.c")
ROUNDS, FEW_ROUNDS = 15, 5
_PTRACE_TRACEME = 0
_libc = ctypes.CDLL(None)
QEMU = "qemu-i386-static"
MUTANTS = 100
ARITHMETIC_TURNS, MEMORY_TURNS = 200_000_000, 60
INSTRUCTIONS_A_TURN = 7


@dataclass(frozen=True, slots=True)
class Row:
    """Two actions timed in turn."""

    what: str
    ours: Callable[[], object]
    against: str
    theirs: Callable[[], object]
    goal: str
    """A number bounds the median of ours / theirs; with a unit, that of ours."""
    rounds: int = ROUNDS

    def measure(self) -> tuple[float, float, float]:
        """Return the medians of ours, theirs and their ratio, in seconds, after one unmeasured round."""
        pairs = [(_timed(self.ours), _timed(self.theirs)) for _ in range(self.rounds + 1)][1:]
        ours, theirs = zip(*pairs, strict=True)
        return statistics.median(ours), statistics.median(theirs), statistics.median(a / b for a, b in pairs)


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _run(*command: str) -> Callable[[], object]:
    return lambda: subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)


def _program(path: str, *arguments: str) -> Program:
    return Program(path, (path, *arguments), BASE_ENVIRONMENT, path, current_credentials(), "/")


def bare_exec(path: str) -> int:
    """Execute `path`, stopped at exec, kill it, and return how it ended: what a mutant costs at the least."""
    pid = os.fork()
    if pid == 0:
        _libc.ptrace(_PTRACE_TRACEME, 0, None, None)
        os.execve(path, [path], {})  # noqa: S606
    os.waitpid(pid, 0)
    os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def build(directory: str) -> str:
    """Compile bench.c with the compiler of the fixtures and return where the program is."""
    built = str(Path(directory, "bench"))
    compiler = shlex.split(os.environ.get("CC32", "gcc -m32"))
    subprocess.run([*compiler, "-static", "-O1", "-o", built, str(SOURCE)], check=True)
    return built


def loops(built: str, profile: MachineProfile) -> list[Row]:
    """Return the races against QEMU's own user-mode emulator, whose translator Unicorn is made of."""

    def row(what: str, loop: str, turns: int, goal: str) -> Row:
        program = _program(built, loop, str(turns))
        theirs = _run(QEMU, built, loop, str(turns))
        return Row(what, lambda: predict(program, profile), QEMU, theirs, goal, FEW_ROUNDS)

    instructions = ARITHMETIC_TURNS * INSTRUCTIONS_A_TURN // 1_000_000
    return [
        row(f"predict a loop of {instructions} M instructions", "arithmetic", ARITHMETIC_TURNS, "<= 1.33"),
        row(f"predict a loop over 4 MiB, {MEMORY_TURNS} times", "memory", MEMORY_TURNS, "<= 4"),
    ]


def rows(profile: MachineProfile) -> list[Row]:
    """Return the rows this machine can measure, but for `loops`."""
    path = str(HELLO)
    program = _program(path)
    gdb_starti = _run("gdb", "-nx", "-batch", "-ex", "starti", path)
    found = [
        Row(
            "check --until exec hello, whole process",
            _run(str(INSPECTOR), "check", "--until", "exec", path),
            "gdb -nx -batch -ex starti",
            gdb_starti,
            "<= 4",
        ),
        Row(
            "inspector --version, whole process",
            _run(str(INSPECTOR), "--version"),
            "python -c pass",
            _run(sys.executable, "-c", "pass"),
            "<= 5",
        ),
        Row(
            "predict hello to exit, warm",
            lambda: predict(program, profile),
            "python -c pass",
            _run(sys.executable, "-c", "pass"),
            "<= 25 ms",
        ),
        Row(
            "predict hello to exec, warm",
            lambda: predict(program, profile, until="exec"),
            "hash its file",
            lambda: ExecutableFile(path).identity,
            "<= 10",
        ),
        Row(
            f"fuzz: {MUTANTS} mutants, predicted and executed",
            Campaign((Subject.read(path),), profile, seed=1, first=0, count=MUTANTS).run,
            f"{MUTANTS} times fork, execve, ptrace",
            lambda: [bare_exec(path) for _ in range(MUTANTS)],
            "<= 4",
            FEW_ROUNDS,
        ),
    ]
    if importlib.util.find_spec("cle") is not None:
        import cle

        found.insert(
            0,
            Row(
                "predict hello to exec, warm",
                lambda: predict(program, profile, until="exec"),
                "cle.Loader of the same file",
                lambda: cle.Loader(path, auto_load_libs=False),
                "<= 0.1",
            ),
        )
    return found


def _measured(row: Row) -> list[str]:
    ours, theirs, ratio = row.measure()
    return [row.what, row.against, f"{ours * 1e3:.2f}", f"{theirs * 1e3:.2f}", f"{ratio:.3f}", row.goal]


def main() -> None:
    """Print the tables."""
    profile = probe_profile()
    with tempfile.TemporaryDirectory() as directory:
        built = build(directory)
        table = [_measured(row) for row in rows(profile)]
        for row in loops(built, profile):
            if shutil.which(QEMU) is None:
                table.append([row.what, QEMU, "not measured: install qemu-user-static", "", "", row.goal])
            else:
                table.append(_measured(row))
        found = [astuple(figure) for figure in figures(built)]
    headers = ["what", "against", "ms", "ms", "ratio", "goal"]
    print(tabulate(table, headers=headers, disable_numparse=True))  # noqa: T201 - the table is the point
    print()  # noqa: T201
    print(tabulate(found, headers=["what", "size", "figure", "goal"], disable_numparse=True))  # noqa: T201


if __name__ == "__main__":
    main()
