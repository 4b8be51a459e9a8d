"""Programs without a name on machines that forbid to run memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.errors import LaunchFailed
from inspector.observe import anonymous
from inspector.observe.anonymous import anonymous_executable
from tests.live.odd_programs import FIXED

pytestmark = pytest.mark.live

_SETTING = Path("/proc/sys/vm/memfd_noexec")
_LAUNCH = """
from dataclasses import asdict
from inspector.observe.probe import probe_profile
print(bool(probe_profile().vdso))
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or not _SETTING.exists() or not shutil.which("unshare"),
    reason="needs root, unshare and vm.memfd_noexec, which belongs to a pid namespace",
)
@pytest.mark.parametrize("setting", [0, 1, 2])
def test_the_probe_works_however_memory_is_guarded(setting: int) -> None:
    script = f"echo {setting} > {_SETTING} && cat {_SETTING} && exec {sys.executable} -c '{_LAUNCH}'"
    command = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", script]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    if done.stderr.startswith("unshare: "):
        pytest.skip(done.stderr)
    assert done.stdout.split() == [str(setting), "True"], done.stderr


def _refuse(*_: object) -> int:
    raise PermissionError(13, "Permission denied")


def test_a_file_without_a_name_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "memfd_create", _refuse)
    image = anonymous_executable(FIXED.contents())
    try:
        assert os.fstat(image).st_nlink == 0
        assert os.pread(image, 4, 0) == b"\x7fELF"
        # It dies of its first instruction, which it got to.
        assert subprocess.run([f"/proc/{os.getpid()}/fd/{image}"], check=False).returncode < 0
    finally:
        os.close(image)


def test_one_line_says_what_to_allow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "memfd_create", _refuse)
    monkeypatch.setattr(anonymous, "_ROOMS", ("/proc", str(tmp_path / "none")))
    with pytest.raises(LaunchFailed, match="no file can be made") as failure:
        anonymous_executable(b"")
    assert "vm.memfd_noexec" in failure.value.help
