"""Filling the MachineProfile: tiny programs of our own are stopped at exec and looked at.

Whatever varies between kernels is read off here and never keyed on a version. Five programs are run,
none of which executes an instruction: a fixed one in each layout, one with a large stack limit, one
that is its own loader, and one that names it as interpreter.
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
from inspector.model.prediction import Outcome
from inspector.model.profile import (
    AuxConstant,
    LayoutProfile,
    MachineProfile,
    PageTableGeometry,
    SpecialArea,
)
from inspector.model.program import BASE_ENVIRONMENT, Layout, Limits, Program
from inspector.model.vma import Special
from inspector.observe.credentials import current_credentials
from inspector.observe.launch import anonymous_executable, launch
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.snapshot import take_snapshot
from inspector.observe.tiny_elf import ET_DYN, Assembler, Segment, link

if TYPE_CHECKING:
    from inspector.model.registers import Registers
    from inspector.model.snapshot import Snapshot

GEOMETRIES = (
    PageTableGeometry("x86-64", (9, 9, 9, 9), 8),
    PageTableGeometry("i386 PAE", (2, 9, 9), 8),
    PageTableGeometry("i386", (10, 10), 4),
)
"""What VmPTE is tried against, the top level never counted."""

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

_FIXED_BASE = 0x08048000
_DATA = 0x40000000
_BIG_STACK = 256 << 20
_LOW_HOLE = 2 << 20
_FILLED_END = 0xFF000000
"""Above it remains room for a vdso, below the stack."""
_DEFAULT_GUARD_GAP = 256 * PAGE_SIZE


@dataclass(frozen=True, slots=True)
class _Look:
    """One probe program at exec."""

    path: str
    snapshot: Snapshot
    registers: Registers
    stack: bytes
    vdso: bytes


def probe_profile() -> MachineProfile:
    """Probe this machine. Takes some milliseconds; raises CannotObserve or LaunchFailed."""
    with closing(_Images()) as images:
        fixed = images.add(_fixed_program())
        own_loader = images.add(_position_independent())
        interpreted = images.add(_with_interpreter(own_loader))
        looks = {layout: _look(fixed, layout) for layout in Layout}
        here = looks[Layout.DEFAULT]
        runs_itself = _look(own_loader, Layout.DEFAULT)
        layouts = {
            layout.value: LayoutProfile(
                task_size=_stack_end(look),
                et_dyn_base=_program_base(_look(interpreted, layout)),
                bottom_up=_is_bottom_up(look),
            )
            for layout, look in looks.items()
        }
        guard_gap = _probe_guard_gap(fixed)
        floor = _probe_mmap_floor(images, looks[Layout.DEFAULT])
    specials = [vma for vma in here.snapshot.vmas or () if isinstance(vma.backing, Special)]
    base = layouts[Layout.DEFAULT.value].et_dyn_base
    return MachineProfile(
        kernel=os.uname().release,
        machine=os.uname().machine,
        boot_id=boot_id(),
        page_size=PAGE_SIZE,
        layouts=layouts,
        special_areas=tuple(SpecialArea(v.name, v.range.size_bytes // PAGE_SIZE, v.perms) for v in specials),
        vdso=here.vdso,
        vdso_sysenter_offset=_aux(here, AuxType.AT_SYSINFO) - _aux(here, AuxType.AT_SYSINFO_EHDR),
        auxv=_auxv_template(looks[Layout.DEFAULT], looks[Layout.THREE_GB]),
        platform=_string_at(here, _aux(here, AuxType.AT_PLATFORM)),
        entry_registers=replace(here.registers, eip=0, esp=0),
        kernel_word_bytes=_stack_end(here) - _aux(here, AuxType.AT_EXECFN) - len(os.fsencode(here.path)) - 1,
        stack_guard_gap=guard_gap,
        page_tables=_geometry(here.snapshot),
        mmap_floor=floor,
        mmap_min_addr=int(Path("/proc/sys/vm/mmap_min_addr").read_text(encoding="ascii")),
        ram_bytes=os.sysconf("SC_PHYS_PAGES") * PAGE_SIZE,
        static_pie_moves_brk=runs_itself.snapshot.brk == base,
    )


def boot_id() -> str:
    """Return the kernel's name for this boot; a profile is taken once for each."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class _Images:
    """Probe programs in memory, reachable by a path as long as this is open."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []

    def add(self, contents: bytes) -> str:
        self._descriptors.append(anonymous_executable(contents))
        return f"/proc/{os.getpid()}/fd/{self._descriptors[-1]}"

    def close(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)


def _fixed_program() -> bytes:
    asm = Assembler(_FIXED_BASE)
    asm.exit(0)
    # A cleared tail far from code and stack: its page tables tell the geometries apart.
    return link(asm, entry=asm.start, segments=(Segment(_DATA, memsz=2 * PAGE_SIZE, filesz=64),))


def _position_independent() -> bytes:
    asm = Assembler(0)
    asm.exit(0)
    return link(asm, entry=asm.start, elf_type=ET_DYN)


def _with_interpreter(interpreter: str) -> bytes:
    asm = Assembler(0)
    asm.exit(0)
    name = os.fsencode(interpreter) + b"\0"
    at = asm.data(name)
    return link(asm, entry=asm.start, elf_type=ET_DYN, interpreter=(at, len(name)))


def _look(path: str, layout: Layout, limits: Limits | None = None) -> _Look:
    program = Program(
        path=path,
        argv=("probe",),
        envp=BASE_ENVIRONMENT,
        requested=path,
        credentials=current_credentials(),
        cwd="/",
        limits=limits or Limits(),
        layout=layout,
    )
    with launch(program) as launched:
        if launched.verdict.outcome is not Outcome.RUNS:
            raise CannotObserve(
                f"the probe program did not start ({launched.verdict})", help="see `inspector doctor`"
            )
        registers = launched.registers()
        snapshot, _ = take_snapshot(launched.pid, "exec", baseline=launched.baseline, registers=registers)
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


def _stack_end(look: _Look) -> VirtAddr:
    return next(vma.end for vma in look.snapshot.vmas or () if vma.name == "[stack]")


def _mmap_end(look: _Look) -> VirtAddr:
    return max(vma.end for vma in look.snapshot.vmas or () if isinstance(vma.backing, Special))


def _is_bottom_up(look: _Look) -> bool:
    return _mmap_end(look) < _stack_end(look) // 2


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


def _probe_guard_gap(path: str) -> int:
    """Return the kernel's stack_guard_gap: what mmap_base() adds to a stack limit above its minimum."""
    try:
        look = _look(path, Layout.DEFAULT, Limits(stack=_BIG_STACK))
    except CannotObserve:
        # The hard limit is too low, so this session can start no program for which it would matter.
        return _DEFAULT_GUARD_GAP
    if _is_bottom_up(look):
        return _DEFAULT_GUARD_GAP
    return _stack_end(look) - _BIG_STACK - _mmap_end(look)


