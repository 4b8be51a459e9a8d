"""Programs on an overlayfs, whose files have a device and an inode of their own in maps, or those below."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which("unshare"), reason="mounting takes root and unshare"
    ),
]

_MOUNTED = 77
_SCRIPT = """
import subprocess, sys
from pathlib import Path
from inspector.observe.probe import probe_profile
from inspector.predict import predict
from tests.live.against_witness import mismatches
from tests.live.launches import executable, launch
from tests.live.odd_programs import CHOSEN
from tests.live.stop_at_exec import witness_exec

room, witness = map(Path, sys.argv[1:])
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", room], check=True)
for name in ("lower", "upper", "work", "merged"):
    (room / name).mkdir()
executable(room / "lower" / "below", CHOSEN["fixed"].contents())
options = f"lowerdir={room}/lower,upperdir={room}/upper,workdir={room}/work"
if subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", room / "merged"]).returncode:
    sys.exit(77)
executable(room / "merged" / "above", CHOSEN["fixed"].contents())
profile = probe_profile()
for name in ("below", "above"):
    program = launch(room / "merged" / name)
    print(*mismatches(predict(program, profile), witness_exec(witness, program)), sep="\\n", end="")
"""


def test_files_of_both_layers(tmp_path: Path, witness: Path) -> None:
    command = ["unshare", "--mount", sys.executable, "-c", _SCRIPT, str(tmp_path), str(witness)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    if done.returncode == _MOUNTED:
        pytest.skip(f"no overlayfs here: {done.stderr}")
    if done.stderr.startswith("unshare: "):
        pytest.skip(done.stderr)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
