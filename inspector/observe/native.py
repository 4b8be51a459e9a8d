"""What this kernel gives a 64-bit program, read off two tiny ones that are stopped at exec."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SIZE, AddressRange, VirtAddr, page_down
from inspector.model.auxv import AuxType
from inspector.model.prediction import Outcome
from inspector.model.profile import GateArea, LayoutProfile, NativeProfile, SpecialArea
from inspector.model.vma import FileBacking, Special, Vma
from inspector.observe import probe_programs
from inspector.observe.launch import launch
from inspector.observe.probe_launch import Images, probe_launch
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.snapshot import take_snapshot

if TYPE_CHECKING:
    from collections.abc import Collection

    from inspector.model.snapshot import Snapshot

_WORD_BYTES = 8
_LONGEST_PLATFORM = 64


def probe_native(mixed: Collection[str]) -> NativeProfile | None:
    """Look at 64-bit programs; None where the kernel runs none, or shows no auxiliary vector.

    `mixed`: which of the kernel's own areas are VM_MIXEDMAP.
    """
    with closing(Images()) as images:
        fixed = _look(images.add(probe_programs.native()))
        loader = images.add(probe_programs.native_loader())
        led = _look(images.add(probe_programs.native(loader)))
        runs_itself = _look(loader)
    if fixed is None or led is None or runs_itself is None or led[0].auxv is None:
        return None
    snapshot, platform = fixed
    areas = snapshot.vmas or ()
    task_size = next(area.end for area in areas if area.name == "[stack]")
    specials = [area for area in areas if isinstance(area.backing, Special)]
    gate = next((area for area in specials if area.start >= task_size), None)
    return NativeProfile(
        layout=LayoutProfile(
            task_size=task_size,
            et_dyn_base=_et_dyn_base(task_size, _aux(led[0], AuxType.AT_PHDR) & -PAGE_SIZE),
            # As for 32 bits: from above it starts in the upper half of the task, from below at a third.
            bottom_up=_aux(led[0], AuxType.AT_BASE) < task_size // 2,
        ),
        special_areas=tuple(
            SpecialArea(area.name, _pages(area), area.perms, area.name in mixed)
            for area in specials
            if area is not gate
        ),
        gate_area=None if gate is None else GateArea(gate.start, _pages(gate), gate.perms, gate.name),
        # The snapshot leaves AT_NULL out.
        auxv_entries=len(snapshot.auxv or ()) + 1,
        platform=platform,
        moved_brk=_moved_brk(runs_itself[0]),
    )


def _et_dyn_base(task_size: VirtAddr, page: int) -> VirtAddr:
    """Return ELF_ET_DYN_BASE, given the page it lies in: two thirds of the task, which is no whole page.

    Source: arch/x86/include/asm/elf.h.
    """
    base = VirtAddr(task_size // 3 * 2)
    return base if page_down(base) == page else VirtAddr(page)


def _moved_brk(loader: Snapshot) -> VirtAddr | None:
    """Return where the heap of a program without .bss starts, unless that is where it ends itself."""
    end = max(area.end for area in loader.vmas or () if isinstance(area.backing, FileBacking))
    return None if loader.brk == end else loader.brk


def _look(path: str) -> tuple[Snapshot, str] | None:
    """Return the program at exec, and what AT_PLATFORM points at."""
    with launch(probe_launch(path)) as launched:
        if launched.verdict.outcome is not Outcome.RUNS:
            return None
        snapshot, _ = take_snapshot(
            launched.pid,
            "exec",
            baseline=launched.baseline,
            registers=None,
            relatives=None,
            word_bytes=_WORD_BYTES,
        )
        with ProcessFiles(launched.pid) as files:
            return snapshot, _string(files, _aux(snapshot, AuxType.AT_PLATFORM))


def _string(files: ProcessFiles, address: int) -> str:
    """Return the string at `address`, which is on the stack, where nothing is absent."""
    span = AddressRange(VirtAddr(address), VirtAddr(address + _LONGEST_PLATFORM))
    return files.memory(span).partition(b"\0")[0].decode()


def _aux(snapshot: Snapshot, kind: AuxType) -> int:
    return next((entry.value for entry in snapshot.auxv or () if entry.type == kind), 0)


def _pages(area: Vma) -> int:
    return area.range.size_bytes // PAGE_SIZE
