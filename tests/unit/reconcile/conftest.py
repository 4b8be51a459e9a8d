from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inspector.predict import predict
from tests.elfwriter import Elf
from tests.machines import PROFILE, write_program

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.prediction import Prediction


@pytest.fixture
def prediction(tmp_path: Path) -> Prediction:
    return predict(write_program(tmp_path, Elf().build()), PROFILE, until="exec")