def _probe_mmap_floor(images: _Images, here: _Look) -> int:
    """Return the lowest address the kernel maps at by itself.

    A program that fills the task but for a hole at its lower end gets its vdso there if it fits above the
    floor, and elsewhere if not; the smallest hole that takes it tells the floor.
    """
    needed = sum(vma.range.size_bytes for vma in here.snapshot.vmas or () if isinstance(vma.backing, Special))
    low, high = needed // PAGE_SIZE, _LOW_HOLE // PAGE_SIZE
    while low < high:
        middle = (low + high) // 2
        look = _look(images.add(_filling_program(middle * PAGE_SIZE)), Layout.DEFAULT)
        if _mmap_end(look) <= middle * PAGE_SIZE:
            high = middle
        else:
            low = middle + 1
    return high * PAGE_SIZE - needed


def _filling_program(start: int) -> bytes:
    """Return a program that leaves free what lies below `start`, and what lies above _FILLED_END."""
    asm = Assembler(_FILLED_END)
    asm.exit(0)
    filling = Segment(start, memsz=_FILLED_END - start, filesz=_FILLED_END - start, writable=False)
    return link(asm, entry=asm.start, segments=(filling,))


def _geometry(snapshot: Snapshot) -> PageTableGeometry:
    """Return the geometry whose table count explains VmPTE."""
    pages = [page.vpn for page in snapshot.pages or ()]
    for geometry in GEOMETRIES:
        shifts = [sum(geometry.index_bits[level:]) for level in range(1, len(geometry.index_bits))]
        tables = sum(len({vpn >> shift for vpn in pages}) for shift in shifts)
        if tables * PAGE_SIZE == snapshot.page_table_bytes:
            return geometry
    return GEOMETRIES[0]


__all__ = ["GEOMETRIES", "boot_id", "probe_profile"]
