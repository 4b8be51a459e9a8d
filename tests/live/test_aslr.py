"""With ASLR the prediction starts from bases read from the process: right ones, or none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.elf.header import ElfHeader, parse_program_headers
from inspector.errors import NotModelled
from inspector.model.address import PAGE_SIZE, AddressRange, VirtAddr, address_of
from inspector.model.prediction import Outcome
from inspector.model.snapshot import StackImage
from inspector.observe.aslr import random_bases
from inspector.observe.controller import observe
from inspector.observe.launch import launch as start
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.snapshot import take_snapshot
from inspector.predict import predict
from tests.live.launches import executable, launch
from tests.live.looking import needs_pagemap
from tests.live.odd_programs import FIXED, INTERPRETERS, MOVABLE, OddElf, Segment, with_interpreter

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile, RandomBases
    from inspector.model.program import Program
    from inspector.model.snapshot import Snapshot

pytestmark = pytest.mark.live

RUNS = 20


def aligned(elf: OddElf, alignment: int) -> OddElf:
    first, *others = elf.segments
    return replace(elf, segments=(replace(first, align=alignment), *others))


HIGH = replace(FIXED, segments=(*FIXED.segments, Segment(vaddr=0xF8800000)))
"""Its last segment lies above every mmap base, and below every stack."""

PROGRAMS = {
    "fixed": FIXED,
    "movable": MOVABLE,
    "movable, aligned to 64 KiB": aligned(MOVABLE, 0x10000),
    "movable, aligned to 4 MiB": aligned(MOVABLE, 0x400000),
    "fixed, interpreted": with_interpreter(FIXED, b"interp\0"),
    "movable, interpreted": with_interpreter(MOVABLE, b"interp\0"),
    "movable, aligned, interpreted": aligned(with_interpreter(MOVABLE, b"interp\0"), 0x10000),
}


def at_exec(program: Program) -> tuple[Snapshot, RandomBases | None]:
    """Return a program at exec, and the bases read from it; None if they cannot be told."""
    data = Path(program.path).read_bytes()
    header = ElfHeader.parse(data)
    segments = parse_program_headers(data[header.phoff : header.phoff + 32 * header.phnum])
    with start(program) as launched:
        assert launched.verdict.outcome is Outcome.RUNS
        registers = launched.registers()
        snapshot, _ = take_snapshot(
            launched.pid, "exec", baseline=launched.baseline, registers=registers, relatives=None
        )
        end = next(vma.end for vma in snapshot.vmas or () if vma.name == "[stack]")
        with ProcessFiles(launched.pid) as files:
            contents = files.memory(AddressRange(VirtAddr(registers.esp), end))
    snapshot = replace(snapshot, stack=StackImage(VirtAddr(registers.esp), contents))
    try:
        return snapshot, random_bases(snapshot, header, segments)
    except NotModelled:
        return snapshot, None


@pytest.mark.parametrize("name", PROGRAMS)
def test_areas_follow_from_the_bases(name: str, stage: Path, profile: MachineProfile) -> None:
    directory = stage / "aslr"
    directory.mkdir(exist_ok=True)
    executable(directory / "interp", INTERPRETERS["interp"])
    path = executable(directory / "program", PROGRAMS[name].contents())
    told = 0
    for _ in range(RUNS):
        program = replace(launch(path, cwd=directory), randomize=True)
        snapshot, bases = at_exec(program)
        if bases is None:
            continue
        told += 1
        (predicted,) = predict(program, profile, bases=bases, until="exec").snapshots
        assert predicted.vmas == snapshot.vmas
        assert predicted.auxv == snapshot.auxv
    if name == "movable, aligned to 64 KiB":
        # What is left free above it is in half of all cases too little for the vdso.
        assert told < RUNS
    elif name != "movable, aligned to 4 MiB":
        assert told == RUNS


@needs_pagemap
def test_looking_at_a_stack_with_a_gap_fills_no_page_of_it(stage: Path) -> None:
    """arch_align_stack() may leave a whole page between the strings and the tables: absent, and zeros."""
    path = executable(stage / "gap", FIXED.contents())
    program = replace(launch(path, envp=("X=" + "x" * 3500,)), randomize=True)
    for _ in range(100):
        seen = observe(program, until="exec")
        (snapshot,) = seen.snapshots
        assert snapshot.stack is not None
        assert snapshot.pages is not None
        assert seen.perturbations == ()
        present = {page.vpn for page in snapshot.pages}
        image = AddressRange(snapshot.stack.sp, VirtAddr(snapshot.stack.sp + len(snapshot.stack.contents)))
        absent = [vpn for vpn in image.vpns() if vpn not in present]
        if absent:
            start = address_of(absent[0]) - image.start
            assert snapshot.stack.contents[start : start + PAGE_SIZE] == bytes(PAGE_SIZE)
            return
    pytest.fail("a hundred stacks without a gap")


def test_a_segment_above_the_mmap_area_hides_nothing(stage: Path) -> None:
    path = executable(stage / "high", HIGH.contents())
    _, bases = at_exec(replace(launch(path), randomize=True))
    assert bases is None
