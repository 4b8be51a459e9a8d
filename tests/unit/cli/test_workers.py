from __future__ import annotations

import os
import signal
import time
from contextlib import closing
from typing import TYPE_CHECKING

import psutil
import pytest

from inspector.cli.workers import WorkerDied, available_cores, side_by_side

if TYPE_CHECKING:
    from pathlib import Path


def results(work: object, items: list[int], jobs: int) -> list[object]:
    with closing(side_by_side(work, items, jobs)) as outcomes:  # type: ignore[arg-type]
        return list(outcomes)


@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_results_come_in_order_whoever_is_first(jobs: int) -> None:
    def slower_first(number: int) -> int:
        time.sleep(0.02 * (3 - number))
        return number * number

    assert results(slower_first, [0, 1, 2], jobs) == [0, 1, 4]


def test_no_more_run_at_a_time_than_asked_for(tmp_path: Path) -> None:
    def count_others(number: int) -> int:
        own = tmp_path / str(number)
        own.touch()
        time.sleep(0.05)
        alive = len(list(tmp_path.iterdir()))
        own.unlink()
        return alive

    assert max(map(int, map(str, results(count_others, list(range(6)), 2)))) <= 2


def test_large_results_pass() -> None:
    assert results(lambda size: b"x" * size, [0, 10_000_000], 2) == [b"", b"x" * 10_000_000]


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "killed by SIGKILL"),
        (lambda: os.kill(os.getpid(), signal.SIGUSR1), "killed by SIGUSR1"),
        (lambda: os._exit(7), "lost, with exit status 7"),
        (lambda: 1 / 0, "lost, with exit status 1"),
        (lambda: object.__reduce__(5), "lost, with exit status 1"),
    ],
)
def test_a_worker_that_dies_takes_nobody_along(deed: object, said: str) -> None:
    def work(number: int) -> int:
        if number == 1:
            deed()  # type: ignore[operator]
        return number

    first, died, last = results(work, [0, 1, 2], 2)
    assert (first, last) == (0, 2)
    assert isinstance(died, WorkerDied)
    assert died.exit_code == 4
    assert said in str(died)


def test_leaving_early_lets_every_worker_clean_up(tmp_path: Path) -> None:
    def work(number: int) -> int:
        if number == 0:
            return number
        try:
            (tmp_path / f"started {number}").touch()
            time.sleep(60)
        finally:
            (tmp_path / f"cleaned {number}").touch()
        return number

    before = psutil.Process().children()  # a browser, for one, that other tests share
    with closing(side_by_side(work, [0, 1, 2], 3)) as outcomes:
        assert next(outcomes) == 0
        while len(list(tmp_path.glob("started *"))) < 2:
            time.sleep(0.01)
    assert sorted(path.name for path in tmp_path.glob("cleaned *")) == ["cleaned 1", "cleaned 2"]
    assert set(psutil.Process().children()) <= set(before)


def test_workers_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    def work(number: int) -> int:
        (tmp_path / str(os.getpid())).touch()
        time.sleep(60)
        return number

    parent = os.fork()
    if parent == 0:
        results(work, [0, 1], 2)
        os._exit(0)
    while len(list(tmp_path.iterdir())) < 2:
        time.sleep(0.01)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    deadline = time.monotonic() + 10
    workers = [int(path.name) for path in tmp_path.iterdir()]
    while any(_is_alive(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_cores_are_those_this_process_may_use() -> None:
    assert available_cores() == len(os.sched_getaffinity(0))
