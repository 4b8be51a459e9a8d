"""What stops the processor from outside."""

from __future__ import annotations

import os
import resource
import threading
from contextlib import ExitStack

import pytest

from inspector.predict.machine.alarm import Alarm, Deadline

_MANY = 1100


def test_it_rings_at_the_deadline_and_goes_on_ringing() -> None:
    rings = threading.Semaphore(0)
    alarm = Alarm(rings.release)
    with alarm.set(Deadline(0.01)):
        assert rings.acquire(timeout=10)
        assert rings.acquire(timeout=10)
    assert alarm.has_rung


def test_it_does_not_ring_before() -> None:
    alarm = Alarm(lambda: pytest.fail("it rang"))
    with alarm.set(Deadline(60)):
        pass
    assert not alarm.has_rung


def test_it_rings_in_a_process_that_has_many_files_open() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * _MANY:
        pytest.skip(f"this session may open {hard} files at most")
    rings = threading.Semaphore(0)
    with ExitStack() as kept:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * _MANY), hard))
        kept.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(_MANY):
            kept.callback(os.close, os.open("/dev/null", os.O_RDONLY))
        with Alarm(rings.release).set(Deadline(0.01)):
            assert rings.acquire(timeout=10)
