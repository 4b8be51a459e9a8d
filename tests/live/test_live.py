"""A live process goes on as it was: every signal reaches it, stopped stays stopped, running runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.errors import CannotObserve, ProcessVanished
from inspector.observe.live import observe_pid
from inspector.observe.procfs.status import parse_status

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live

COUNTER = r"""
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
static volatile int count;
static void more(int signal) { count++; }
static void end(int signal) { _exit(dprintf(1, "%d\n", count) < 0); }
int main(int argc, char **argv)
{
    char byte;
    if (argc > 1) {
        if (vfork() == 0)
            _exit(read(0, &byte, 1) < 0);
        return dprintf(1, "over") < 0;
    }
    signal(SIGRTMIN, more);
    signal(SIGTERM, end);
    dprintf(1, "ready\n");
    for (;;)
        pause();
}
"""
SIGNALS = 4000


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("the program under observation is written in C, and there is no gcc")
    built = tmp_path_factory.mktemp("counting") / "counting"
    subprocess.run(["gcc", "-x", "c", "-o", built, "-"], input=COUNTER, text=True, check=True)
    return built


@pytest.fixture
def counter(counting: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that counts the SIGRTMIN it gets, none of which the kernel merges, until SIGTERM."""
    process = subprocess.Popen([counting], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def state(pid: int) -> str:
    return parse_status(Path(f"/proc/{pid}/status").read_bytes()).state


def tracer(pid: int) -> int:
    return parse_status(Path(f"/proc/{pid}/status").read_bytes()).tracer_pid


def wait_for_state(pid: int, wanted: str) -> None:
    deadline = time.monotonic() + 5
    while state(pid) not in wanted:
        assert time.monotonic() < deadline, state(pid)
        time.sleep(0.001)


def test_every_signal_arrives(counter: subprocess.Popen[str]) -> None:
    def send() -> None:
        for _ in range(SIGNALS):
            os.kill(counter.pid, signal.SIGRTMIN)
            time.sleep(0.0001)

    sender = threading.Thread(target=send)
    sender.start()
    looks = 0
    while sender.is_alive():
        assert observe_pid(counter.pid).snapshots[0].vmas
        looks += 1
    sender.join()
    assert looks > 1
    time.sleep(0.2)  # SIGTERM has a lower number, and so goes before what is still in the queue
    counter.terminate()
    said, _ = counter.communicate(timeout=10)
    assert int(said) == SIGNALS


def test_a_stopped_process_stays_stopped_and_can_be_continued(counter: subprocess.Popen[str]) -> None:
    counter.send_signal(signal.SIGSTOP)
    wait_for_state(counter.pid, "T")
    for _ in range(5):
        assert observe_pid(counter.pid).snapshots[0].vmas
        wait_for_state(counter.pid, "T")
    counter.send_signal(signal.SIGCONT)
    counter.terminate()
    assert counter.wait(timeout=10) == 0


def test_a_stop_sent_meanwhile_is_obeyed(counter: subprocess.Popen[str]) -> None:
    for _ in range(50):
        sender = threading.Thread(target=os.kill, args=(counter.pid, signal.SIGSTOP))
        sender.start()
        observe_pid(counter.pid)
        sender.join()
        wait_for_state(counter.pid, "T")
        sender = threading.Thread(target=os.kill, args=(counter.pid, signal.SIGCONT))
        sender.start()
        observe_pid(counter.pid)
        sender.join()
        wait_for_state(counter.pid, "SR")


# Not Popen.send_signal: that waits for the process first, and any thread that waits hears what stopped it.
def test_a_death_meanwhile_is_said_and_stays_its_parents_to_hear_of() -> None:
    for _ in range(30):
        process = subprocess.Popen(["sleep", "60"])
        killer = threading.Thread(target=os.kill, args=(process.pid, signal.SIGTERM))
        killer.start()
        with suppress(ProcessVanished):
            observe_pid(process.pid)
        killer.join()
        assert process.wait(timeout=10) == -signal.SIGTERM


def test_a_process_that_does_not_stop_in_time_is_let_go(counting: Path) -> None:
    """The parent of a vfork cannot be stopped until its child has ended."""
    parent = subprocess.Popen([counting, "vfork"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        wait_for_state(parent.pid, "D")
        with pytest.raises(CannotObserve, match="did not stop"):
            observe_pid(parent.pid, seconds=0.2)
        deadline = time.monotonic() + 5
        while tracer(parent.pid):
            assert time.monotonic() < deadline
            time.sleep(0.001)
    finally:
        said, _ = parent.communicate(b"x", timeout=10)
    assert said == b"over"


def test_other_threads_and_children_are_named() -> None:
    code = "import threading, time, subprocess, sys\n"
    code += "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    code += "child = subprocess.Popen(['sleep', '60'])\nprint(child.pid, flush=True)\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            notes = observe_pid(process.pid).notes
        finally:
            process.kill()
            os.kill(child, signal.SIGKILL)
    assert "2 threads: only the first was stopped, the others went on meanwhile" in notes
    assert f"it has descendants, which were not looked at: {child}" in notes
