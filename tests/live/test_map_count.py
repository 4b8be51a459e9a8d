"""vm.max_map_count: what is still granted to a process that has about as many areas as it may."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.live import launches
from tests.live.compiling import static_program
from tests.live.whole_runs import disagreements

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile

pytestmark = pytest.mark.live

SOURCE = Path(__file__).with_name("map_count.c")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_the_last_areas_are_granted_as_by_linux(stage: Path, profile: MachineProfile) -> None:
    if profile.max_map_count != 65530:
        pytest.skip("the program fills up to the kernel's own vm.max_map_count")
    built = stage / "map_count"
    static_program(SOURCE, built, "-O2")
    assert disagreements(launches.launch(built), profile) == []
