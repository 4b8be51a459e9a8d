"""The same program loaded whole and page by page: what is resident, what faults, and what is only counted."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.model.address import PAGE_SIZE
from inspector.model.vma import Special
from inspector.observe import observe
from tests.live import launches
from tests.live.whole_runs import disagreements

if TYPE_CHECKING:
    from inspector.model.observation import Observation
    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program
    from inspector.model.snapshot import Snapshot

BUILT = Path(__file__).parents[2] / "fixtures/build/whole_load"
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not os.access(BUILT, os.X_OK), reason="fixtures not built"),
]


def loading(stage: Path, way: str) -> Program:
    path = stage / "whole_load"
    if not path.exists():
        shutil.copy(BUILT, path)
    return launches.launch(path, (str(path), way))


@pytest.mark.parametrize("way", ["demand", "whole"])
def test_both_ways_are_predicted(way: str, stage: Path, profile: MachineProfile) -> None:
    assert disagreements(loading(stage, way), profile) == []


def test_what_is_loaded_whole_is_counted_and_does_not_trap(stage: Path) -> None:
    def counted(observation: Observation) -> int:
        first, last = observation.snapshots[0], observation.snapshots[-1]
        assert first.minor_faults is not None
        assert last.minor_faults is not None
        return last.minor_faults - first.minor_faults

    demand, whole = (observe(loading(stage, way)) for way in ("demand", "whole"))
    assert demand.faults is not None
    assert whole.faults is not None
    assert len(whole.faults) < len(demand.faults)
    assert counted(whole) > counted(demand)
    assert pages_missing(demand.snapshots[-1]) > 0
    assert pages_missing(whole.snapshots[-1]) == 0


def pages_missing(snapshot: Snapshot) -> int:
    """Return how many pages of the areas, the kernel's own left out, are not resident."""
    assert snapshot.vmas is not None
    assert snapshot.pages is not None
    areas = [vma for vma in snapshot.vmas if not isinstance(vma.backing, Special)]
    mapped = {page for vma in areas for page in range(vma.start, vma.end, PAGE_SIZE)}
    return len(mapped - {page.address for page in snapshot.pages})
