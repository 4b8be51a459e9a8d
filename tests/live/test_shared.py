"""Shared mappings and files in memory: where they are, which touch faults, and what each finds there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.live import launches
from tests.live.compiling import static_program
from tests.live.whole_runs import disagreements

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile

pytestmark = [pytest.mark.live, pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")]

HERE = Path(__file__).parent
GROUPS = ("faults", "anonymous", "protection", "sizes", "reading", "xrefused", "locking", "others")


def compiled(name: str, stage: Path) -> Path:
    built = stage / name
    return static_program(HERE / f"{name}.c", built)


@pytest.fixture(scope="module")
def shared(stage: Path) -> Path:
    """Return the program that has a group of calls each."""
    return compiled("shared", stage)


@pytest.fixture(scope="module")
def mixed(stage: Path) -> Path:
    """Return the program that draws its calls."""
    return compiled("mixed_memory", stage)


@pytest.mark.parametrize("group", GROUPS)
def test_shared_memory_is_linuxs(group: str, shared: Path, profile: MachineProfile) -> None:
    program = launches.launch(shared, (str(shared), str(shared), group))
    assert disagreements(program, profile, stops=("syscall:getppid",)) == []


@pytest.mark.parametrize("seed", range(12))
def test_mappings_of_all_kinds_over_each_other(seed: int, mixed: Path, profile: MachineProfile) -> None:
    program = launches.launch(mixed, (str(mixed), str(seed), str(mixed)))
    assert disagreements(program, profile, stops=("syscall:getppid",)) == []


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
@pytest.mark.parametrize("kib", [0, 64, 2048])
def test_the_limit_of_locked_memory_holds_for_who_may_not_exceed_it(kib: int, shared: Path) -> None:
    tool = Path(sys.executable).with_name("inspector")
    command = ["setpriv", "--bounding-set", "-ipc_lock", "--inh-caps", "-ipc_lock"]
    command += ["prlimit", f"--memlock={kib << 10}"]
    command += [str(tool), "check", "--stop", "syscall:getppid", str(shared), "--", str(shared), "locking"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
