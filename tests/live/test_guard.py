"""A tool that is killed leaves nothing behind, not even what gdb and the program have forked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

TOOL = """
import subprocess, sys, time
from inspector.observe import guard
command = ["sh", "-c", "sleep 1000 & echo $!; wait"]
kept, forgotten = (
    subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) for _ in range(2)
)
for process in (kept, forgotten):
    guard.protect(process.pid)
guard.release(forgotten.pid)
sleepers = [process.stdout.readline().decode().strip() for process in (kept, forgotten)]
print(*sleepers, forgotten.pid, flush=True)
if sys.argv[1] == "killed":
    time.sleep(1000)
"""


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("how", ["killed", "ended"])
def test_what_is_protected_goes_and_what_is_released_stays(how: str) -> None:
    tool = subprocess.Popen([sys.executable, "-c", TOOL, how], stdout=subprocess.PIPE)
    assert tool.stdout is not None
    with tool.stdout:
        kept, forgotten, group = map(int, tool.stdout.readline().split())
    if how == "killed":
        tool.kill()
    tool.wait()
    deadline = time.monotonic() + 10
    while runs(kept) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not runs(kept)
    assert runs(forgotten)
    os.killpg(group, signal.SIGKILL)
