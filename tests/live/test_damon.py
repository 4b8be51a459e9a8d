"""On a machine where DAMON pages out idle memory, its tracepoint is seen, at its time."""

from __future__ import annotations

import time

import pytest

from inspector.observe import damon as module
from inspector.observe.damon import SCHEMES, THREADS, DamonWatch
from inspector.observe.machine import Machine

pytestmark = pytest.mark.live

_PATIENCE_SECONDS = 15


def wait_for_evidence(watch: DamonWatch) -> str:
    """Skip the test where none comes: a scheme need not find anything to do."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while (found := watch.evidence()) is None:
        if time.monotonic() > end:
            pytest.skip("DAMON does nothing here")
        time.sleep(0.05)
    return found


@pytest.fixture(autouse=True)
def _damon() -> None:
    if not any(name.startswith(THREADS) for name in Machine().process_names()):
        pytest.skip("there is no DAMON here")


def test_what_it_did_just_before_is_evidence_and_what_is_long_past_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with DamonWatch() as watch:
        if wait_for_evidence(watch) != SCHEMES:
            pytest.skip("needs the tracepoint")
        # An hour for the past, of which the ring tells times, so that a slow machine is quick enough.
        monkeypatch.setattr(module, "_APPLIED_WITHIN_NS", 3600 * 10**9)
        watch.restart()
        assert watch.evidence() == SCHEMES
    with DamonWatch() as watch:
        wait_for_evidence(watch)
        monkeypatch.setattr(module, "_APPLIED_WITHIN_NS", -3600 * 10**9)
        watch.restart()
        assert not watch._threads[0]._just_before


def test_its_cpu_time_tells_where_the_tracepoint_may_not_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError("no")

    monkeypatch.setattr(module, "open_event", refuse)
    with DamonWatch() as watch:
        assert wait_for_evidence(watch).startswith("CPU time of kdamond")
