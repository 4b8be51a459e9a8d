from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inspector.cli.pages import PageDirectory, PageFile
from inspector.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_page_is_not_saved_under_the_name_of_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        PageFile("-")
    with pytest.raises(UsageError):
        PageDirectory("-", programs=2)
    assert list(tmp_path.iterdir()) == []
