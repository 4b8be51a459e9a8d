"""What is taken for a sign that DAMON was at work, by the tracepoint and where that may not be used."""

from __future__ import annotations

import errno
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from inspector.observe import damon as module
from inspector.observe.damon import SCHEMES, DamonWatch
from inspector.observe.perf.event import ANY_CPU, TRACEPOINT, Attr, SampleType
from inspector.observe.perf.tracefs import Tracepoint
from tests.unit.observe.perf import perf_bytes as raw

if TYPE_CHECKING:
    from pathlib import Path


def kthread(proc: Path, pid: int, name: str, ran: str) -> Path:
    folder = proc / str(pid)
    folder.mkdir(exist_ok=True)
    (folder / "comm").write_text(f"{name}\n")
    (folder / "schedstat").write_text(ran)
    return folder


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Return a /proc of one of DAMON's threads, of one that is not, and of things that are no process."""
    kthread(tmp_path, 77, "kdamond.0", "238162681727 309152918413 166988\n")
    kthread(tmp_path, 78, "kswapd0", "5 0 1\n")
    (tmp_path / "4").mkdir()
    (tmp_path / "version").write_text("Linux")
    return tmp_path


class Events:
    """The tracepoint: how often it happened, and what lies in its ring."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[tuple[Attr, int, int]] = []
        self.count = 3
        self.ring = b""
        self.refusal: Exception | None = None
        self.descriptors: list[int] = []
        self.ring_closed = False
        monkeypatch.setattr(module, "read_tracepoint", self._read)
        monkeypatch.setattr(module, "open_event", self._open)
        monkeypatch.setattr(module, "count_of", lambda _: self.count)
        monkeypatch.setattr(module, "Ring", lambda *_: self)

    def _read(self, name: str) -> Tracepoint:
        if self.refusal is not None:
            raise self.refusal
        return Tracepoint(name, 769, {})

    def _open(self, attr: Attr, pid: int, cpu: int) -> int:
        self.opened.append((attr, pid, cpu))
        self.descriptors.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        return self.descriptors[-1]

    def happened(self, ago_ns: int) -> None:
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        self.count += 1
        self.ring += raw.record(raw.SAMPLE, (now - ago_ns).to_bytes(8, "little"))

    def take(self) -> bytes:
        data, self.ring = self.ring, b""
        return data

    def close(self) -> None:
        self.ring_closed = True


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Events:
    return Events(monkeypatch)


def test_the_tracepoint_is_counted_on_its_threads_alone(proc: Path, events: Events) -> None:
    with DamonWatch(proc) as watch:
        assert watch.evidence() is None
        events.happened(0)
        assert watch.evidence() == SCHEMES
    ((attr, pid, cpu),) = events.opened
    assert (attr.type, attr.config, attr.sample_type) == (TRACEPOINT, 769, SampleType.TIME)
    assert (pid, cpu) == (77, ANY_CPU)


def test_its_events_are_closed(proc: Path, events: Events) -> None:
    before = set(threading.enumerate())
    with DamonWatch(proc):
        (descriptor,) = events.descriptors
        os.fstat(descriptor)
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert events.ring_closed
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_what_happened_before_counts_only_if_it_may_still_go_on(proc: Path, events: Events) -> None:
    with DamonWatch(proc) as watch:
        events.happened(10_000_000_000)
        watch.restart()
        assert watch.evidence() is None
        events.happened(0)
        watch.restart()
        assert watch.evidence() == SCHEMES
        watch.restart()
        assert watch.evidence() is None


def test_with_the_tracepoint_cpu_time_is_no_evidence(proc: Path, events: Events) -> None:
    assert events.count
    with DamonWatch(proc) as watch:
        kthread(proc, 77, "kdamond.0", "238162681728 0 0")
        assert watch.evidence() is None


@pytest.mark.parametrize(
    "refusal", [OSError(errno.EACCES, "no"), OSError(errno.ENOENT, "none"), ValueError("odd")]
)
def test_without_the_tracepoint_its_cpu_time_tells(proc: Path, events: Events, refusal: Exception) -> None:
    events.refusal = refusal
    with DamonWatch(proc) as watch:
        kthread(proc, 78, "kswapd0", "9 0 2\n")
        assert watch.evidence() is None
        kthread(proc, 77, "kdamond.0", "238162681728 309152918413 166989\n")
        assert watch.evidence() == "CPU time of kdamond.0"
        watch.restart()
        assert watch.evidence() is None


@pytest.mark.parametrize("ran", ["", "much", "-"])
def test_a_kernel_that_tells_no_cpu_time_gives_no_evidence(proc: Path, events: Events, ran: str) -> None:
    events.refusal = OSError(errno.EACCES, "no")
    with DamonWatch(proc) as watch:
        kthread(proc, 77, "kdamond.0", ran)
        assert watch.evidence() is None
        watch.restart()
        kthread(proc, 77, "kdamond.0", "5 0 0")
        assert watch.evidence() is None


def test_where_there_is_no_damon_nothing_is_opened(tmp_path: Path, events: Events) -> None:
    with DamonWatch(tmp_path) as watch:
        watch.restart()
        assert watch.evidence() is None
    assert events.opened == []
