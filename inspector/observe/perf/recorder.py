"""The events of one recording: opened on a process before its execve, read while it runs.

Every CPU has events of its own and a ring that they share: an inherited event of all CPUs at once has no
ring (kernel/events/core.c:perf_mmap()). They are inherited by whatever the process forks, from its birth.
"""

from __future__ import annotations

import errno
import os
import select
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Self

from inspector.errors import CannotObserve
from inspector.observe.perf.event import ANY_CPU, count_of, open_event, send_to_ring_of
from inspector.observe.perf.records import Sample, parse_records
from inspector.observe.perf.ring import Ring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from inspector.model.fault_trace import FaultSource
    from inspector.observe.perf.event import Attr
    from inspector.observe.perf.records import Record
    from inspector.observe.perf.sources import EventSet

_ONLINE = Path("/sys/devices/system/cpu/online")
_HOME_PAGES, _OTHER_PAGES = 2048, 8
"""Ring sizes: of the CPU that the process is kept on, and of those it can go to only by its own doing."""
_KEPT_BYTES = 64 << 20
"""Samples beyond this are read and forgotten, so that a runaway program cannot fill our memory."""


class NoFaultSource(CannotObserve):
    """No event that tells of page faults can be opened here."""


class Recorder:
    """One recording; a context manager that closes its events."""

    def __init__(self, ways: Sequence[Callable[[], EventSet]]) -> None:
        """Open nothing yet. `attach` takes the first of `ways` that the kernel allows."""
        self._ways = ways
        self._opened = ExitStack()
        self._events: EventSet | None = None
        self._samplers: list[int] = []
        self._counter = -1
        self._rings: dict[int, Ring] = {}
        self._unparsed: list[bytes] = []
        self._kept_bytes = 0
        self._records: list[Record] = []
        self.refusals: list[str] = []
        """What stood in the way of the ways that would have told more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # The last event of a tracepoint takes the kernel tens of milliseconds to close: it waits until no
        # CPU can be within it any more (tracepoint_synchronize_unregister()). Nobody need wait with it.
        Thread(target=self._opened.close, name="closing perf events").start()

    def attach(self, pid: int, home: int) -> None:
        """Open the events on process `pid`, which is to run on CPU `home`; its next execve starts them.

        Raises NoFaultSource where none of the ways is open.
        """
        for way in self._ways:
            with ExitStack() as opened:
                self._samplers, self._rings = [], {}
                try:
                    self._events = way()
                    self._open(self._events, pid, home, opened)
                except (OSError, ValueError, CannotObserve) as error:
                    reason = error.strerror if isinstance(error, OSError) else error
                    self.refusals.append(f"{way.__name__.replace('_', ' ')}: {reason}")
                    continue
                self._opened = opened.pop_all()
                return
        self._events = None
        raise NoFaultSource("; ".join(self.refusals), help="see `inspector doctor`")

    def _open(self, events: EventSet, pid: int, home: int, opened: ExitStack) -> None:
        self._counter = _open(events.counter, pid, ANY_CPU, opened)
        # The large ring comes last: it is the one that can do with less than it asks for.
        for cpu in [*sorted(online_cpus() - {home}), home]:
            try:
                owner = _open(events.attrs[0], pid, cpu, opened)
            except OSError as error:
                if error.errno == errno.ENODEV and cpu != home:
                    continue  # it has gone offline since
                raise
            ring = Ring(owner, _HOME_PAGES if cpu == home else _OTHER_PAGES)
            opened.callback(ring.close)
            self._rings[owner] = ring
            self._samplers.append(owner)
            for attr in events.attrs[1:]:
                descriptor = _open(attr, pid, cpu, opened)
                send_to_ring_of(descriptor, owner)
                self._samplers.append(descriptor)

    @property
    def source(self) -> FaultSource | None:
        """What tells of the faults; None before `attach`."""
        return None if self._events is None else self._events.source

    @property
    def owners(self) -> Iterable[int]:
        """Descriptors to poll: POLLIN when a ring has filled up some, POLLHUP when the last process ended."""
        return self._rings.keys()

    def expect_to_see_more(self) -> None:
        """Raise NoFaultSource if the kernel has taken the events from the process, which is still alive.

        execve does so to unprivileged observers of a program that they may run but not read, or that changes
        its user. Source: fs/exec.c:begin_new_exec(), perf_event_exit_task().
        """
        poll = select.poll()
        for owner in self.owners:
            poll.register(owner, 0)
        if poll.poll(0):
            raise NoFaultSource("the kernel lets this user not watch the program", help="chmod +r PROGRAM")

    def drain(self) -> None:
        """Take what the rings hold. It is parsed later: just now the program may be filling them."""
        for ring in self._rings.values():
            data = ring.take()
            if self._kept_bytes < _KEPT_BYTES:
                self._kept_bytes += len(data)
                self._unparsed.append(data)
            else:
                self._records += (each for each in self._parse(data) if not isinstance(each, Sample))

    def records(self) -> list[Record]:
        """Return all records so far, those of one CPU in order."""
        for data in self._unparsed:
            self._records += self._parse(data)
        self._unparsed = []
        return self._records

    def _parse(self, data: bytes) -> Iterator[Record]:
        return iter(()) if self._events is None else parse_records(data, self._events.layout)

    def happened(self) -> int:
        """Return how many faults there were, whether or not their samples found room in a ring."""
        return sum(map(count_of, self._samplers))

    def counted(self) -> int:
        """Return how many faults the separate counter has counted."""
        return count_of(self._counter)


def _open(attr: Attr, pid: int, cpu: int, opened: ExitStack) -> int:
    descriptor = open_event(attr, pid, cpu)
    opened.callback(os.close, descriptor)
    return descriptor


def online_cpus() -> set[int]:
    """Return the numbers of the CPUs a process may come to run on."""
    try:
        return parse_cpu_list(_ONLINE.read_text(encoding="ascii"))
    except OSError:
        return set(range(os.cpu_count() or 1))


def parse_cpu_list(text: str) -> set[int]:
    """Return the numbers in a list like `0-3,8`, the form of files below /sys/devices/system/cpu."""
    numbers: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        numbers |= set(range(int(first), int(last or first) + 1))
    return numbers
