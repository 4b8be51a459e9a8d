"""mremap: where memory is afterwards, what of it is one area, and which pages and page tables came along."""

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

SOURCE = Path(__file__).with_name("mremap.c")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize("optimization", ["-O0", "-O2"])
def test_mremap_is_linuxs(optimization: str, stage: Path, profile: MachineProfile) -> None:
    built = stage / f"mremap{optimization}"
    static_program(SOURCE, built, optimization)
    assert disagreements(launches.launch(built), profile) == []
