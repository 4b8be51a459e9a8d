"""`make bench`: each row a ratio of two times taken in one run, so that a slow machine is slow for both.

Nothing here passes or fails; the goal a row has stands beside it.
"""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tabulate import tabulate

from inspector.elf.file import ExecutableFile
from inspector.model.program import BASE_ENVIRONMENT, Program
from inspector.observe.credentials import current_credentials
from inspector.observe.probe import probe_profile
from inspector.predict import predict

if TYPE_CHECKING:
    from collections.abc import Callable

HELLO = Path(__file__).parents[1] / "fixtures" / "build" / "hello"
INSPECTOR = Path(sys.executable).with_name("inspector")
ROUNDS = 15


@dataclass(frozen=True, slots=True)
class Row:
    """Two actions timed in turn; `goal` bounds median(ours / theirs)."""

    what: str
    ours: Callable[[], object]
    against: str
    theirs: Callable[[], object]
    goal: float

    def measure(self) -> tuple[float, float, float]:
        """Return the medians of ours, theirs and their ratio, in seconds, after one unmeasured round."""
        pairs = [(_timed(self.ours), _timed(self.theirs)) for _ in range(ROUNDS + 1)][1:]
        ours, theirs = zip(*pairs, strict=True)
        return statistics.median(ours), statistics.median(theirs), statistics.median(a / b for a, b in pairs)


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _run(*command: str) -> Callable[[], object]:
    return lambda: subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)


def rows() -> list[Row]:
    """Return the rows this machine can measure."""
    profile = probe_profile()
    path = str(HELLO)
    program = Program(path, (path,), BASE_ENVIRONMENT, path, current_credentials(), "/")
    gdb_starti = _run("gdb", "-nx", "-batch", "-ex", "starti", path)
    found = [
        Row(
            "check --until exec hello, whole process",
            _run(str(INSPECTOR), "check", "--until", "exec", path),
            "gdb -nx -batch -ex starti",
            gdb_starti,
            4.0,
        ),
        Row(
            "inspector --version, whole process",
            _run(str(INSPECTOR), "--version"),
            "python -c pass",
            _run(sys.executable, "-c", "pass"),
            5.0,
        ),
        Row(
            "predict hello to exec, warm",
            lambda: predict(program, profile, until="exec"),
            "hash its file",
            lambda: ExecutableFile(path).identity,
            10.0,
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
                0.1,
            ),
        )
    return found


def main() -> None:
    """Print the table."""
    table = []
    for row in rows():
        ours, theirs, ratio = row.measure()
        milliseconds = [f"{seconds * 1e3:.2f}" for seconds in (ours, theirs)]
        table.append([row.what, row.against, *milliseconds, f"{ratio:.3f}", f"<= {row.goal:g}"])
    headers = ["what", "against", "ms", "ms", "ratio", "goal"]
    print(tabulate(table, headers=headers, disable_numparse=True))  # noqa: T201 - the table is the point


if __name__ == "__main__":
    main()
