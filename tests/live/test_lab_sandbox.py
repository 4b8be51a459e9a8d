"""Loaders of students, good and hostile: what they do is contained, named, and over in the end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.lab import sandbox
from inspector.lab.assess import CannotRun
from inspector.lab.exercise import load_exercise
from inspector.lab.kinds import Loader
from inspector.lab.loader import SandboxedLoader
from inspector.lab.sandbox import Box, run_boxed, why_not
from tests.lab_sheets import variant_of
from tests.live.lab_commands import needs_bubblewrap, needs_python

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("nothing_is_left")]

MIB = 1 << 20


@dataclass
class Boxes:
    """Boxes around one submission's folder."""

    root: Path

    def run(self, code: str, *, seconds: float = 5.0, unsafe: bool = False, memory: int = 512) -> sandbox.Ran:
        submission, inputs = self.root / "submission", self.root / "input"
        for directory in (submission, inputs):
            directory.mkdir(exist_ok=True)
        (submission / "loader.py").write_text(code)
        (inputs / "program").write_bytes(b"\x7fELF")
        if os.geteuid() == 0:
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, 65534, 65534)
        box = Box(str(submission), str(inputs), seconds, memory * MIB, unsafe)
        return run_boxed(["/usr/bin/python3", "loader.py", box.seen_as("program")], box)


@pytest.fixture
def boxes() -> Iterator[Boxes]:
    # Not below pytest's own directory, which other users may not search.
    root = Path("/tmp") / f"inspector-test-{os.getpid()}"  # noqa: S108 - a name of our own
    root.mkdir(mode=0o700)
    yield Boxes(root)
    shutil.rmtree(root)


both = pytest.mark.parametrize(
    "unsafe", [pytest.param(False, marks=needs_bubblewrap), True], ids=["boxed", "unsafe"]
)


@both
@needs_python
def test_a_good_program_runs(unsafe: bool, boxes: Boxes) -> None:
    ran = boxes.run("import sys; print(open(sys.argv[1], 'rb').read())", unsafe=unsafe)
    assert (ran.output, ran.problem, ran.status) == (b"b'\\x7fELF'\n", "", 0)


HOSTILE = {
    "endless loop": ("while True: pass", ("not over within", "SIGXCPU", "SIGKILL")),
    "sleep": ("import time; time.sleep(1000)", ("not over within",)),
    "endless output": ("while True: print('x' * 65536)", ("printed more than 1024 KiB",)),
    "100 GB": ("x = bytearray(100 << 30)", ("ended with status 1",)),
    "fork bomb": (
        "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
        ("not over within", "SIGXCPU", "SIGKILL"),
    ),
    "memory by many": (
        (
            "import os, time\nfor _ in range(20):\n  if not os.fork():\n    os.setsid()\n"
            "    kept = bytearray(300 << 20)\n    time.sleep(999)\ntime.sleep(999)"
        ),
        ("its processes together took more than 1024 MiB",),
    ),
    "memory once it is silent": (
        (
            "import os, time\nos.close(1); os.close(2)\nfor _ in range(20):\n  if not os.fork():\n"
            "    kept = bytearray(300 << 20)\n    time.sleep(999)\ntime.sleep(999)"
        ),
        ("its processes together took more than 1024 MiB",),
    ),
    "sessions": (
        (
            "import os, time\nfor _ in range(5):\n  if not os.fork():\n    os.setsid(); time.sleep(999)\n"
            "time.sleep(999)"
        ),
        ("not over within",),
    ),
    "kills its parent": (
        "import os, time\nos.kill(os.getppid(), 9)\nos.killpg(0, 9)\ntime.sleep(9)",
        ("killed by SIGKILL", "status", "Permission"),
    ),
    "a huge file": ("open('/tmp/x', 'wb').write(b'x' * (40 << 20))", ("status", "SIGXFSZ")),
    "not there": ("import os; os._exit(3)", ("ended with status 3",)),
}


