"""One program that takes long: a terminal hears of it, and keeps nothing of it."""

from __future__ import annotations

import os
import pty
import time
from typing import TYPE_CHECKING

from inspector.cli import working
from inspector.cli.working import Working

if TYPE_CHECKING:
    import pytest


def test_the_line_says_how_long_and_how_long_at_most() -> None:
    now = [50.0]
    work = Working("prediction of hello", 30.0, lambda: now[0])
    now[0] += 7.2
    assert work.text() == "prediction of hello: 7 s, at most 30 s"


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, patience: float) -> bytes:
    """Return what a terminal is sent while a moment's work is done."""
    ours, theirs = pty.openpty()
    monkeypatch.setattr(working, "_PATIENCE_SECONDS", patience)
    monkeypatch.setattr(working, "_EVERY_SECONDS", 0.01)
    monkeypatch.setenv("TERM", "xterm")
    with open(theirs, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr("sys.stderr", stream)
        with Working("work", 30.0):
            time.sleep(0.2)
        stream.write("\n")
        stream.flush()
        seen = b""
        while b"\n" not in seen:
            seen += os.read(ours, 1 << 16)
    os.close(ours)
    return seen


def test_a_terminal_is_told_and_the_line_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = on_a_terminal(monkeypatch, patience=0.01)
    assert b"\r\x1b[Kwork: 0 s, at most 30 s" in seen
    assert seen.rstrip(b"\r\n").endswith(b"\r\x1b[K")


def test_what_is_done_soon_needs_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    assert on_a_terminal(monkeypatch, patience=60.0).strip() == b""


def test_where_there_is_no_terminal_nothing_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    with Working("work", 30.0) as work:
        assert work._thread is None
    assert capfd.readouterr().err == ""
