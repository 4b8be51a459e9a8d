"""Under hard limits of the session: what can be had is run and predicted, what cannot is said in one line."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from inspector.model.document import parse_check
from inspector.observe.credentials import current_credentials

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.live

BASE = 0x08048000
PR_CAPBSET_DROP, CAP_SYS_RESOURCE = 24, 24
libc = ctypes.PyDLL(None)


def set_up(limits: dict[int, int], privileged: bool) -> None:
    for which, size in limits.items():
        resource.setrlimit(which, (size, size))
    if not privileged and os.geteuid() == 0:
        assert libc.prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0) == 0


def inspector(
    *arguments: object, limits: dict[int, int], cache: Path, privileged: bool = False
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "inspector", *map(str, arguments)],
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        preexec_fn=partial(set_up, limits, privileged),
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("stack", [1 << 20, 132 << 10])
def test_a_lower_stack_limit_is_the_one_that_is_predicted(tmp_path: Path, program: Path, stack: int) -> None:
    done = inspector("check", "--json", "-", program, limits={resource.RLIMIT_STACK: stack}, cache=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    check = parse_check(done.stdout.encode())
    assert check.prediction.program.limits.stack == stack
    assert check.observation is not None
    assert check.observation.notes == ()


@pytest.mark.skipif(
    not current_credentials().capabilities >> CAP_SYS_RESOURCE & 1, reason="raising it takes CAP_SYS_RESOURCE"
)
def test_root_has_the_limits_it_asks_for(tmp_path: Path, program: Path) -> None:
    limits = {resource.RLIMIT_STACK: 1 << 20, resource.RLIMIT_AS: 3 << 30}
    done = inspector("check", "--json", "-", program, limits=limits, cache=tmp_path, privileged=True)
    assert done.returncode == 0, done.stdout + done.stderr
    check = parse_check(done.stdout.encode())
    assert check.prediction.program.limits.stack == 8 << 20
    assert check.observation is not None
    assert check.observation.notes == ()


@pytest.mark.parametrize(("which", "option"), [(resource.RLIMIT_AS, "v"), (resource.RLIMIT_DATA, "d")])
def test_less_memory_than_an_address_space_can_hold_is_no_place_to_probe(
    tmp_path: Path, program: Path, which: int, option: str
) -> None:
    limits = {which: 3 << 30}
    done = inspector("check", program, limits=limits, cache=tmp_path / "empty")
    assert done.returncode == 3
    assert "3221225472 bytes, too little to probe the machine" in done.stderr.splitlines()[0]
    assert f"ulimit -H{option} unlimited" in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert inspector("profile", "-o", tmp_path / "profile", limits={}, cache=tmp_path).returncode == 0
    known = inspector("check", "--profile", tmp_path / "profile", program, limits=limits, cache=tmp_path)
    assert known.returncode == 0, known.stdout + known.stderr


def test_the_doctor_tells_of_it(tmp_path: Path) -> None:
    done = inspector("doctor", limits={resource.RLIMIT_DATA: 3 << 30}, cache=tmp_path)
    assert done.returncode == 3
    said = " ".join(done.stdout.split())
    assert "hard limit of data is 3221225472 bytes" in said
    assert "ulimit -Hd unlimited" in said


def test_a_limit_no_i386_program_can_feel_is_not_spoken_of(tmp_path: Path, program: Path) -> None:
    done = inspector(
        "check", "--json", "-", program, limits={resource.RLIMIT_AS: 5 << 30}, cache=tmp_path / "empty"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    observation = parse_check(done.stdout.encode()).observation
    assert observation is not None
    assert observation.notes == ()


def test_too_little_memory_for_the_simulation_is_said(tmp_path: Path, program: Path) -> None:
    assert inspector("profile", "-o", tmp_path / "profile", limits={}, cache=tmp_path).returncode == 0
    limits = {resource.RLIMIT_DATA: 512 << 20}
    done = inspector("predict", "--profile", tmp_path / "profile", program, limits=limits, cache=tmp_path)
    assert done.returncode == 3
    assert "not modelled: a machine with 1024 MiB of memory" in " ".join(done.stdout.split())
