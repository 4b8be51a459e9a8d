"""Taking a snapshot of a live process, for the tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.model.snapshot import FaultCounts, Snapshot
from inspector.observe.snapshot import take_snapshot

if TYPE_CHECKING:
    from inspector.model.address import VirtAddr
    from inspector.model.observation import RawEvidence
    from inspector.model.page import PageKind

needs_pagemap = pytest.mark.skipif(not Path("/proc/self/pagemap").exists(), reason="needs /proc/PID/pagemap")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to see frames and to drop privileges")


def snapshot_now(pid: int, word_bytes: int = 4) -> tuple[Snapshot, RawEvidence]:
    """Return the snapshot of `pid`, with its faults counted from its birth."""
    return take_snapshot(
        pid, "now", baseline=FaultCounts(), registers=None, relatives=None, word_bytes=word_bytes
    )


def kinds_by_address(snapshot: Snapshot) -> dict[VirtAddr, PageKind | None]:
    """Return the kind of every resident page."""
    assert snapshot.pages is not None
    return {page.address: page.kind for page in snapshot.pages}
