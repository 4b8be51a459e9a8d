"""Filling the MachineProfile: tiny programs of our own are stopped at exec and looked at.

Whatever varies between kernels is read off here and never keyed on a version. What cannot be told is
refused, never filled in.
"""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.errors import CannotObserve
from inspector.model.address import PAGE_SIZE, AddressRange, VirtAddr
from inspector.model.auxv import AuxType
from inspector.model.prediction import ExecVerdict, Outcome
from inspector.model.profile import (
    AuxConstant,
    ExecRules,
    LayoutProfile,
    MachineProfile,
    PageTableGeometry,
    SpecialArea,
    UnclearableTail,
)
from inspector.model.program import Layout
from inspector.model.vma import Anonymous, Special
from inspector.observe import probe_programs
from inspector.observe.areas import probe_areas
from inspector.observe.binfmt_misc import registered
from inspector.observe.clock import mixed_maps, probe_clock
from inspector.observe.launch import launch
from inspector.observe.limits import require_memory
from inspector.observe.memory import ram_bytes, swap_bytes
from inspector.observe.native import probe_native
from inspector.observe.paging import probe_paging
from inspector.observe.probe_launch import Images, probe_launch
from inspector.observe.processor import cpumask_bytes, probe_processor
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.signal_frame import probe_signal_frame
from inspector.observe.snapshot import take_snapshot
from inspector.observe.system import system_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.model.registers import Registers
    from inspector.model.snapshot import Snapshot
    from inspector.model.vma import Vma

GEOMETRIES = (
    PageTableGeometry("x86-64", (9, 9, 9, 9), 8),
    PageTableGeometry("i386 PAE", (2, 9, 9), 8),
    PageTableGeometry("i386", (10, 10), 4),
)
"""What VmPTE is tried against, the top level never counted."""
_LONG = 8
"""sizeof(void *) of a 64-bit kernel."""

_COMPUTED = frozenset(
    {
        AuxType.AT_SYSINFO,
        AuxType.AT_SYSINFO_EHDR,
        AuxType.AT_PHDR,
        AuxType.AT_PHNUM,
        AuxType.AT_BASE,
        AuxType.AT_ENTRY,
        AuxType.AT_UID,
        AuxType.AT_EUID,
        AuxType.AT_GID,
        AuxType.AT_EGID,
        AuxType.AT_RANDOM,
        AuxType.AT_EXECFN,
        AuxType.AT_PLATFORM,
        AuxType.AT_BASE_PLATFORM,
    }
)
"""Entries whose values follow from the program; the simulator computes them."""

_LOW_HOLE = 2 << 20
_WIDEST_GAP = 256 << 20
"""What stack_guard_gap= is believed to be at most."""


@dataclass(frozen=True, slots=True)
class _Look:
    """One probe program at exec."""

    path: str
    snapshot: Snapshot
    registers: Registers
    stack: bytes
    vdso: bytes


