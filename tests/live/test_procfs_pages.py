"""The pages of a live process are what was done to them, and the numbers fit."""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.errors import CannotObserve
from inspector.model.address import PAGE_SIZE, AddressRange, VirtAddr
from inspector.model.page import PageKind
from inspector.model.snapshot import FaultCounts
from inspector.model.vma import FileBacking, Special, VmFlag
from inspector.observe.procfs import resident
from inspector.observe.procfs.files import ProcessFiles, frame_flags
from inspector.observe.procfs.smaps import parse_smaps
from inspector.observe.procfs.stat import parse_stat
from inspector.observe.procfs.status import parse_status
from inspector.observe.snapshot import read_fault_counts, snapshot_from_raw
from tests.live.looking import kinds_by_address, needs_pagemap, needs_root, snapshot_now

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.live, needs_pagemap]


@dataclass(frozen=True)
class Touched:
    """The stopped program, and the pages it says it touched."""

    pid: int
    pages: tuple[tuple[str, VirtAddr], ...]


@pytest.fixture(scope="module")
def touches(tmp_path_factory: pytest.TempPathFactory) -> str:
    source = Path(__file__).with_name("touches.c")
    program = tmp_path_factory.mktemp("touches") / "touches"
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs gcc")
    done = subprocess.run(
        [compiler, "-m32", "-static", "-O0", "-o", program, source],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"needs gcc -m32 -static (gcc-multilib): {done.stderr.splitlines()[-1]}")
    return str(program)


@pytest.fixture
def touched(touches: str) -> Iterator[Touched]:
    with subprocess.Popen([touches], stdout=subprocess.PIPE, text=True) as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            pytest.skip("this kernel does not run i386 programs (IA32 emulation)")
        lines = [process.stdout.readline().split() for _ in range(15)] if process.stdout else []
        yield Touched(process.pid, tuple((kind, VirtAddr(int(at, 16))) for kind, at in lines))
        process.kill()


def test_pages_are_what_was_done_to_them(touched: Touched) -> None:
    snapshot, raw = snapshot_now(touched.pid)
    kinds = kinds_by_address(snapshot)
    for expected, address in touched.pages:
        if expected == "absent":
            assert address not in kinds
        elif kinds[address] is None:
            assert raw.zero_pages is None, "the kernel told the zero pages, so nothing may be undecided"
        else:
            assert kinds[address] is PageKind(expected), f"{address:#x}"


def test_the_kernels_own_pages(touched: Touched) -> None:
    snapshot, _ = snapshot_now(touched.pid)
    assert snapshot.vmas is not None
    special = {vma.name: vma for vma in snapshot.vmas if isinstance(vma.backing, Special)}
    assert "[vdso]" in special
    for name, vma in special.items():
        kinds = {kind for at, kind in kinds_by_address(snapshot).items() if at in vma.range}
        assert kinds <= ({PageKind.SPECIAL} if name == "[vdso]" else set())


def test_numbers_agree_with_proc(touched: Touched) -> None:
    snapshot, raw = snapshot_now(touched.pid)
    assert snapshot.vmas is not None
    assert snapshot.auxv is not None
    assert snapshot.pages is not None
    status, stat = parse_status(raw.status), parse_stat(raw.stat)
    assert status.state == stat.state == "T"
    assert (status.pid, status.ppid, stat.comm) == (touched.pid, os.getpid(), "touches")
    assert status.uid.effective == os.geteuid()
    # A process that has unmapped nothing: a table for every 2 MiB, 1 GiB and 512 GiB it touched (a huge page
    # keeps one in reserve), and one more where paging has five levels.
    touched_tables = {(shift, page.address >> shift) for page in snapshot.pages for shift in (21, 30, 39)}
    assert snapshot.page_table_bytes == status.page_table_bytes
    assert snapshot.page_table_bytes in {4096 * len(touched_tables), 4096 * (len(touched_tables) + 1)}
    heap = next(vma for vma in snapshot.vmas if vma.name == "[heap]")
    stack = next(vma for vma in snapshot.vmas if vma.name == "[stack]")
    assert snapshot.brk == heap.start
    assert stack.flags == VmFlag.GROWSDOWN | VmFlag.ACCOUNT
    assert stat.start_stack in stack.range
    entries = {entry.name: entry.value for entry in snapshot.auxv}
    assert entries["AT_PAGESZ"] == PAGE_SIZE
    assert any(
        entries["AT_ENTRY"] in vma.range for vma in snapshot.vmas if isinstance(vma.backing, FileBacking)
    )
    assert entries["AT_SYSINFO_EHDR"] in {vma.start for vma in snapshot.vmas if vma.name == "[vdso]"}


def test_smaps_counts_the_anonymous_pages_we_see(touched: Touched) -> None:
    snapshot, raw = snapshot_now(touched.pid)
    kinds = kinds_by_address(snapshot)
    assert raw.smaps is not None
    for area in parse_smaps(raw.smaps):
        ours = sum(kind is PageKind.ANONYMOUS for at, kind in kinds.items() if at in area.vma.range)
        assert area.fields["Anonymous"] == ours * PAGE_SIZE, str(area.vma)


