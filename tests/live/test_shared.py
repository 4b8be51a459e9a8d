"""Shared mappings and files in memory: where they are, which touch faults, and what each finds there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.live import launches
from tests.live.whole_runs import disagreements

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile

pytestmark = [pytest.mark.live, pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")]

SOURCE = Path(__file__).with_name("shared.c")
GROUPS = ("faults", "anonymous", "protection", "sizes", "reading", "xrefused", "others")


@pytest.fixture(scope="module")
def shared(stage: Path) -> Path:
    """Return the program, compiled."""
    built = stage / "shared"
    command = ["gcc", "-m32", "-static", "-O1", "-o", str(built), str(SOURCE)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("gcc cannot link static i386 programs")
    return built


@pytest.mark.parametrize("group", GROUPS)
def test_shared_memory_is_linuxs(group: str, shared: Path, profile: MachineProfile) -> None:
    program = launches.launch(shared, (str(shared), str(shared), group))
    assert disagreements(program, profile, stops=("syscall:getppid",)) == []