def probe_profile() -> MachineProfile:
    """Probe this machine. Takes some ten milliseconds; raises CannotObserve or LaunchFailed."""
    require_memory()
    with closing(Images()) as images:
        fixed = images.add(probe_programs.fixed())
        loader = images.add(probe_programs.position_independent())
        interpreted = images.add(probe_programs.interpreted(loader))
        looks = {layout: _look(fixed, layout) for layout in Layout}
        here = looks[Layout.DEFAULT]
        layouts = {layout.value: _layout(looks[layout], _look(interpreted, layout)) for layout in Layout}
        runs_itself = _look(loader)
        hint_floor = _probe_hint_floor(images)
        bottom_up = layouts[Layout.DEFAULT.value].bottom_up
        # A search from below does not get there.
        floor = hint_floor if bottom_up else _probe_mmap_floor(images, loader)
        guard_gap = _probe_guard_gap(images, loader, here, floor)
        rules = _probe_exec_rules(images, here)
    mixed = mixed_maps()
    areas = tuple(
        SpecialArea(v.name, v.range.size_bytes // PAGE_SIZE, v.perms, v.name in mixed)
        for v in _specials(here)
    )
    base = layouts[Layout.DEFAULT.value].et_dyn_base
    paging, areas_made = probe_paging(), probe_areas()
    clock = probe_clock(areas)
    return MachineProfile(
        kernel=os.uname().release,
        machine=os.uname().machine,
        boot_id=boot_id(),
        page_size=PAGE_SIZE,
        layouts=layouts,
        special_areas=areas,
        vdso=here.vdso,
        vdso_sysenter_offset=_aux(here, AuxType.AT_SYSINFO) - _aux(here, AuxType.AT_SYSINFO_EHDR),
        auxv=_auxv_template(looks[Layout.DEFAULT], looks[Layout.THREE_GB]),
        platform=_string_at(here, _aux(here, AuxType.AT_PLATFORM)),
        entry_registers=replace(here.registers, eip=0, esp=0),
        kernel_word_bytes=_kernel_word_bytes(here),
        stack_guard_gap=guard_gap,
        page_tables=_geometry(here.snapshot, _kernel_word_bytes(here)),
        mmap_floor=floor,
        hint_floor=hint_floor,
        mmap_min_addr=_mmap_min_addr(),
        ram_bytes=ram_bytes(),
        swap_bytes=swap_bytes(),
        overcommit_memory=_sysctl("vm/overcommit_memory"),
        static_pie_moves_brk=runs_itself.snapshot.brk == base,
        exec_rules=rules,
        binfmt_misc=registered(),
        processor=probe_processor(),
        fault_around_bytes=paging.fault_around_bytes,
        zap_frees_page_tables=paging.zap_frees_page_tables,
        anon_vma_merging=areas_made.anon_vma_merging,
        mprotect_uncharges=areas_made.mprotect_uncharges,
        vvar=clock.vvar,
        vvar_pages=clock.vvar_pages,
        tsc=clock.tsc,
        signal_frame=probe_signal_frame(),
        system=system_names(),
        cpumask_bytes=cpumask_bytes(),
        max_map_count=_sysctl("vm/max_map_count"),
        native=probe_native(mixed),
    )


def _sysctl(name: str) -> int | None:
    try:
        return int(Path("/proc/sys", name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def boot_id() -> str:
    """Return the kernel's name for this boot; a profile is taken once for each."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _look(path: str, layout: Layout = Layout.DEFAULT) -> _Look:
    """Look at a program that every kernel runs."""
    found = _try(path, layout)
    if isinstance(found, ExecVerdict):
        raise CannotObserve(f"the probe program did not start ({found})", help="see `inspector doctor`")
    return found


def _try(path: str, layout: Layout = Layout.DEFAULT) -> _Look | ExecVerdict:
    """Look at a program, or return how it failed to run."""
    with launch(probe_launch(path, layout)) as launched:
        if launched.verdict.outcome is not Outcome.RUNS:
            return launched.verdict
        registers = launched.registers()
        snapshot, _ = take_snapshot(
            launched.pid, "exec", baseline=launched.baseline, registers=registers, relatives=None
        )
        vmas = snapshot.vmas or ()
        stack = next(vma for vma in vmas if vma.name == "[stack]")
        vdso = next((vma for vma in vmas if vma.name == "[vdso]"), None)
        with ProcessFiles(launched.pid) as files:
            return _Look(
                path=path,
                snapshot=snapshot,
                registers=registers,
                stack=files.memory(AddressRange(VirtAddr(registers.esp), stack.end)),
                vdso=files.memory(vdso.range) if vdso is not None else b"",
            )


def _runs(path: str) -> bool:
    """Whether execve starts a program, of whatever kind."""
    with launch(probe_launch(path)) as launched:
        return launched.verdict.outcome is Outcome.RUNS


def _layout(fixed: _Look, interpreted: _Look) -> LayoutProfile:
    task_size = _stack_end(fixed)
    return LayoutProfile(
        task_size=task_size,
        et_dyn_base=_program_base(interpreted),
        # A search from above starts at most five sixths of the task below its end; one from below at a third.
        bottom_up=_aux(interpreted, AuxType.AT_BASE) < task_size // 2,
    )


def _stack(look: _Look) -> Vma:
    return next(vma for vma in look.snapshot.vmas or () if vma.name == "[stack]")


def _stack_end(look: _Look) -> VirtAddr:
    return _stack(look).end


def _specials(look: _Look) -> list[Vma]:
    """Return the kernel's own areas; none with vdso32=0 on the kernel's command line or abi.vsyscall32=0."""
    return [vma for vma in look.snapshot.vmas or () if isinstance(vma.backing, Special)]


def _kernel_word_bytes(look: _Look) -> int:
    return _stack_end(look) - _aux(look, AuxType.AT_EXECFN) - len(os.fsencode(look.path)) - 1


def _mmap_min_addr() -> int:
    try:
        return int(Path("/proc/sys/vm/mmap_min_addr").read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise CannotObserve("vm.mmap_min_addr cannot be read", help="mount -t proc proc /proc") from error


def _aux(look: _Look, kind: AuxType) -> int:
    return next((entry.value for entry in look.snapshot.auxv or () if entry.type == kind), 0)


def _program_base(look: _Look) -> VirtAddr:
    """Where the file's first byte lies; the program headers follow the ELF header."""
    return VirtAddr(_aux(look, AuxType.AT_PHDR) & -PAGE_SIZE)


def _string_at(look: _Look, address: int) -> str:
    start = address - look.registers.esp
    return look.stack[start : look.stack.index(b"\0", start)].decode()


def _auxv_template(one: _Look, other: _Look) -> tuple[AuxConstant, ...]:
    """Return each entry with its value where that is the same in both layouts.

    What differs and is not in our list has no value: a program that gets it is not modelled.
    """
    pairs = zip(one.snapshot.auxv or (), other.snapshot.auxv or (), strict=True)
    return tuple(
        AuxConstant(entry.type, entry.value if entry == twin and entry.type not in _COMPUTED else None)
        for entry, twin in pairs
        if entry.type != AuxType.AT_NULL
    )


def _probe_guard_gap(images: Images, loader: str, here: _Look, floor: int) -> int:
    """Return the kernel's stack_guard_gap: what a search for free space keeps clear below a stack.

    A program that fills the task up to a hole below its stack gets interpreter and vdso there if there is
    room, and is killed if not; the smallest hole that takes them tells the gap.
    """
    needed = PAGE_SIZE + sum(vma.range.size_bytes for vma in _specials(here))
    stack = _stack(here).start

    def fits(pages: int) -> bool:
        start = stack - needed - pages * PAGE_SIZE
        found = _try(images.add(probe_programs.with_high_hole(floor, start, loader)))
        return isinstance(found, _Look)

    gap = _smallest(fits, 0, _WIDEST_GAP // PAGE_SIZE)
    if not fits(gap):
        raise CannotObserve(
            "no free space is found below the stack", help="is stack_guard_gap= set too wide?"
        )
    return gap * PAGE_SIZE


def _probe_hint_floor(images: Images) -> int:
    """Return where an interpreter goes that wishes for the second page."""
    wishful = images.add(probe_programs.interpreter_at(PAGE_SIZE))
    look = _look(images.add(probe_programs.interpreted(wishful, base=probe_programs.FIXED_BASE)))
    return _aux(look, AuxType.AT_BASE) + PAGE_SIZE


def _probe_mmap_floor(images: Images, loader: str) -> int:
    """Return the lowest address the kernel maps at by itself.

    A program that fills the task but for a hole at its lower end gets its interpreter there if that fits
    above the floor, and elsewhere if not; the smallest hole that takes it tells the floor.
    """

    def fits(pages: int) -> bool:
        end = pages * PAGE_SIZE
        return _aux(_look(images.add(probe_programs.with_low_hole(end, loader))), AuxType.AT_BASE) < end

    return (_smallest(fits, 2, _LOW_HOLE // PAGE_SIZE) - 1) * PAGE_SIZE


def _smallest(fits: Callable[[int], bool], low: int, high: int) -> int:
    """Return the smallest number from `low` to `high` that fits; `high` is not tried."""
    while low < high:
        middle = (low + high) // 2
        if fits(middle):
            high = middle
        else:
            low = middle + 1
    return high


def _probe_exec_rules(images: Images, here: _Look) -> ExecRules:
    headers = _try(images.add(probe_programs.long_program_headers()))
    alignment = probe_programs.UNUSUAL_ALIGNMENT
    aligned = _look(images.add(probe_programs.position_independent(alignment=alignment)))
    early = _look(images.add(probe_programs.early_bss()))
    interpreter = images.add(probe_programs.interpreter_with_early_bss())
    led = _look(images.add(probe_programs.interpreted(interpreter)))
    bss = _anonymous_at(here, probe_programs.DATA + PAGE_SIZE)
    return ExecRules(
        program_bss_by_segment=_anonymous_at(early, probe_programs.DATA + PAGE_SIZE) is not None,
        interpreter_bss_by_segment=_anonymous_at(led, _aux(led, AuxType.AT_BASE) + 2 * PAGE_SIZE) is not None,
        unclearable_tail=_probe_unclearable_tail(images),
        # Source: fs/binfmt_elf.c:load_elf_phdrs(). The one limit there was before is ELF_MIN_ALIGN.
        program_headers_limit=65536 if isinstance(headers, _Look) else PAGE_SIZE,
        heap_label_touches=bss is not None and bss.name == "[heap]",
        refuses_open_for_writing=not isinstance(_try(images.add_open_for_writing()), _Look),
        static_pie_aligned=_program_base(aligned) % alignment == 0,
        runs_x32=_runs(images.add(probe_programs.x32())),
    )


def _probe_unclearable_tail(images: Images) -> UnclearableTail:
    if not isinstance(_try(images.add(probe_programs.tail(writable=False))), _Look):
        return UnclearableTail.KILLS
    if not isinstance(_try(images.add(probe_programs.tail(writable=True))), _Look):
        return UnclearableTail.KILLS_IF_WRITABLE
    return UnclearableTail.IGNORED


def _anonymous_at(look: _Look, start: int) -> Vma | None:
    return next(
        (v for v in look.snapshot.vmas or () if v.start == start and isinstance(v.backing, Anonymous)), None
    )


def _geometry(snapshot: Snapshot, word_bytes: int) -> PageTableGeometry:
    """Return the geometry whose table count explains VmPTE; a 64-bit kernel has but one.

    Five levels count like four: the fifth is not part of VmPTE (mm/memory.c:__p4d_alloc()).
    """
    possible = [geometry for geometry in GEOMETRIES if (geometry.name == "x86-64") == (word_bytes == _LONG)]
    for geometry in possible:
        shifts = [sum(geometry.index_bits[level:]) for level in range(1, len(geometry.index_bits))]
        tables = sum(len({page.vpn >> shift for page in snapshot.pages or ()}) for shift in shifts)
        if tables * PAGE_SIZE == snapshot.page_table_bytes:
            return geometry
    if snapshot.pages is None and len(possible) == 1:
        return possible[0]
    raise CannotObserve(
        f"the page tables have a shape not known here (VmPTE: {snapshot.page_table_bytes} bytes)",
        help="see `inspector doctor`: may /proc/PID/pagemap be read?",
    )


__all__ = ["GEOMETRIES", "boot_id", "probe_profile"]
