"""Which gdb is taken."""

from __future__ import annotations

import sysconfig
from typing import TYPE_CHECKING

import pytest

from inspector.errors import GdbMissing
from inspector.observe.gdb.process import GDB_VARIABLE, find_gdb

if TYPE_CHECKING:
    from pathlib import Path


def _program(directory: Path) -> str:
    directory.mkdir()
    program = directory / "gdb"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return str(program)


def test_a_gdb_installed_as_a_python_package_is_the_last_resort(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(GDB_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(sysconfig, "get_path", {"scripts": str(tmp_path / "scripts")}.get)
    with pytest.raises(GdbMissing, match="on PATH"):
        find_gdb()
    packaged = _program(tmp_path / "scripts")
    assert find_gdb() == packaged
    on_path = _program(tmp_path / "path")
    assert find_gdb() == on_path
    with pytest.raises(GdbMissing, match="/nonexistent"):
        find_gdb("/nonexistent")
