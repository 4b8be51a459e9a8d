"""What the tests of the simulated hardware share."""

from __future__ import annotations

import pytest

from tests.unit.predict.machine.machine import Machine


@pytest.fixture
def machine() -> Machine:
    return Machine()
