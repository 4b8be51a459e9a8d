"""What the stage decides before it starts anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inspector.observe.exec_stage import _core_limit

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("pattern", "limit"), [("core\n", 0), ("|/usr/lib/systemd/systemd-coredump %P\n", 1), ("", 0), (None, 0)]
)
def test_no_core_file_is_handed_to_anyone(pattern: str | None, limit: int, tmp_path: Path) -> None:
    file = tmp_path / "core_pattern"
    if pattern is not None:
        file.write_text(pattern)
    assert _core_limit(file) == limit
