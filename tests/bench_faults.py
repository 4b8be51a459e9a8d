"""Rows of `make bench` that are no race: what a fault costs and keeps, and what the witness loses."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SIZE
from inspector.observe.perf.witness import record_faults
from inspector.observe.profile_store import current_profile
from inspector.observe.staging import prepare
from inspector.predict import predict

if TYPE_CHECKING:
    from inspector.model.prediction import Prediction

FEW, MANY, MOST = 10_000, 100_000, 200_000
_ROUNDS = 3
_SECONDS = 300.0
_MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that has a goal of its own."""

    what: str
    size: str
    value: str
    goal: str


def figures(path: str) -> list[Figure]:
    """Measure with the program at `path`, built from bench.c."""
    few, many = (
        statistics.median(_microseconds_a_fault(path, count) for _ in range(_ROUNDS)) for count in (FEW, MANY)
    )
    return [
        Figure("CPU time to predict a fault", f"{FEW:,} faults", f"{few:.1f} us", "<= 20 us"),
        Figure("CPU time to predict a fault", f"{MANY:,} faults", f"{many:.1f} us", "<= 20 us"),
        Figure("... of many against one of few", f"{MANY:,} : {FEW:,}", f"{many / few:.2f}", "about 1"),
        *(_memory(path, count) for count in (MANY, MOST)),
        _lost(path),
    ]


def _faulting(path: str, count: int) -> tuple[Prediction, float]:
    """Return the prediction of `count` faults and more, and the CPU seconds it took: others may be busy."""
    with prepare(path, arguments=("faults", str(count))) as program:
        profile = current_profile()
        start = time.process_time()
        prediction = predict(program, profile, seconds=_SECONDS)
        seconds = time.process_time() - start
    if prediction.not_modelled is not None or not prediction.faults:
        raise RuntimeError(f"the prediction of {count} faults ended early: {prediction.not_modelled}")
    return prediction, seconds


def _microseconds_a_fault(path: str, count: int) -> float:
    prediction, seconds = _faulting(path, count)
    return seconds / len(prediction.faults or ()) * 1e6


def _memory(path: str, count: int) -> Figure:
    """Measure in a process of its own, which has done nothing else."""
    command = [sys.executable, "-m", "tests.bench_faults", path, str(count)]
    took = subprocess.run(command, capture_output=True, text=True, check=True)
    what = "memory of a prediction, touched pages apart"
    return Figure(what, f"{count:,} faults", f"{json.loads(took.stdout):.0f} MB", "<= 150 MB")


def _lost(path: str) -> Figure:
    what, size = "faults that the witness loses", f"{MOST:,} faults"
    with prepare(path, arguments=("faults", str(MOST))) as program:
        trace = record_faults(program, seconds=_SECONDS)
    if trace.faults is None:
        return Figure(what, size, f"not measured: {trace.notes[0]}", "0")
    lost = max(trace.lost, MOST - len(trace.faults))
    return Figure(what, f"{len(trace.faults):,} seen", str(lost), "0")


def _own_megabytes(path: str, count: int) -> float:
    """Return what this process has taken at most to predict `count` faults, less the pages they touched.

    The interpreter, 30 MB before it begins, is among it. getrusage() would tell what its parent has taken:
    a process begins with the peak of the one it was.
    """
    _faulting(path, count)
    status = Path("/proc/self/status").read_text()
    most = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) * 1024
    return (most - count * PAGE_SIZE) / _MEGABYTE


if __name__ == "__main__":
    print(_own_megabytes(sys.argv[1], int(sys.argv[2])))  # noqa: T201 - to the parent, which cannot measure its own past
