"""The command as its users type it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from inspector.observe.doctor import can_check, examine

COMMAND = [sys.executable, "-m", "inspector"]


def require_a_machine_that_can_check() -> None:
    """Skip the test, or the fixture's tests, where the machine does not let programs be observed."""
    checks = list(examine())
    if not can_check(checks):
        pytest.skip("; ".join(f"{check.name}: {check.detail}" for check in checks if check.ok is False))


def inspector(
    *arguments: object, seconds: float = 60, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command and return what it said."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=seconds,
        check=False,
    )
