from __future__ import annotations

import pytest

from inspector.model.address import VirtAddr
from inspector.model.ending import Ending

MAPERR = "SIGSEGV, si_code 1 (SEGV_MAPERR)"


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        (Ending(status=3), "exit 3"),
        (Ending(signal="SIGSEGV"), "SIGSEGV"),
        (
            Ending(signal="SIGSEGV", code=1, address=VirtAddr(8)),
            "SIGSEGV, si_code 1 (SEGV_MAPERR), address 0x8",
        ),
        (Ending(signal="SIGSEGV", code=2), "SIGSEGV, si_code 2 (SEGV_ACCERR)"),
        (Ending(signal="SIGSEGV", code=10), "SIGSEGV, si_code 10 (SEGV_CPERR)"),
        (Ending(signal="SIGSEGV", code=128), "SIGSEGV, si_code 128 (SI_KERNEL)"),
        (Ending(signal="SIGBUS", code=2), "SIGBUS, si_code 2 (BUS_ADRERR)"),
        (Ending(signal="SIGFPE", code=1), "SIGFPE, si_code 1 (FPE_INTDIV)"),
        (Ending(signal="SIGFPE", code=14), "SIGFPE, si_code 14 (FPE_FLTUNK)"),
        (Ending(signal="SIGFPE", code=9), "SIGFPE, si_code 9"),
        (Ending(signal="SIGILL", code=2), "SIGILL, si_code 2 (ILL_ILLOPN)"),
        (Ending(signal="SIGTRAP", code=4), "SIGTRAP, si_code 4 (TRAP_HWBKPT)"),
        (Ending(signal="SIGABRT", code=-6), "SIGABRT, si_code -6 (SI_TKILL)"),
        (Ending(signal="SIGTERM", code=1), "SIGTERM, si_code 1"),
        (Ending(signal="SIGSEGV", code=-99), "SIGSEGV, si_code -99"),
    ],
)
def test_a_signal_says_by_name_why_it_came(ending: Ending, text: str) -> None:
    assert ending.in_full == text
