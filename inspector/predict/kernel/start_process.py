"""The process that execve starts once a handler has taken the program: past the point of no return.

Address space, stack, segments, the kernel's own areas, tables, registers: load_elf_binary() from
begin_new_exec() to START_THREAD(), where the first instruction is up.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SIZE, AddressRange, VirtAddr, page_down
from inspector.model.auxv import AuxType
from inspector.model.program import CAP_SYS_RAWIO
from inspector.model.vma import Access, Anonymous, Sharing, Special, Vma, VmFlag
from inspector.predict.kernel import binfmt_elf
from inspector.predict.kernel.commit import CommitPolicy
from inspector.predict.kernel.elf_tables import reserve_tables, write_tables
from inspector.predict.kernel.errno import KernelError
from inspector.predict.kernel.fault import fault_in_pages
from inspector.predict.kernel.files import standard_files
from inspector.predict.kernel.layout import initial_stack_start, native_layout
from inspector.predict.kernel.mm import AddressSpace
from inspector.predict.kernel.rlimit import MemoryLimits
from inspector.predict.kernel.stack import create_elf_tables
from inspector.predict.kernel.task import COMM_BYTES, Task
from inspector.predict.kernel.uaccess import copy_to_user
from inspector.predict.kernel.unmapped_area import UnmappedAreaInfo
from inspector.predict.kernel.vma import VmArea
from inspector.predict.machine.pagetable import PageTables

if TYPE_CHECKING:
    from inspector.model.profile import GateArea, MachineProfile, RandomBases, SpecialArea
    from inspector.model.program import Program
    from inspector.model.registers import Registers
    from inspector.model.snapshot import Snapshot, StackImage
    from inspector.predict.kernel.binfmt_elf import LoadedElf
    from inspector.predict.kernel.bprm import ArgumentPages
    from inspector.predict.kernel.elf_checks import ElfProgram
    from inspector.predict.kernel.kernel import Kernel
    from inspector.predict.kernel.layout import AddressLayout
    from inspector.predict.kernel.stack import StackTables, Strings


@dataclass(frozen=True, slots=True)
class Process:
    """A process that execve has just started: its task, and what its first instruction finds."""

    task: Task
    registers: Registers
    stack: StackImage
    bias: int
    """What was added to the addresses of the program's file."""

    def snapshot(self) -> Snapshot:
        """Return the process as it stands, before its first instruction."""
        return self.task.snapshot("exec", self.registers, self.stack)


@dataclass(frozen=True, slots=True)
class NativeProcess:
    """A 64-bit process that execve has just started: its address space, and no more than that."""

    task: Task
    gate_area: GateArea | None

    def snapshot(self) -> Snapshot:
        """Return its areas and pages, before its first instruction."""
        found = replace(self.task.snapshot("exec", None), auxv=None)
        if self.gate_area is None:
            return found
        gate, start = self.gate_area, self.gate_area.start
        span = AddressRange(start, VirtAddr(start + gate.pages * PAGE_SIZE))
        vma = Vma(span, _access(gate.perms), Sharing.PRIVATE, Special(gate.name), VmFlag.NONE)
        return replace(found, vmas=(*(found.vmas or ()), vma))


def start_process(
    elf_program: ElfProgram,
    program: Program,
    kernel: Kernel,
    layout: AddressLayout,
    bases: RandomBases | None,
    strings: Strings,
) -> Process:
    """Start an i386 program. Raises KernelError, NotModelled. Source: fs/binfmt_elf.c:load_elf_binary()."""
    profile = kernel.profile
    task = _new_task(elf_program, program, kernel, layout)
    loaded, vdso = _load(task, elf_program, layout, bases, strings)
    mm = task.mm
    mm.vdso, mm.data_segment_bytes = vdso, loaded.data_bytes
    tables = _create_elf_tables(strings, layout, program, profile, loaded, vdso)
    stack = write_tables(task, tables, strings, layout.stack_top)
    moved = layout.et_dyn_base if profile.static_pie_moves_brk else None
    mm.set_start_brk(bases.brk if bases is not None else _start_brk(elf_program, loaded, moved))
    task.auxv = tables.auxv
    registers = replace(profile.entry_registers, eip=loaded.entry, esp=tables.image.sp)
    bias = loaded.program_entry - elf_program.main.header.entry
    return Process(task, registers, stack, bias)


def start_native_process(
    elf_program: ElfProgram,
    program: Program,
    kernel: Kernel,
    bases: RandomBases | None,
    arguments: ArgumentPages,
) -> NativeProcess:
    """Start a 64-bit program, as far as its address space goes."""
    native = kernel.profile.native
    if bases is not None:
        raise NotModelled("64-bit program's address space under ASLR", help="leave out --aslr")
    if native is None:
        raise NotModelled(
            "64-bit program's address space",
            help="its profile tells nothing of it: make one where 64-bit programs run",
        )
    layout = native_layout(program, kernel.profile, native)
    strings = arguments.strings(layout.stack_top)
    task = _new_task(elf_program, program, kernel, layout)
    loaded, _ = _load(task, elf_program, layout, None, strings)
    reserve_tables(task, strings, native, layout.stack_top)
    task.mm.set_start_brk(_start_brk(elf_program, loaded, native.moved_brk))
    return NativeProcess(task, native.gate_area)


