"""An interrupt that Python loses comes again."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import os, signal, time
from contextlib import suppress
from inspector.cli import interrupt
interrupt._CLEANING_SECONDS = 0.2
interrupt.raise_interrupts()
with suppress(interrupt.Interrupted):
    os.kill(os.getpid(), signal.SIGTERM)
try:
    time.sleep(10)
except interrupt.Interrupted as again:
    interrupt.no_more_interrupts()
    time.sleep(0.5)
    print(again, again.exit_code)
"""


def test_a_lost_interrupt_is_raised_again_until_it_is_heard() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout == "terminated 143\n", done.stderr
