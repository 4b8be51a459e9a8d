"""Programs in which NaNs meet end as predicted, though the first attempt paid no heed to them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

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

# The sign of a sum, and a bit of a copy, decide the exit status.
PROGRAM = """
#include <string.h>
static volatile double zero, found[3];
static volatile long long signalling = 0x7ff0000000000001;
int main(void)
{
    long long bits[3];
    int known = 0;
    for (int turn = 0; turn < 100; turn++)
        found[0] += turn;
    found[0] = zero / zero;             /* negative */
    found[1] = __builtin_nan("");       /* positive */
    found[2] = found[0] + found[1];
    memcpy(bits, (void *)&found[2], sizeof *bits);
    known |= bits[0] < 0;
    found[2] = found[1] + found[0];
    memcpy(bits, (void *)&found[2], sizeof *bits);
    known |= (bits[0] < 0) << 1;
    found[2] = *(volatile double *)&signalling;
    memcpy(bits, (void *)&found[2], sizeof *bits);
    known |= (bits[0] >> 51 & 1) << 2;
    return known;
}
"""


@pytest.mark.parametrize("flags", [(), ("-msse2", "-mfpmath=sse")], ids=["x87", "sse"])
def test_of_two_nans_the_processor_s_is_given(
    flags: tuple[str, ...], stage: Path, profile: MachineProfile
) -> None:
    path = stage / "nans"
    static_program(PROGRAM, path, "-O1", *flags)
    assert disagreements(launches.launch(path), profile) == []