def _new_task(elf_program: ElfProgram, program: Program, kernel: Kernel, layout: AddressLayout) -> Task:
    profile = kernel.profile
    mm = AddressSpace(
        search=UnmappedAreaInfo(
            task_size=layout.task_size,
            mmap_base=layout.mmap_base,
            legacy_base=layout.legacy_base,
            bottom_up=layout.bottom_up,
            stack_guard_gap=profile.stack_guard_gap,
            lowest_fixed=0 if program.credentials.capabilities & CAP_SYS_RAWIO else profile.mmap_min_addr,
            mmap_floor=profile.mmap_floor,
            hint_floor=profile.hint_floor,
        ),
        read_implies_exec=elf_program.read_implies_exec,
        page_tables=PageTables(profile.page_tables),
        memory=kernel.memory,
        page_cache=kernel.page_cache,
        fault_around_bytes=profile.fault_around_bytes,
        special_pages=kernel.special_pages,
        heap_label_touches=profile.exec_rules.heap_label_touches,
        anon_vma_merging=profile.anon_vma_merging,
        mprotect_uncharges=profile.mprotect_uncharges,
        commit=CommitPolicy(profile.overcommit_memory, profile.ram_bytes + profile.swap_bytes),
        limits=MemoryLimits.of(program.limits, profile.max_map_count),
    )
    task = Task(
        kernel,
        number=0,
        comm=os.fsencode(program.path.rpartition("/")[2])[:COMM_BYTES],
        mm=mm,
        limits=program.limits,
        credentials=program.credentials,
        cwd=program.cwd,
        executable=elf_program.main.file.resolved_path,
        files=standard_files(program, kernel),
        pid=kernel.first_pid,
        process_group=kernel.first_pid,
        session=kernel.first_pid,
    )
    kernel.tasks.append(task)
    return task


def _load(
    task: Task,
    elf_program: ElfProgram,
    layout: AddressLayout,
    bases: RandomBases | None,
    strings: Strings,
) -> tuple[LoadedElf, VirtAddr]:
    """Give `task` its stack, its segments and the kernel's areas; return what was loaded, and the vdso."""
    _setup_arg_pages(task, elf_program, layout, strings)
    loaded = binfmt_elf.load(
        task,
        elf_program,
        task.kernel.profile.exec_rules,
        et_dyn_base=layout.et_dyn_base,
        load_bias=bases.load_bias if bases is not None else None,
    )
    return loaded, _map_vdso(task.mm, layout.special_areas)


def _setup_arg_pages(task: Task, elf_program: ElfProgram, layout: AddressLayout, strings: Strings) -> None:
    """Give the new address space its stack, the strings on it. Source: fs/exec.c:setup_arg_pages().

    Rules `vma.stack` and `fault.argument-pages`.
    """
    mm = task.mm
    access = Access.READ | Access.WRITE
    if elf_program.executable_stack or mm.read_implies_exec:
        access |= Access.EXECUTE
    start = initial_stack_start(layout.stack_top, strings.lowest, task.limits.stack)
    area = AddressRange(start, layout.stack_top)
    # So far it has the pages of the strings; these were not refused.
    if start < page_down(strings.lowest):
        mm.limits.require(mm.areas, area.size_bytes, is_data=False)
    mm.insert(Vma(area, access, Sharing.PRIVATE, Anonymous(), VmFlag.GROWSDOWN | VmFlag.ACCOUNT))
    mm.start_stack = strings.start
    fault_in_pages(task, strings.lowest, layout.stack_top - strings.lowest, Access.WRITE)
    for address, contents in strings.written:
        copy_to_user(task, address, contents)


def _map_vdso(mm: AddressSpace, areas: tuple[SpecialArea, ...]) -> VirtAddr:
    """Place the kernel's own areas back to back; return where the vdso's image starts (rule `vma.vdso`)."""
    sizes = [area.pages << 12 for area in areas]
    try:
        position = mm.get_unmapped_area(VirtAddr(0), sum(sizes))
    except KernelError as error:
        raise KernelError(error.errno, "exec.no-room-for-vdso") from error
    vdso = VirtAddr(0)
    for area, size in zip(areas, sizes, strict=True):
        access = _access(area.perms)
        span = AddressRange(position, VirtAddr(position + size))
        origin, page = Special(area.name), span.start // PAGE_SIZE
        mm.add(VmArea(span, access, VmFlag.NONE, origin, page, mixedmap=area.mixedmap))
        if area.name == "[vdso]":
            vdso = span.start
        position = span.end
    return vdso


def _access(perms: str) -> Access:
    access = Access.NONE
    for letter, flag in (("r", Access.READ), ("w", Access.WRITE), ("x", Access.EXECUTE)):
        if letter in perms:
            access |= flag
    return access


def _create_elf_tables(
    strings: Strings,
    layout: AddressLayout,
    program: Program,
    profile: MachineProfile,
    loaded: LoadedElf,
    vdso: VirtAddr,
) -> StackTables:
    credentials = program.credentials
    values: dict[int, int] = {
        AuxType.AT_SYSINFO: vdso + profile.vdso_sysenter_offset,
        AuxType.AT_SYSINFO_EHDR: vdso,
        AuxType.AT_PHDR: loaded.phdr,
        AuxType.AT_PHNUM: loaded.phnum,
        AuxType.AT_BASE: loaded.interpreter_base,
        AuxType.AT_ENTRY: loaded.program_entry,
        AuxType.AT_UID: credentials.uid,
        AuxType.AT_EUID: credentials.euid,
        AuxType.AT_GID: credentials.gid,
        AuxType.AT_EGID: credentials.egid,
    }
    return create_elf_tables(
        strings, top=layout.stack_top, padding=layout.stack_padding, profile=profile, values=values
    )


def _start_brk(elf_program: ElfProgram, loaded: LoadedElf, moved: VirtAddr | None) -> VirtAddr:
    """Return where the heap starts, ASLR off; `moved` is for a loader run directly (rule `layout.brk`)."""
    runs_itself = elf_program.is_position_independent and elf_program.interpreter is None
    return moved if runs_itself and moved is not None else loaded.brk
