"""Where the witness sees less, or nothing: perf forbidden, tracefs not mounted, users without privileges."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inspector.observe.perf import event, recorder
from inspector.observe.perf.sources import tracepoints
from inspector.observe.perf.witness import record_faults
from tests.live import launches
from tests.live.fault_programs import build
from tests.live.looking import needs_root

pytestmark = pytest.mark.live

SECONDS = 60.0


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.ENOSYS], ids=errno.errorcode.get)
def test_where_perf_is_forbidden_the_program_is_not_run_and_the_reason_is_given(
    number: int, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sandbox:
        def syscall(self, *_: object) -> int:
            ctypes.set_errno(number)
            return -1

    monkeypatch.setattr(event, "_libc", Sandbox())
    mark = tmp_path / "mark"
    program = launches.launch(build(programs, "creates"), ("creates", str(mark)))
    trace = record_faults(program, seconds=SECONDS)
    assert (trace.source, trace.faults, trace.verdict, trace.ending) == (None, None, None, None)
    (note,) = trace.notes
    assert note.startswith("page faults were not recorded: ")
    assert os.strerror(number) in note
    assert not mark.exists()


@pytest.mark.skipif(Path("/sys/kernel/tracing/events").exists(), reason="tracefs is mounted here")
def test_without_a_mounted_tracefs_the_tracepoints_are_found_all_the_same() -> None:
    mounts = Path("/proc/self/mountinfo").read_text()
    trace = record_faults(launches.launch("/bin/true"), seconds=SECONDS, ways=(tracepoints,))
    if trace.source is None:
        pytest.skip(trace.notes[0])
    assert Path("/proc/self/mountinfo").read_text() == mounts


UNPRIVILEGED = """
import json, os, resource, sys
from inspector.observe.perf import ring
from inspector.observe.perf.witness import record_faults
from tests.live import launches
path, *arguments = sys.argv[1:]
record_faults(launches.launch("/bin/true"), seconds=10)  # imports whatever only root can read
pages, map_ring = [], ring._map
def noted(descriptor, wanted):
    mapped = map_ring(descriptor, wanted)
    pages.append(mapped[1])
    return mapped
ring._map = noted
resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
# What a user may lock is counted over all his processes: so that of no other session of tests.
user = 60_000 + os.getpid() % 5000
os.setgroups([]); os.setgid(user); os.setuid(user)
trace = record_faults(launches.launch(path, (path, *arguments)), seconds=60)
faults = trace.faults or ()
print(json.dumps({
    "source": trace.source and trace.source.value, "counted": trace.counted, "lost": trace.lost,
    "places": [each.address - 0x60000000 >> 12 for each in faults if 6 <= each.address >> 28 < 10],
    "modes": sorted({each.mode.value for each in faults}),
    "faults": len(faults), "ending": str(trace.ending), "notes": trace.notes, "pages": max(pages, default=0),
}))
"""


def unprivileged(program: Path, *arguments: str) -> dict[str, Any]:
    """Record as a user without any privilege and without any memory to lock."""
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, program, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture
def public(stage: Path, programs: Path) -> Path:
    """Return a program that every user can reach."""
    stage.chmod(0o755)
    return Path(shutil.copy(build(programs, "bursts"), stage / "public"))


@needs_root
def test_an_unprivileged_user_gets_every_fault_of_user_mode_out_of_a_small_ring(public: Path) -> None:
    """The ring holds 13,000 samples; between the bursts there is time to empty it."""
    if int(Path("/proc/sys/kernel/perf_event_paranoid").read_text()) != 2:
        pytest.skip("needs perf_event_paranoid 2")
    told = unprivileged(public, "50000")
    assert told["source"] == "software event, user mode only"
    assert told["pages"] < recorder._HOME_PAGES
    assert told["modes"] == ["user"]
    assert told["places"] == list(range(50_000))
    assert (told["lost"], told["faults"], told["ending"]) == (0, told["counted"], "exit 0")
    (note,) = told["notes"]
    assert note.startswith("faults that the kernel took for the program, in execve too, were not seen")


@needs_root
def test_a_program_that_may_not_be_read_is_not_watched_and_it_is_said(public: Path) -> None:
    public.chmod(0o711)
    told = unprivileged(public, "10")
    assert (told["source"], told["faults"], told["ending"]) == (None, 0, "None")
    reason = "the kernel lets this user not watch the program (chmod +r PROGRAM)"
    assert told["notes"] == [f"page faults were not recorded: {reason}"]
