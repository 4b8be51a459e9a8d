"""One observation of a file at a time."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from inspector.observe import observe
from inspector.observe.deadline import Deadline
from inspector.observe.turns import turn
from tests.live.launches import executable, launch
from tests.live.odd_programs import FIXED

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.live


@pytest.fixture
def program(stage: Path) -> Path:
    return executable(stage / "turns", FIXED.contents())


def test_who_comes_later_waits_for_whoever_is_at_it(program: Path) -> None:
    with turn([str(program)], Deadline.after(10)) as late:
        assert late == []
        seen = []
        other = threading.Thread(target=lambda: seen.append(observe(launch(program), until="exec")))
        other.start()
        time.sleep(0.2)
        assert seen == []
    other.join(timeout=20)
    assert not any("someone else" in note for note in seen[0].notes)


def test_nobody_waits_for_ever_and_the_observation_says_so(program: Path) -> None:
    held = os.open(program, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        seen = observe(launch(program), until="exec", seconds=0.5)
    finally:
        os.close(held)
    assert f"{program} was observed by someone else at the same time" in seen.notes
    assert [snapshot.checkpoint for snapshot in seen.snapshots] == ["exec"]


def test_what_cannot_be_read_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with turn([str(tmp_path / "fifo"), str(tmp_path / "none"), "a\0b"], Deadline.after(10)) as late:
        assert late == []
