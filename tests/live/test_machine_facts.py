"""What the probe says of processor, paging and clock, held against other ways to find it out."""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.model.address import PAGE_SIZE
from inspector.observe import clock
from inspector.predict.machine.cpuid import Cpuid

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile

TABLE_SPAN = 2 << 20
LEAVES = (
    *range(0x40),
    *(first + number for first in (0x40000000, 0x40000100, 0x80000000, 0xC0000000) for number in range(0x40)),
    *(0x20000000, 0x3FFFFFFF, 0x4FFFFFFF, 0x7FFFFFFF, 0x8FFFFFFF, 0xFFFFFFFF),
)
QUESTIONS = [(leaf, subleaf) for leaf in LEAVES for subleaf in range(3)] + [
    (0xD, subleaf) for subleaf in range(3, 64)
]


def test_cpuid_answers_as_the_processor_does(profile: MachineProfile, tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("CPUID is asked by a program in C, and there is no gcc")
    program = tmp_path / "cpuid"
    source = Path(__file__).with_name("cpuid.c")
    subprocess.run(["gcc", "-m32", "-O1", "-o", program, source], check=True)
    asked = "".join(f"{leaf:x} {subleaf:x}\n" for leaf, subleaf in QUESTIONS)
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {profile.processor.cpu})
    try:
        done = subprocess.run([program], input=asked, capture_output=True, text=True, check=True)
    finally:
        os.sched_setaffinity(0, allowed)
    *answers, xcr0 = [[int(word, 16) for word in line.split()] for line in done.stdout.splitlines()]
    cpuid = Cpuid(profile.processor)
    wrong = [
        (hex(leaf), subleaf)
        for (leaf, subleaf), answer in zip(QUESTIONS, answers, strict=True)
        if cpuid(leaf, subleaf) != tuple(answer)
    ]
    assert wrong == []
    assert profile.processor.xcr0 == xcr0[1] << 32 | xcr0[0]


def test_loops_over_subleaves_come_to_their_end(profile: MachineProfile) -> None:
    cpuid = Cpuid(profile.processor)
    for leaf in (0x4, 0x8000001D):
        assert any(not cpuid(leaf, subleaf)[0] & 0x1F for subleaf in range(64))
    for leaf in (0xB, 0x1F):
        assert any(not cpuid(leaf, subleaf)[2] >> 8 & 0xFF for subleaf in range(64))


@pytest.mark.parametrize("first", [0, 3, 37])
def test_fault_around_maps_what_the_profile_says(profile: MachineProfile, first: int) -> None:
    """Map a file from its page `first` on and read a byte: the window is cut where the mapping begins."""
    descriptor = os.memfd_create("file")
    try:
        for _ in range(TABLE_SPAN // PAGE_SIZE * 2):
            os.write(descriptor, bytes(PAGE_SIZE))
        offset = first * PAGE_SIZE
        length = 2 * TABLE_SPAN - offset
        with mmap.mmap(descriptor, length, mmap.MAP_PRIVATE, mmap.PROT_READ, offset=offset) as mapping:
            start = range_of(mapping)
            touched = start + length // 2
            assert mapping[length // 2] == 0
            window = profile.fault_around_bytes
            low = max(touched & -window, start, touched & -TABLE_SPAN)
            high = min((touched & -window) + window, start + length, (touched & -TABLE_SPAN) + TABLE_SPAN)
            with Path("/proc/self/pagemap").open("rb") as pagemap:
                pagemap.seek(start // PAGE_SIZE * 8)
                entries = struct.iter_unpack("<Q", pagemap.read(length // PAGE_SIZE * 8))
                present = [start + n * PAGE_SIZE for n, (entry,) in enumerate(entries) if entry >> 63]
            assert present == list(range(low, high, PAGE_SIZE))
    finally:
        os.close(descriptor)


def range_of(mapping: mmap.mmap) -> int:
    """Return where a mapping of a memfd lies: the only one this process has."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "/memfd:file" in line:
            return int(line.partition("-")[0], 16)
    pytest.fail(f"{mapping} is not to be seen")


ZAP = """
import mmap, re, sys
span = 4 << 20
def tables():
    return int(re.search(r"VmPTE:\\s+(\\d+)", open("/proc/self/status").read())[1])
place = mmap.mmap(-1, 3 * span, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
place.madvise(mmap.MADV_NOHUGEPAGE)
for offset in range(0, 3 * span, span // 4):
    place[offset] = 1
tables()
filled = tables()
place.madvise(mmap.MADV_DONTNEED)
print(tables() < filled)
"""


def test_a_zap_frees_tables_or_not(profile: MachineProfile) -> None:
    done = subprocess.run([sys.executable, "-c", ZAP], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(profile.zap_frees_page_tables)


def test_the_clock_pages_hold_the_time(profile: MachineProfile) -> None:
    now = clock.probe_clock(profile.special_areas)
    if not now.vvar:
        pytest.skip("the vdso's data could not be read here")
    pages = sum(area.pages for area in profile.special_areas if area.name != "[vdso]")
    assert len(now.vvar) == pages * PAGE_SIZE
    assert now.vvar_pages == profile.vvar_pages
    assert now.tsc > profile.tsc
    seconds = [word for (word,) in struct.iter_unpack("<Q", now.vvar)]
    assert any(abs(word - time.time()) < 60 for word in seconds)
    for number in set(range(pages)) - set(now.vvar_pages):
        assert not any(now.vvar[number * PAGE_SIZE : (number + 1) * PAGE_SIZE])


def test_what_smaps_calls_a_mixed_map_is_one_in_the_profile(profile: MachineProfile) -> None:
    flags, name = {}, ""
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if line[0] in "0123456789abcdef":
            name = line.split()[-1]
        elif line.startswith("VmFlags:"):
            flags[name] = line.split()[1:]
    if "[vvar]" not in flags:
        pytest.skip("there is no vvar here")
    native = profile.native.special_areas if profile.native is not None else ()
    for area in (*profile.special_areas, *native):
        if area.name == "[vvar]":
            assert area.mixedmap is ("mm" in flags[area.name])
            assert area.mixedmap is not ("pf" in flags[area.name])


def test_a_page_without_contents_is_told_from_one_of_zeros() -> None:
    with mmap.mmap(-1, PAGE_SIZE) as zeros:
        address = ctypes.addressof(ctypes.c_char.from_buffer(zeros))
        assert clock._read_page(address) == bytes(PAGE_SIZE)
    assert clock._read_page(0x1000) is None
