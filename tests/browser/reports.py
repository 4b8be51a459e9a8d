"""Reports of real runs: what the pages in these tests are made of."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from inspector import observe, predict, reconcile
from inspector.cli.pages import program_page
from inspector.model.address import AddressRange, VirtAddr
from inspector.model.page import PageState
from inspector.observe.profile_store import current_profile
from inspector.observe.staging import prepare
from inspector.report.check import check_document

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.prediction import Prediction
    from inspector.model.snapshot import Snapshot
    from inspector.reconcile import Reconciliation

NAMES = ("hello", "cow_after_fork", "null_read", "made_up_difference", "hostile_path")
HOSTILE = ('<script>alert("1")<', "script>'\n<b>&amp;\"")
"""Directories: the slash between them ends the element."""


def reconciliation_of(name: str, fixtures: Path, scratch: Path) -> Reconciliation:
    """Return the check of a fixture, or of hello made different or moved to where its path is markup."""
    path = fixtures / (name if name in NAMES[:3] else "hello")
    if name == "hostile_path":
        path = scratch.joinpath(*HOSTILE) / "hello"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(fixtures / "hello", path)
    with prepare(str(path), in_place=name == "hostile_path") as program:
        prediction = predict(program, current_profile())
        seen = observe(program)
        return reconcile(spoilt(prediction) if name == "made_up_difference" else prediction, seen)


def page_of(checked: Reconciliation) -> bytes:
    return program_page(checked.prediction, checked.observation, checked.findings, check_document(checked))


def spoilt(prediction: Prediction) -> Prediction:
    """Return a prediction that is wrong about an area's permissions and end, a page and a fault."""
    first, *others = prediction.snapshots
    faults = list(prediction.faults or ())
    faults[2] = replace(faults[2], address=VirtAddr(faults[2].address + 4096), mapped=None)
    return replace(prediction, snapshots=(_spoilt(first), *others), faults=tuple(faults))


def _spoilt(snapshot: Snapshot) -> Snapshot:
    vmas, pages = list(snapshot.vmas or ()), list(snapshot.pages or ())
    longer = AddressRange(vmas[4].start, VirtAddr(vmas[4].end + 8192))
    vmas[1] = replace(vmas[1], access=vmas[0].access)
    vmas[4] = replace(vmas[4], range=longer)
    pages.insert(0, PageState(type(pages[0].vpn)(vmas[1].start >> 12), pages[0].kind))
    return replace(snapshot, vmas=tuple(vmas), pages=tuple(pages))
