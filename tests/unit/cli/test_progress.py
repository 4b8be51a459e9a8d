"""How far long work is: a bar, a count, and an estimate once there is something to go by."""

from __future__ import annotations

import pytest

from inspector.cli.output import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("done", "elapsed", "text"),
    [
        (0, 9, "[....................] 0 of 20 programs"),
        (5, 1, "[#####...............] 5 of 20 programs"),
        (5, 10, "[#####...............] 5 of 20 programs, about 30 s left"),
        (1, 30, "[#...................] 1 of 20 programs, about 10 min left"),
        (1, 3600, "[#...................] 1 of 20 programs, about 19 h left"),
        (20, 10, "[####################] 20 of 20 programs"),
    ],
)
def test_an_estimate_goes_by_what_is_done(done: int, elapsed: float, text: str) -> None:
    clock = Clock()
    progress = Progress(20, "programs", clock)
    clock.now += elapsed
    assert progress.text(done) == text
    assert len(progress.text(done)) < 80


def test_nothing_to_do_is_no_division_by_zero() -> None:
    assert Progress(0, "programs").text(0) == "[....................] 0 of 0 programs"


def test_where_stderr_is_no_terminal_nothing_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    progress = Progress(3, "programs")
    progress.show(1)
    progress.clear()
    assert capfd.readouterr().err == ""
