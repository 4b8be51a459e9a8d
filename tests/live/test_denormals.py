"""Programs that compute with denormal numbers run as predicted, though the first attempt flushed them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from inspector.predict import predict
from tests.live import launches
from tests.live.compiling import static_program
from tests.live.whole_runs import disagreements

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.profile import MachineProfile

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc"),
]

# How often a number can be halved until it is 0 decides the exit status, and which pages are touched.
HALVES = """
#include <stdlib.h>
#include <stdio.h>
static char pages[80 << 12];
int main(void)
{
    volatile %s number = %s;
    int count = 0;
    for (; number > 0; count++) {
        number /= 2;
        if (count %% 16 == 0)
            pages[(count %% 80) << 12] = 1;
    }
    printf("%%d %%g\\n", count, (double)%s);
    return count & 0x7f;
}
"""
NUMBERS = {
    "float": ("float", "1e-36f", "3e-45f"),
    "double": ("double", "1e-300", "5e-324"),
    "long double": ("long double", "1e-4930L", "5e-324"),
}


@pytest.fixture(scope="module", params=NUMBERS)
def source(request: pytest.FixtureRequest) -> str:
    return HALVES % NUMBERS[request.param]


def built(source: str, directory: Path, *flags: str) -> Path:
    path = directory / "halves"
    return static_program(source, path, "-O1", *flags)


@pytest.mark.parametrize("flags", [(), ("-msse2", "-mfpmath=sse")], ids=["x87", "sse"])
def test_denormal_numbers_are_computed_with(
    flags: tuple[str, ...], source: str, stage: Path, profile: MachineProfile
) -> None:
    assert disagreements(launches.launch(built(source, stage, *flags)), profile) == []


def test_numbers_that_the_program_wants_flushed_end_the_prediction(
    stage: Path, profile: MachineProfile
) -> None:
    source = HALVES.replace("int count = 0;", "int count = 0; __builtin_ia32_ldmxcsr(0x9fc0);")
    path = built(source % NUMBERS["double"], stage, "-msse2", "-mfpmath=sse")
    prediction = predict(launches.launch(path), profile)
    assert prediction.not_modelled is not None
    assert prediction.not_modelled.what == "a denormal number flushed to 0"
