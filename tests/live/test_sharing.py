"""Frames: whose they are, and who shares them, predicted and held against what the kernel tells of each."""

from __future__ import annotations

import mmap
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.elf.file import address_of_mapping
from inspector.elf.symbols import find_symbol
from inspector.model.address import PAGE_SIZE, AddressRange, VirtAddr, vpn_of
from inspector.model.finding import Verdict
from inspector.model.frame import FrameOwner, FrameRun, PagePlace
from inspector.observe import observe
from inspector.observe.host import sees_page_frames
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.procfs.pagemap import parse_pagemap
from inspector.predict import predict
from inspector.predict.kernel import memory
from inspector.reconcile import reconcile
from tests.live import launches
from tests.live.compiling import static_program
from tests.live.whole_runs import disagreements

if TYPE_CHECKING:
    from inspector.model.address import Vpn
    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program
    from inspector.model.snapshot import Snapshot
    from inspector.predict.kernel.memory import Handled
    from inspector.predict.kernel.mm import AddressSpace
    from inspector.predict.kernel.vma import VmArea
    from inspector.predict.machine.pagetable import PageTableEntry

HERE = Path(__file__).parent
BUILT = HERE.parents[1] / "fixtures/build/sharing"
STOPS = ("shared", "copied")
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not os.access(BUILT, os.X_OK), reason="fixtures not built"),
]
needs_frames = pytest.mark.skipif(not sees_page_frames(), reason="needs page frames (CAP_SYS_ADMIN)")


@pytest.fixture(scope="module")
def program(stage: Path) -> Program:
    path = stage / "sharing"
    shutil.copy(BUILT, path)
    return launches.launch(path)


@pytest.fixture(scope="module")
def family(stage: Path) -> Path:
    """Return the program with two children and a grandchild."""
    built = stage / "family"
    return static_program(HERE / "sharing.c", built)


def pages(snapshot: Snapshot, symbol: str) -> list[FrameRun]:
    """Return the fixture's page of that name in each process that has it."""
    address = find_symbol(str(BUILT), symbol)
    assert address is not None
    assert snapshot.frames is not None
    vpn = vpn_of(address)
    return [
        run.part(vpn - run.start, 1) for run in snapshot.frames if run.start <= vpn < run.start + run.count
    ]


@pytest.mark.parametrize("wing", ["predicted", pytest.param("observed", marks=needs_frames)])
def test_the_fixture_shows_what_it_says(wing: str, program: Program, profile: MachineProfile) -> None:
    if wing == "predicted":
        snapshots = predict(program, profile, stops=STOPS).snapshots
    else:
        snapshots = observe(program, stops=STOPS, faults=False).snapshots
    seen = {each.checkpoint: each for each in snapshots}
    for checkpoint, owner, mapped in (
        ("shared", FrameOwner.COPY_ON_WRITE, 2),
        ("copied", FrameOwner.PRIVATE, 1),
    ):
        mine, childs = pages(seen[checkpoint], "written")
        assert [(page.owner, page.mapped) for page in (mine, childs)] == [(owner, mapped)] * 2
        assert childs.same_as == (PagePlace(0, mine.start) if mapped == 2 else None)
        assert [page.owner for page in pages(seen[checkpoint], "only_read")] == [FrameOwner.ZERO] * 2
        mine, childs = pages(seen[checkpoint], "constant")
        assert mine.owner is childs.owner is FrameOwner.PAGE_CACHE
        assert childs.same_as == PagePlace(0, mine.start)
        (mine, childs) = (
            run for run in seen[checkpoint].frames or () if run.owner is FrameOwner.SHARED_MEMORY
        )
        assert (mine.mapped, childs.same_as) == (2, PagePlace(0, mine.start))


@needs_frames
def test_sharing_is_predicted(program: Program, profile: MachineProfile) -> None:
    assert disagreements(program, profile, STOPS) == []
    result = reconcile(predict(program, profile, stops=STOPS), observe(program, stops=STOPS, faults=False))
    compared = {f.checkpoint: f.verdict for f in result.findings if f.aspect == "frames"}
    assert compared == dict.fromkeys(("exec", "main", *STOPS, "exit"), Verdict.AGREES)


@needs_frames
def test_children_and_grandchildren_are_told_apart(family: Path, profile: MachineProfile) -> None:
    stops = ("looked_at",)
    assert disagreements(launches.launch(family), profile, stops) == []
    at_stop = next(
        each
        for each in predict(launches.launch(family), profile, stops=stops).snapshots
        if each.checkpoint == "looked_at"
    )
    assert {run.process for run in at_stop.frames or ()} == {0, 1, 2, 3}


@needs_frames
def test_a_simulation_that_does_not_copy_is_found_out(
    program: Program, profile: MachineProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = find_symbol(program.path, "written")
    assert address is not None
    do_wp_page = memory._do_wp_page

    def reusing(mm: AddressSpace, area: VmArea, vpn: Vpn, entry: PageTableEntry) -> Handled:
        entry.exclusive |= vpn == vpn_of(address)
        return do_wp_page(mm, area, vpn, entry)

    monkeypatch.setattr(memory, "_do_wp_page", reusing)
    result = reconcile(predict(program, profile, stops=STOPS), observe(program, stops=STOPS, faults=False))
    wrong = [finding for finding in result.differences if finding.checkpoint == "copied"]
    assert [(each.aspect, each.where, each.rule) for each in wrong] == [
        ("frames", f"{address:#x}", "frame.copy-on-write"),
        ("frames", f"process 1 {address:#x}", "frame.copy-on-write"),
    ]
    assert {each.observed for each in wrong} == {"private, mapped 1 time"}


@needs_frames
def test_the_page_caches_frame_is_the_one_that_mapping_the_file_gives(program: Program) -> None:
    snapshot = observe(program, until="main", faults=False).snapshots[-1]
    run = next(each for each in snapshot.frames or () if each.owner is FrameOwner.PAGE_CACHE)
    assert run.offset is not None
    with (
        Path(program.path).open("rb") as file,
        mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE) as mapping,
        ProcessFiles(os.getpid()) as files,
    ):
        _ = mapping[run.offset]
        at = VirtAddr(address_of_mapping(mapping) + run.offset)
        found = files.resident_pages([AddressRange(at, VirtAddr(at + PAGE_SIZE))])
        (ours,) = [entry.pfn for start, data in found.pagemap for entry in parse_pagemap(data, start)]
    assert ours is not None
    assert ours == next(page.pfn for page in snapshot.pages or () if page.vpn == run.start)


@needs_frames
def test_a_process_that_goes_on_running_leaves_it_open(family: Path, profile: MachineProfile) -> None:
    program = launches.launch(family, (str(family), "runs"))
    observation = observe(program, stops=("looked_at",), until="looked_at", faults=False)
    assert observation.snapshots[-1].frames is None
    assert "still ran" in " ".join(observation.notes)
    prediction = predict(program, profile, stops=("looked_at",), until="looked_at")
    assert prediction.snapshots[-1].frames is None
    assert reconcile(prediction, observation).exit_code == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
def test_without_privileges_frames_are_not_observed_and_that_is_no_agreement() -> None:
    tool = Path(sys.executable).with_name("inspector")
    command = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin", str(tool), "check"]
    command += ["--until", "main", str(BUILT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "page frames hidden" in done.stdout
    assert re.search(r"^\?  frames +\d+ +not observed$", done.stdout, re.MULTILINE), done.stdout