@both
@needs_python
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_program_is_contained_and_named(name: str, unsafe: bool, boxes: Boxes) -> None:
    if unsafe and name == "kills its parent" and os.geteuid():
        pytest.skip("unprotected, and as the same user, nothing keeps it from killing this test")
    code, named = HOSTILE[name]
    ran = boxes.run(code, seconds=2.0, unsafe=unsafe)
    assert any(words in ran.problem for words in named), ran
    assert len(ran.output) <= MIB
    assert boxes.run("print('next')", unsafe=unsafe).output == b"next\n"


@both
@needs_python
def test_what_stays_behind_is_ended_though_the_program_itself_is_done(unsafe: bool, boxes: Boxes) -> None:
    code = (
        "import os, time\nif not os.fork():\n  os.setsid()\n  if not os.fork(): time.sleep(999)\n"
        "  os._exit(0)\n"
        "print('done', flush=True); os._exit(0)"
    )
    ran = boxes.run(code, unsafe=unsafe)
    assert (ran.output, ran.problem) == (b"done\n", "")


@both
@needs_python
def test_what_changes_its_limits_and_its_session_is_ended_too(unsafe: bool, boxes: Boxes) -> None:
    code = """
import os, resource, time
if not os.fork():
    os.setsid()
    if os.fork(): os._exit(0)
    for name in range(16):
        try: resource.setrlimit(name, (7, 7))
        except (ValueError, OSError): pass
    time.sleep(999)
os.wait()
print("done", flush=True)
"""
    assert boxes.run(code, unsafe=unsafe).output == b"done\n"


