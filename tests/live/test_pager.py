"""The book's page replacement on a live program: the pager's frames, read from maps, are the simulator's.

The program writes a line after each reference, and gdb stops it at each of those writes. Which page is in
which frame then stands in the offset column of /proc/PID/maps.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.model.address import PAGE_SIZE
from inspector.model.vma import FileBacking, Sharing
from inspector.observe import observe
from inspector.simulators.replacement import make_policy, parse_references, replay
from tests.live import launches
from tests.live.whole_runs import disagreements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program
    from inspector.model.snapshot import Snapshot

BUILT = Path(__file__).parents[2] / "fixtures/build/pager"
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not os.access(BUILT, os.X_OK), reason="fixtures not built"),
]

MEMORY, PAGES, MOST_FRAMES = 0x10000000, 8, 4
BELADY = "1 2 3 4 1 2 5 1 2 3 4 5"
TEXTBOOK = "7 0 1 2 0 3 0 4 2 3 0 3 2 1 2 0 1 7 0 1"
LOOP = "0 1 2 3 4 0 1 2 3 4 0 1 2 3 4"
DRAWN = " ".join(str(random.Random(7).randrange(PAGES)) for _ in range(40))  # noqa: S311 - a string of pages
POLICIES = ("fifo", "lru", "clock", "opt")
STRINGS = [(3, BELADY), (4, BELADY), (3, TEXTBOOK), (4, LOOP), (1, TEXTBOOK), (3, DRAWN)]


def pager(stage: Path, policy: str, frames: int, references: str) -> Program:
    path = stage / "pager"
    if not path.exists():
        shutil.copy(BUILT, path)
    return launches.launch(path, (str(path), policy, str(frames), references))


def pages_in_frames(snapshot: Snapshot) -> dict[int, int]:
    """Return which page each frame holds, as maps tells: the reverse of page -> offset."""
    assert snapshot.vmas is not None
    held: dict[int, int] = {}
    for vma in snapshot.vmas:
        if isinstance(vma.backing, FileBacking) and MEMORY <= vma.start < MEMORY + PAGES * PAGE_SIZE:
            assert (vma.name, vma.sharing) == ("/memfd:frames (deleted)", Sharing.SHARED)
            for address in range(vma.start, vma.end, PAGE_SIZE):
                frame = (vma.offset + address - vma.start) // PAGE_SIZE
                assert frame not in held
                held[frame] = (address - MEMORY) // PAGE_SIZE
    return held


def simulated(policy: str, frames: int, references: str) -> Iterator[tuple[dict[int, int], str]]:
    """Yield, for each reference, the frames after it and the line that the pager prints."""
    pages = parse_references(references)
    held: dict[int, int] = {}
    for step in replay(pages, make_policy(policy, frames=frames, references=pages)):
        held[step.frame] = step.page
        where = f"{'comes into' if step.fault else 'is in'} F{step.frame}"
        line = f"P{step.page} ({chr(ord('a') + step.page)}) {where}"
        yield dict(held), line + (f", P{step.evicted} leaves" if step.evicted is not None else "")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("frames", "references"), STRINGS)
def test_frames_hold_the_pages_that_the_simulator_says(
    policy: str, frames: int, references: str, stage: Path
) -> None:
    observation = observe(pager(stage, policy, frames, references), stops=("syscall:write",))
    expected = list(simulated(policy, frames, references))
    stops = [each for each in observation.snapshots if each.checkpoint.startswith("syscall:write")]
    assert [pages_in_frames(each) for each in stops] == [held for held, _ in expected]
    assert observation.output.decode().splitlines() == [line for _, line in expected]


@pytest.mark.parametrize("policy", POLICIES)
def test_every_stop_and_every_fault_of_the_pager_is_predicted(
    policy: str, stage: Path, profile: MachineProfile
) -> None:
    program = pager(stage, policy, 3, TEXTBOOK)
    assert disagreements(program, profile, stops=("syscall:write",)) == []


def test_belady_s_anomaly_happens_on_a_live_program(stage: Path) -> None:
    def page_faults(policy: str, frames: int) -> int:
        return observe(pager(stage, policy, frames, BELADY)).output.count(b"comes into")

    assert (page_faults("fifo", 3), page_faults("fifo", 4)) == (9, 10)
    assert (page_faults("lru", 3), page_faults("lru", 4)) == (10, 8)


@pytest.mark.parametrize("arguments", [("mru",), ("fifo", "0"), ("fifo", "5"), ("fifo", "3", "1 2 9")])
def test_what_the_pager_does_not_know_it_refuses(arguments: tuple[str, ...], stage: Path) -> None:
    path = pager(stage, "fifo", 3, BELADY).path
    observation = observe(launches.launch(path, (path, *arguments)))
    assert str(observation.ending) == "exit 2"
