"""The processes that a stopped program has forked, found at a moment when none of them runs."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from inspector.errors import ProcessVanished
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.procfs.status import parse_status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.observe.deadline import Deadline

_POLL_SECONDS = 0.001
_AT_REST = frozenset("STt")
_ENDED = frozenset("ZX")


class _StillRuns(Exception):
    """One of them does."""


def family_at_rest(pid: int, deadline: Deadline) -> tuple[int, ...] | None:
    """Return the pids of the living descendants of `pid`, which is stopped, once all of them sleep.

    Children are in order of birth, each before its own. None if one still runs at the deadline. That all
    slept at one moment is certain: none left the processor between two looks that found all asleep. Raises
    CannotObserve where the kernel does not list children.
    """
    before: list[tuple[int, int]] | None = None
    while True:
        now = _look(pid)
        if now is not None and (not now or now == before):
            return tuple(child for child, _ in now)
        if deadline.passed:
            return None
        before = now
        time.sleep(_POLL_SECONDS)


def _look(pid: int) -> list[tuple[int, int]] | None:
    """Return the living descendants and how often each left the processor; None if one runs."""
    with suppress(_StillRuns, ProcessVanished):
        return list(_descendants(pid))
    return None


def _descendants(pid: int) -> Iterator[tuple[int, int]]:
    with ProcessFiles(pid) as files:
        children = files.children()
    for child in children:
        with ProcessFiles(child) as files:
            status = parse_status(files.status())
        if status.state in _ENDED:
            continue
        if status.state not in _AT_REST or status.switches is None:
            raise _StillRuns
        yield child, status.switches
        yield from _descendants(child)