@needs_python
def test_what_the_grader_runs_besides_does_not_count(boxes: Boxes) -> None:
    large = "import mmap; kept = mmap.mmap(-1, 1 << 36, flags=0x4002); print(flush=True); input()"
    besides = [sys.executable, "-c", large]
    with subprocess.Popen(besides, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"
        ran = boxes.run("import time; time.sleep(0.2); print('fine')", unsafe=True)
        child.communicate(b"\n")
    assert (ran.output, ran.problem) == (b"fine\n", "")
    assert child.returncode == 0


@needs_bubblewrap
@needs_python
def test_no_memory_is_kept_out_of_sight(boxes: Boxes) -> None:
    """Files in memory and segments are in no address space once they are unmapped."""
    code = """
import ctypes, os
libc = ctypes.CDLL(None)
def filled(directory):
    count = 0
    try:
        while count < 100:
            with open(f"{directory}/{count}", "wb") as file: file.write(bytes(1 << 20))
            count += 1
    except OSError:
        pass
    return count
print(libc.memfd_create(b"x", 0), libc.shmget(0, 4096, 0o1600), libc.msgget(0, 0o1600))
print(libc.unshare(0x10000000), filled("/dev"), filled("/dev/shm") <= 16, filled("/tmp") <= 64)
"""
    ran = boxes.run(code)
    assert ran.output.decode().split() == ["-1", "-1", "-1", "-1", "0", "True", "True"], ran


@needs_bubblewrap
@needs_python
def test_there_are_few_processes_in_the_box(boxes: Boxes) -> None:
    code = (
        "import os, time\ncount = 0\ntry:\n  while count < 500:\n"
        "    if not os.fork(): time.sleep(100); os._exit(0)\n"
        "    count += 1\nexcept OSError: pass\nprint(count, flush=True)\nos._exit(0)"
    )
    ran = boxes.run(code)
    assert 0 < int(ran.output) < 32


@needs_bubblewrap
@needs_python
def test_the_box_holds_the_system_the_submission_and_nothing_else(
    boxes: Boxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a grader's file")
    secret.chmod(0o644)
    code = f"""
import os, socket, json
def tried(action):
    try:
        return repr(action())
    except OSError as error:
        return type(error).__name__
found = {{
    "root": sorted(os.listdir("/")),
    "others": [tried(lambda: open(each).read()) for each in ({str(secret)!r}, "/etc/passwd", "/root/x")],
    "writes": [tried(lambda: open(each, "w")) for each in ("loader.py", "/lab/input/x", "/usr/x", "/x")],
    "tmp": os.listdir("/tmp"),
    "network": tried(lambda: socket.create_connection(("127.0.0.1", 22), 1)),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "processes": len([each for each in os.listdir("/proc") if each.isdigit()]),
    "environment": sorted(os.environ),
    "descriptors": sorted(map(int, os.listdir("/proc/self/fd")))[:-1],
    "cwd": os.getcwd(),
    "session": os.getsid(0),
}}
print(json.dumps(found))
"""
    monkeypatch.setenv("OF_THE_GRADER", "x")
    ran = boxes.run(code)
    assert ran.problem == "", ran
    found = json.loads(ran.output)
    system = {"bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc"}
    assert set(found["root"]) <= {*system, "proc", "dev", "tmp", "lab"}
    assert found["others"] == ["FileNotFoundError"] * 3
    assert set(found["writes"]) <= {"OSError", "PermissionError"}
    assert found["tmp"] == []
    assert "Error" in found["network"]
    assert found["interfaces"] == ["lo"]
    assert found["processes"] <= 3
    assert set(found["environment"]) <= {"HOME", "INSPECTOR_PROFILE", "LC_ALL", "PATH", "PWD", "LC_CTYPE"}
    assert found["descriptors"] == [0, 1, 2]
    assert found["cwd"] == "/lab/submission"
    assert found["session"] > 0, "0 is a session that began outside"


@needs_bubblewrap
@needs_python
def test_in_the_box_no_process_is_traced_and_addresses_stay_random(boxes: Boxes) -> None:
    code = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
x32 = 0x40000000
for words in ((101, 0, 0, 0, 0), (135, 0x40000), (310, 1, 0, 0, 0, 0, 0), (101 | x32, 0), (39,), (1135,)):
    answer = libc.syscall(*map(ctypes.c_long, words))
    print("ok" if answer >= 0 else errno.errorcode[ctypes.get_errno()])
"""
    ran = boxes.run(code)
    assert ran.output.decode().split() == ["EPERM", "EPERM", "EPERM", "EPERM", "ok", "ENOSYS"], ran


@pytest.mark.skipif(os.geteuid() != 0, reason="others are never root")
@needs_python
def test_unprotected_it_is_still_another_user_than_root(boxes: Boxes) -> None:
    ran = boxes.run("import os; print(os.getuid(), os.getgroups())", unsafe=True)
    assert ran.output == b"65534 []\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="as the same user nothing keeps it from its own files")
@needs_python
def test_unprotected_a_loader_cannot_move_what_grading_writes_next(tmp_path: Path) -> None:
    exercise = load_exercise("loader")
    (question,) = (each for each in exercise.questions if isinstance(each, Loader))
    (tmp_path / "loader.py").write_text(
        "import os, sys\ninputs = os.path.dirname(sys.argv[1])\n"
        "for step in (lambda: os.rename(inputs, inputs + '-'), lambda: os.symlink('/etc', inputs),\n"
        "             lambda: open('loader.py', 'w'), lambda: open(sys.argv[1], 'w')):\n"
        "    try: step()\n    except OSError: pass\n    else: sys.stdout.write('moved ')\n"
    )
    runner = SandboxedLoader(str(tmp_path), unsafe=True)
    answer, notes = runner.run(question, ["/usr/bin/python3", "loader.py"], variant_of(exercise, "alice"))
    assert (answer.rows, answer.unread, notes) == ((), (), [])


def test_without_a_sandbox_nothing_is_run(boxes: Boxes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    why_not.cache_clear()
    try:
        with pytest.raises(CannotRun, match=r"bubblewrap .* is not installed") as caught:
            boxes.run("open('/tmp/ran', 'w')")
        assert "--unsafe" in caught.value.help
    finally:
        why_not.cache_clear()


def test_a_sandbox_that_does_not_work_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    for parent in (tmp_path, *tmp_path.parents):
        if parent != Path("/") and os.geteuid() == 0:
            parent.chmod(parent.stat().st_mode | 0o011)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(
        sandbox, "_ENVIRONMENT", {**sandbox._ENVIRONMENT, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    )
    why_not.cache_clear()
    try:
        assert "No permissions to create new namespace" in why_not()
    finally:
        why_not.cache_clear()
