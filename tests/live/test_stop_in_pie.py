"""Stops inside a position-independent program: a symbol's address in the file, moved by the load bias."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.model.vma import FileBacking
from inspector.observe.controller import observe
from tests.live.gdb_programs import symbol
from tests.live.launches import launch
from tests.live.test_exec_witness import BUILT

if TYPE_CHECKING:
    from inspector.model.snapshot import Snapshot

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("gdb")]


def first_byte(snapshot: Snapshot, path: str) -> int:
    """Return where maps shows the first byte of the file."""
    return next(
        vma.start
        for vma in snapshot.vmas or ()
        if isinstance(vma.backing, FileBacking) and vma.name == path and not vma.offset
    )


@pytest.mark.parametrize("randomize", [False, True], ids=["", "randomised"])
@pytest.mark.parametrize(
    ("fixture", "linked_at"),
    [
        ("hello", 0x08048000),
        ("hello_align_64k", 0x08050000),
        ("hello_dynamic", 0x08048000),
        ("hello_pie", 0),
        ("hello_static_pie", 0),
    ],
)
def test_stops_at_the_entry_and_at_main(fixture: str, linked_at: int, randomize: bool) -> None:
    path = BUILT / fixture
    if not path.exists():
        pytest.skip(f"{fixture} is not built here")
    start, main = symbol(path, "_start"), symbol(path, "main")
    program = replace(launch(path), randomize=randomize)
    at_exec, *stops = observe(program, stops=(f"{start:#x}",), until="main").snapshots
    bias = first_byte(at_exec, str(path)) - linked_at
    assert (bias != 0) == (linked_at == 0)
    assert [stop.checkpoint for stop in stops] == [f"{start:#x}", "main"]
    assert [stop.registers and stop.registers.eip for stop in stops] == [start + bias, main + bias]
