"""Predictions that cannot even begin."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from inspector.cli.foretell import foretell
from inspector.model.prediction import NotModelledAt
from inspector.report.program import not_modelled_text
from tests.elfwriter import Elf
from tests.machines import PROFILE, write_program

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_memory_that_may_not_be_reserved_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = write_program(tmp_path, Elf().build())

    def refuse(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", refuse)
    prediction = foretell(program, PROFILE)
    assert prediction.verdict is None
    assert prediction.not_modelled is not None
    assert prediction.not_modelled == NotModelledAt(
        "a machine with 1024 MiB of memory, which this session may not reserve",
        help="raise the session's limits: ulimit -v unlimited -d unlimited",
    )
    assert not_modelled_text(prediction).count("ulimit") == 1