def test_looking_changes_nothing(touched: Touched) -> None:
    (first, bytes_then), (second, bytes_now) = snapshot_now(touched.pid), snapshot_now(touched.pid)
    assert second == first
    # Reclaim and DAMON take the accessed bits away that smaps sums up as Referenced.
    assert replace(bytes_now, smaps=None) == replace(bytes_then, smaps=None)
    assert read_fault_counts(touched.pid) == FaultCounts(first.minor_faults or 0, first.major_faults or 0)


def test_a_recording_is_judged_the_same(touched: Touched) -> None:
    snapshot, raw = snapshot_now(touched.pid)
    assert snapshot_from_raw(raw) == snapshot


@needs_root
def test_both_ways_find_the_same_pages(touched: Touched) -> None:
    snapshot, raw = snapshot_now(touched.pid)
    areas = [vma.range for vma in snapshot.vmas or ()]
    pagemap = os.open(f"/proc/{touched.pid}/pagemap", os.O_RDONLY)
    try:
        if resident.scan(pagemap, areas[0]) is None:
            pytest.skip("this kernel has no PAGEMAP_SCAN (Linux 6.7)")
        searched = resident.search(pagemap, areas, frame_flags)
        blind = resident.search(pagemap, areas, lambda _: None)
    finally:
        os.close(pagemap)
    by_flags = replace(raw, pagemap=searched.pagemap, zero_pages=searched.zero_pages)
    assert snapshot_from_raw(by_flags).pages == snapshot.pages
    undecided = snapshot_from_raw(replace(raw, pagemap=blind.pagemap, zero_pages=blind.zero_pages))
    for address, kind in kinds_by_address(undecided).items():
        assert kind in {kinds_by_address(snapshot)[address], None}
        assert kind is not None or kinds_by_address(snapshot)[address] is PageKind.ZERO


def test_more_regions_than_one_request_answers(touched: Touched, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = snapshot_now(touched.pid)
    monkeypatch.setattr(resident, "_SCAN_REGIONS", 2)
    assert snapshot_now(touched.pid)[0] == whole[0]


def test_reading_memory_makes_it_resident(touched: Touched) -> None:
    absent = touched.pages[-2][1]
    before = read_fault_counts(touched.pid)
    with ProcessFiles(touched.pid) as files:
        assert files.memory(AddressRange(absent, VirtAddr(absent + 16))) == bytes(16)
        with pytest.raises(CannotObserve, match=r"nothing to be read at 0x0"):
            files.memory(AddressRange(VirtAddr(0), VirtAddr(16)))
        with pytest.raises(CannotObserve, match=r"nothing to be read at 0xffffffffff600000"):
            files.memory(AddressRange(VirtAddr(0xFFFFFFFFFF600000), VirtAddr(0xFFFFFFFFFF600010)))
    snapshot, raw = snapshot_now(touched.pid)
    assert kinds_by_address(snapshot)[absent] is (None if raw.zero_pages is None else PageKind.ZERO)
    assert read_fault_counts(touched.pid) == before, "the kernel counts the fault for the reader"


def test_a_vdso_page_that_was_written_is_no_longer_the_kernels(touched: Touched) -> None:
    snapshot, _ = snapshot_now(touched.pid)
    vdso = next(vma.start for vma in snapshot.vmas or () if vma.name == "[vdso]")
    with ProcessFiles(touched.pid) as files:
        byte = files.memory(AddressRange(vdso, VirtAddr(vdso + 1)))
    memory = os.open(f"/proc/{touched.pid}/mem", os.O_RDWR)
    try:
        os.pwrite(memory, byte, vdso)
    except OSError as error:
        pytest.skip(f"this kernel does not let a debugger write: {error.strerror}")
    finally:
        os.close(memory)
    assert kinds_by_address(snapshot_now(touched.pid)[0])[vdso] is PageKind.ANONYMOUS


def test_pages_shared_by_fork_are_anonymous() -> None:
    area = mmap.mmap(-1, 2 * PAGE_SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area[0] = 1
    address = VirtAddr(ctypes.addressof(ctypes.c_char.from_buffer(area)))
    child = os.fork()
    if not child:
        signal.pause()
    try:
        snapshot, raw = snapshot_now(child, word_bytes=8)
        blind = snapshot_from_raw(replace(raw, zero_pages=None))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert kinds_by_address(blind)[address] is None
    if raw.zero_pages is not None:
        assert kinds_by_address(snapshot)[address] is PageKind.ANONYMOUS


@needs_root
def test_frames_are_seen_by_root(touched: Touched) -> None:
    pages = snapshot_now(touched.pid)[0].pages
    assert pages
    assert all(page.pfn for page in pages)
