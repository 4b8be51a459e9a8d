"""DAMON at work: kernel threads that look for idle memory, and lock the pages of files that they look at.

What a locked page does to a run of someone else is told by rule `fault.passed-over`. The tracepoint
damon:damos_before_apply says that a scheme is about to be applied to a region: to page out what is idle, for
one. Where it may not be used, that a thread has run at all must do, for the samples it takes lock pages, too.

Source: mm/damon/core.c:damos_apply_scheme(), mm/damon/paddr.c, mm/damon/ops-common.c:damon_folio_mkold().
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread
from typing import Self

from inspector.errors import CannotObserve
from inspector.observe.perf.event import ANY_CPU, TRACEPOINT, Attr, Flag, count_of, open_event
from inspector.observe.perf.records import TimeLayout, parse_records
from inspector.observe.perf.ring import Ring
from inspector.observe.perf.tracefs import read_tracepoint

THREADS = "kdamond"
"""How the names of its threads begin: `kdamond.0`."""
SCHEMES = "damon:damos_before_apply"

_PROC = Path("/proc")
_RING_PAGES = 4
_APPLIED_WITHIN_NS = 50_000_000
"""How long after the tracepoint it may still be at work on a region: twice the longest seen."""


class DamonWatch:
    """Whether DAMON has been at work; a context manager that closes its events.

    It looks into the past of what is watched, too, if it was entered before.
    """

    def __init__(self, proc: Path = _PROC) -> None:
        """Look at nothing yet; `proc` is where the kernel's threads are seen."""
        self._proc = proc
        self._opened = ExitStack()
        self._threads: list[_WatchedThread] = []

    def __enter__(self) -> Self:
        for folder in self._proc.iterdir():
            name = _name(folder) if folder.name.isdigit() else ""
            if name.startswith(THREADS):
                counter = _open_counter(int(folder.name), self._opened)
                self._threads.append(_WatchedThread(name, folder, counter))
        self.restart()
        return self

    def __exit__(self, *_: object) -> None:
        if self._threads:
            # As in perf/recorder.py: a tracepoint's last event takes long to close, and nobody need wait.
            Thread(target=self._opened.close, name="closing perf events").start()

    def restart(self) -> None:
        """Take note that what is watched begins now."""
        for thread in self._threads:
            thread.restart()

    def evidence(self) -> str | None:
        """Return what shows that it has been at work since: the tracepoint, or whose CPU time has grown."""
        return next((shown for thread in self._threads if (shown := thread.evidence()) is not None), None)


class _Counter:
    """The schemes that a thread applies, counted, with the time of each."""

    def __init__(self, pid: int, opened: ExitStack) -> None:
        """OSError, ValueError or CannotObserve where that is not possible."""
        layout = TimeLayout()
        attr = Attr(TRACEPOINT, read_tracepoint(SCHEMES).id, Flag(0), layout.sample_type)
        self._event = open_event(attr, pid, ANY_CPU)
        opened.callback(os.close, self._event)
        self._ring = Ring(self._event, _RING_PAGES)
        opened.callback(self._ring.close)
        self._layout = layout

    def count(self) -> int:
        return count_of(self._event)

    def any_since(self, since_ns: int) -> bool:
        """Whether one lies in the ring of that time or later; the ring is empty then."""
        return any(record.time >= since_ns for record in parse_records(self._ring.take(), self._layout))


class _WatchedThread:
    """One thread, and what it had done when what is watched began."""

    def __init__(self, name: str, folder: Path, counter: _Counter | None) -> None:
        self._name, self._folder, self._counter = name, folder, counter
        self._count_before = 0
        self._just_before = False
        self._ran_before_ns: int | None = None

    def restart(self) -> None:
        self._ran_before_ns = _ran_ns(self._folder)
        if self._counter is not None:
            self._count_before = self._counter.count()
            now = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
            self._just_before = self._counter.any_since(now - _APPLIED_WITHIN_NS)

    def evidence(self) -> str | None:
        if self._counter is not None:
            seen = self._just_before or self._counter.count() > self._count_before
            return SCHEMES if seen else None
        now = _ran_ns(self._folder)
        grown = self._ran_before_ns is not None and now is not None and now > self._ran_before_ns
        return f"CPU time of {self._name}" if grown else None


def _open_counter(pid: int, opened: ExitStack) -> _Counter | None:
    with suppress(OSError, ValueError, CannotObserve):
        return _Counter(pid, opened)
    return None


def _name(folder: Path) -> str:
    with suppress(OSError):
        return (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
    return ""


def _ran_ns(folder: Path) -> int | None:
    """Return how long the thread has run, in ns. None: it is gone, or the kernel does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int((folder / "schedstat").read_text(encoding="ascii").split()[0])
    return None
