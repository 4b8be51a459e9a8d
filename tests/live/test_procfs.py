"""/proc as it is read from processes that run, end, exec, hide and have strange files mapped."""

from __future__ import annotations

import ctypes
import mmap
import os
import pickle
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from inspector.errors import CannotObserve, InspectorError, ProcessVanished
from inspector.model.address import PAGE_SIZE, AddressRange, FileOffset, VirtAddr
from inspector.model.page import PageKind
from inspector.model.snapshot import FaultCounts
from inspector.model.vma import Anonymous, FileBacking
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.procfs.maps import format_maps, parse_maps
from inspector.observe.procfs.stat import parse_stat
from inspector.observe.snapshot import read_fault_counts, snapshot_from_raw
from tests.live.looking import kinds_by_address, needs_pagemap, needs_root, snapshot_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.live, needs_pagemap]

NOBODY = 65534


def _in_child(work: Callable[[], object]) -> object:
    """Return what `work` returns (or the error it raises) in a forked child of no privileges."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        pr_set_dumpable = 4  # the change of ids hid our own /proc files from us
        ctypes.CDLL(None).prctl(pr_set_dumpable, 1, 0, 0, 0)
        result: object
        try:
            result = work()
        except InspectorError as error:
            result = error
        os.write(writer, pickle.dumps(result))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    return pickle.loads(data)  # noqa: S301 - our own child wrote it


def _snapshot_of_a_copy() -> object:
    """Return the snapshot of a stopped copy of this process: itself, it may map memory while it looks."""
    copy = os.fork()
    if not copy:
        os.kill(os.getpid(), signal.SIGSTOP)
    os.waitpid(copy, os.WUNTRACED)
    try:
        return snapshot_now(copy, word_bytes=8)
    finally:
        os.kill(copy, signal.SIGKILL)
        os.waitpid(copy, 0)


def test_maps_of_every_readable_process_is_printed_again_byte_for_byte() -> None:
    seen = 0
    for name in os.listdir("/proc"):  # noqa: PTH208
        if not name.isdigit():
            continue
        try:
            with ProcessFiles(int(name)) as files:
                data = files.maps()
        except CannotObserve:
            continue
        assert format_maps(parse_maps(data), kernel_word_bytes=8 if sys.maxsize >> 32 else 4) == data
        seen += 1
    assert seen


@needs_root
def test_without_privileges_frames_are_none_and_never_0() -> None:
    result = _in_child(_snapshot_of_a_copy)
    assert isinstance(result, tuple)
    snapshot, raw = result
    assert {page.pfn for page in snapshot.pages} == {None}
    kinds = {page.kind for page in snapshot.pages}
    assert {PageKind.FILE, PageKind.ANONYMOUS, PageKind.SPECIAL} <= kinds
    assert (None in kinds) <= (raw.zero_pages is None)
    assert all(vma.flags is not None for vma in snapshot.vmas if vma.name != "[vsyscall]")


@needs_root
def test_another_users_process_may_not_be_looked_at() -> None:
    mine = os.getpid()
    error = _in_child(lambda: snapshot_now(mine))
    assert type(error) is CannotObserve
    assert "root" in error.help
    faults = _in_child(lambda: read_fault_counts(mine))
    assert isinstance(faults, FaultCounts)
    assert faults.minor > 0


@pytest.mark.parametrize(
    "name", ["with a  blank", "new\nline", "back\\slash", "latin-1 \udce9", "é (deleted)"]
)
def test_paths_are_the_real_ones(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(bytes(PAGE_SIZE))
    with path.open("rb") as file, mmap.mmap(file.fileno(), PAGE_SIZE, prot=mmap.PROT_READ):
        for expected in (str(path), f"{path} (deleted)"):
            with ProcessFiles(os.getpid()) as files:
                data = files.maps()
            assert format_maps(parse_maps(data)) == data
            details = os.fstat(file.fileno())
            device = (os.major(details.st_dev), os.minor(details.st_dev))
            backings = [vma.backing for vma in parse_maps(data) if vma.name == expected]
            assert backings == [FileBacking(expected, device, details.st_ino, FileOffset(0))]
            path.unlink(missing_ok=True)


def test_a_process_that_was_reaped_has_vanished() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        files = ProcessFiles(process.pid)
        process.kill()
        process.wait()
    reads = (files.maps, files.smaps, files.status, files.stat, files.auxv)
    area = AddressRange(VirtAddr(PAGE_SIZE), VirtAddr(2 * PAGE_SIZE))
    for read in (*reads, lambda: files.resident_pages([area]), lambda: files.memory(area)):
        with pytest.raises(ProcessVanished):
            read()
    files.close()
    with pytest.raises(ProcessVanished):
        snapshot_now(process.pid)


def test_a_zombie_has_vanished_but_kept_its_counts() -> None:
    process = subprocess.Popen(["sleep", "60"])
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    try:
        with pytest.raises(ProcessVanished):
            snapshot_now(process.pid)
        assert read_fault_counts(process.pid).minor > 0
    finally:
        process.wait()


def test_a_thread_of_the_kernel_has_nothing_to_show() -> None:
    try:
        with ProcessFiles(2) as files:
            comm = parse_stat(files.stat()).comm
    except ProcessVanished:
        comm = ""
    if comm != "kthreadd":
        pytest.skip("the kernel's threads are not to be seen here (pid namespace)")
    with pytest.raises(CannotObserve, match="no address space") as caught:
        snapshot_now(2)
    assert not isinstance(caught.value, ProcessVanished)


def test_execve_is_followed() -> None:
    with subprocess.Popen(["sh", "-c", "read x; exec sleep 60"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            with ProcessFiles(process.pid) as files:
                files.maps()
                process.stdin.write(b"\n")
                process.stdin.flush()
                deadline = time.monotonic() + 10
                while b"/sleep\n" not in files.maps():
                    assert time.monotonic() < deadline
        finally:
            process.kill()


def test_a_running_process_neither_hangs_nor_crashes_us() -> None:
    program = (
        "import mmap, os\n"
        "for i in range(10**9):\n"
        "    m = mmap.mmap(-1, 4096 * (i % 300 + 1)); m[0] = 1; m.close()\n"
        "    if i % 50 == 0 and os.fork() == 0: os._exit(0)\n"
        "    if i % 50 == 0: os.wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        try:
            for _ in range(50):
                snapshot, raw = snapshot_now(process.pid, word_bytes=8)
                assert snapshot_from_raw(raw) == snapshot
        finally:
            process.kill()


def test_a_process_may_end_at_any_moment() -> None:
    for delay in range(12):
        with subprocess.Popen(["sleep", "60"]) as process:
            end = time.monotonic() + delay / 1000
            killed = False
            try:
                for _ in range(2000):
                    if not killed and time.monotonic() >= end:
                        process.kill()
                        killed = True
                    snapshot_now(process.pid, word_bytes=8)
            except ProcessVanished:
                assert killed
            else:
                pytest.fail("the process was killed, and went on being seen")
            finally:
                process.kill()


def test_terabytes_of_holes_are_no_obstacle() -> None:
    size, map_noreserve = 1 << 40, 0x4000
    try:
        area = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | map_noreserve)
    except (OSError, ValueError, OverflowError) as error:
        pytest.skip(f"this machine does not reserve a terabyte: {error}")
    with area:
        area[size // 2] = 1
        # Only this page is asked for: the kernel may have merged the area with a neighbour in use.
        touched = ctypes.addressof(ctypes.c_char.from_buffer(area, size // 2))
        snapshot, _ = snapshot_now(os.getpid(), word_bytes=8)
    if snapshot.pages is None:
        pytest.skip("this kernel has no PAGEMAP_SCAN (Linux 6.7)")
    vast = next(vma for vma in snapshot.vmas or () if touched in vma.range)
    assert vast.range.size_bytes >= size
    assert isinstance(vast.backing, Anonymous)
    assert kinds_by_address(snapshot)[VirtAddr(touched)] is PageKind.ANONYMOUS
