"""Which events are opened, and what becomes of a recording where the kernel refuses some or all of them."""

from __future__ import annotations

import errno
import gc
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.model.fault_trace import FaultSource
from inspector.observe.perf import recorder as module
from inspector.observe.perf import sources
from inspector.observe.perf.event import ANY_CPU, SOFTWARE, TRACEPOINT, Flag
from inspector.observe.perf.recorder import NoFaultSource, Recorder, parse_cpu_list
from inspector.observe.perf.records import Fork, Sample
from inspector.observe.perf.sources import BY_HOW_MUCH_THEY_TELL
from inspector.observe.perf.tracefs import Tracepoint, parse_format
from tests.unit.observe.perf import perf_bytes as raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.observe.perf.event import Attr

IDS = {"exceptions:page_fault_user": 190, "exceptions:page_fault_kernel": 189}


class FakeRing:
    """A ring that holds what a test puts into it."""

    def __init__(self, descriptor: int, most_pages: int) -> None:
        self.descriptor = descriptor
        self.most_pages = most_pages
        self.data = b""
        self.closed = False

    def take(self) -> bytes:
        data, self.data = self.data, b""
        return data

    def close(self) -> None:
        self.closed = True


class Kernel:
    """Answers perf_event_open: allows what `allows` does, and notes what is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[tuple[Attr, int, int]] = []
        self.descriptors: list[int] = []
        self.latest: dict[int, int] = {}
        self.redirected: list[tuple[int, int]] = []
        self.rings: list[FakeRing] = []
        self.refuse: Callable[[Attr, int], int] = lambda _attr, _cpu: 0
        self.tracefs: OSError | ValueError | None = None
        monkeypatch.setattr(module, "open_event", self.open_event)
        monkeypatch.setattr(module, "send_to_ring_of", lambda *pair: self.redirected.append(pair))
        monkeypatch.setattr(module, "Ring", self.ring)
        monkeypatch.setattr(module, "count_of", lambda descriptor: 1000 + self.latest[descriptor])
        monkeypatch.setattr(module, "online_cpus", lambda: {0, 1, 3})
        monkeypatch.setattr(sources, "read_tracepoint", self.read_tracepoint)

    def open_event(self, attr: Attr, pid: int, cpu: int) -> int:
        refusal = self.refuse(attr, cpu)
        if refusal:
            raise OSError(refusal, os.strerror(refusal))
        descriptor = os.open("/dev/null", os.O_RDONLY)
        self.opened.append((attr, pid, cpu))
        self.latest[descriptor] = len(self.descriptors)
        self.descriptors.append(descriptor)
        return descriptor

    def ring(self, descriptor: int, most_pages: int) -> FakeRing:
        self.rings.append(FakeRing(descriptor, most_pages))
        return self.rings[-1]

    def read_tracepoint(self, name: str) -> Tracepoint:
        if self.tracefs is not None:
            raise self.tracefs
        return parse_format(raw.format_text(name.partition(":")[2], IDS[name]), name)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


def open_files() -> int:
    for thread in threading.enumerate():
        if thread.name == "closing perf events":
            thread.join()
    gc.collect()  # what earlier tests left in cycles is not to be closed while this one counts
    return len(list(Path("/proc/self/fd").iterdir()))


def test_every_cpu_has_both_tracepoints_in_one_ring_and_one_tells_of_tasks(kernel: Kernel) -> None:
    before = open_files()
    with Recorder(BY_HOW_MUCH_THEY_TELL) as recorder:
        recorder.attach(10, home=1)
        assert recorder.source is FaultSource.TRACEPOINTS
        assert recorder.refusals == []
        (counter, pid, everywhere), *events = kernel.opened
        assert (counter.type, counter.sample_type, pid, everywhere) == (SOFTWARE, None, 10, ANY_CPU)
        # The CPU the process is on comes last, for it has the large ring.
        assert [(attr.config, cpu) for attr, _, cpu in events] == [
            (number, cpu) for cpu in (0, 3, 1) for number in (190, 189)
        ]
        for attr, pid, _ in events:
            assert (attr.type, pid) == (TRACEPOINT, 10)
            assert Flag.INHERIT | Flag.ENABLE_ON_EXEC | Flag.DISABLED in attr.flags
            assert (Flag.TASK | Flag.COMM | Flag.COMM_EXEC in attr.flags) is (attr.config == 190)
            assert Flag.EXCLUDE_KERNEL not in attr.flags
        samplers = kernel.descriptors[1:]
        owners = samplers[::2]
        assert [ring.descriptor for ring in kernel.rings] == list(recorder.owners) == owners
        assert kernel.redirected == list(zip(samplers[1::2], owners, strict=True))
        assert kernel.rings[2].most_pages > kernel.rings[0].most_pages == kernel.rings[1].most_pages
        assert recorder.counted() == 1000
        assert recorder.happened() == sum(range(1001, 1007))
    assert open_files() == before
    assert all(ring.closed for ring in kernel.rings)


REFUSALS: list[tuple[str, Callable[[Attr, int], int], OSError | None, FaultSource, list[str]]] = [
    (
        "no tracefs",
        lambda _attr, _cpu: 0,
        PermissionError(errno.EPERM, "tracefs: Operation not permitted"),
        FaultSource.SOFTWARE,
        ["tracepoints: tracefs: Operation not permitted"],
    ),
    (
        "perf_event_paranoid 1: no raw tracepoints",
        lambda attr, _cpu: errno.EPERM if attr.type == TRACEPOINT else 0,
        None,
        FaultSource.SOFTWARE,
        ["tracepoints: Operation not permitted"],
    ),
    (
        "perf_event_paranoid 2: nothing of kernel mode",
        lambda attr, _cpu: 0 if Flag.EXCLUDE_KERNEL in attr.flags else errno.EACCES,
        None,
        FaultSource.SOFTWARE_USER,
        ["tracepoints: Permission denied", "software: Permission denied"],
    ),
]


@pytest.mark.parametrize(
    ("refuse", "tracefs", "source", "refusals"), [case[1:] for case in REFUSALS], ids=[c[0] for c in REFUSALS]
)
def test_the_best_source_that_is_allowed_is_taken_and_the_others_refusals_are_kept(
    kernel: Kernel,
    refuse: Callable[[Attr, int], int],
    tracefs: OSError | None,
    source: FaultSource,
    refusals: list[str],
) -> None:
    kernel.refuse, kernel.tracefs = refuse, tracefs
    before = open_files()
    with Recorder(BY_HOW_MUCH_THEY_TELL) as recorder:
        recorder.attach(10, home=0)
        assert recorder.source is source
        assert recorder.refusals == refusals
        assert len(list(recorder.owners)) == 3
    assert open_files() == before


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.EACCES, errno.EMFILE])
def test_where_nothing_is_allowed_every_reason_is_given(kernel: Kernel, number: int) -> None:
    kernel.refuse = lambda _attr, _cpu: number
    with Recorder(BY_HOW_MUCH_THEY_TELL) as recorder:
        with pytest.raises(NoFaultSource) as caught:
            recorder.attach(10, home=0)
        reason = os.strerror(number)
        assert str(caught.value) == (f"tracepoints: {reason}; software: {reason}; software user: {reason}")
        assert recorder.source is None
        assert recorder.records() == []


def test_a_refusal_half_way_closes_what_was_opened(kernel: Kernel) -> None:
    kernel.refuse = lambda attr, cpu: errno.EMFILE if (attr.type, cpu) == (TRACEPOINT, 1) else 0
    before = open_files()
    with Recorder(BY_HOW_MUCH_THEY_TELL) as recorder:
        recorder.attach(10, home=1)
        assert recorder.source is FaultSource.SOFTWARE
        assert len(kernel.descriptors) == 5 + 4
        assert open_files() == before + 4
        assert [ring.closed for ring in kernel.rings] == [True] * 2 + [False] * 3
        assert recorder.happened() == 1000 * 3 + 6 + 7 + 8


def test_a_cpu_that_has_gone_offline_is_left_out_unless_it_is_the_programs(kernel: Kernel) -> None:
    kernel.refuse = lambda _attr, cpu: errno.ENODEV if cpu == 3 else 0
    with Recorder(BY_HOW_MUCH_THEY_TELL) as recorder:
        recorder.attach(10, home=1)
        assert {cpu for _, _, cpu in kernel.opened} == {ANY_CPU, 0, 1}
    with Recorder(BY_HOW_MUCH_THEY_TELL) as recorder, pytest.raises(NoFaultSource):
        recorder.attach(10, home=3)


def test_records_are_kept_ring_by_ring_in_order(kernel: Kernel) -> None:
    with Recorder((sources.software,)) as recorder:
        recorder.attach(10, home=1)
        for time, ring in enumerate((0, 2, 0)):
            kernel.rings[ring].data = raw.software_sample(time, 10, time << 12, 0x8049000)
            recorder.drain()
        assert [each.time for each in recorder.records()] == [0, 1, 2]
        kernel.rings[1].data = raw.fork(9, 11, 10)
        recorder.drain()
        assert recorder.records()[3:] == [Fork(9, 11, 10)]


def test_beyond_the_limit_samples_are_forgotten_and_births_are_not(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = raw.software_sample(1, 10, 0x1000, 0x8049000)
    monkeypatch.setattr(module, "_KEPT_BYTES", 5 * len(one))
    with Recorder((sources.software,)) as recorder:
        recorder.attach(10, home=1)
        for number in range(8):
            kernel.rings[0].data = one + raw.fork(number, 100 + number, 10)
            recorder.drain()
        records = recorder.records()
        assert 0 < sum(isinstance(each, Sample) for each in records) < 5
        assert {each.pid for each in records if isinstance(each, Fork)} == set(range(100, 108))


@pytest.mark.parametrize(
    ("text", "numbers"), [("0\n", {0}), ("0-3\n", {0, 1, 2, 3}), ("0,2-3,8-9", {0, 2, 3, 8, 9})]
)
def test_lists_of_cpus(text: str, numbers: set[int]) -> None:
    assert parse_cpu_list(text) == numbers
