"""execve, from the path to the first instruction.

The order is the kernel's: open the file, copy the strings, ask the handlers about the file's first bytes,
and about those of the interpreter that a script names. A handler's refusal is an
errno as long as the old program still exists; past fs/exec.c:begin_new_exec() every failure is SIGSEGV.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inspector.elf.header import ELF32, ELF64, EM_X86_64
from inspector.elf.script import BINPRM_BUF_SIZE, MAX_REWRITES
from inspector.errors import NotModelled
from inspector.model.address import PAGE_SIZE, AddressRange, VirtAddr, page_down
from inspector.model.auxv import AuxType
from inspector.model.prediction import ExecVerdict, Outcome
from inspector.model.program import CAP_SYS_RAWIO
from inspector.model.vma import Access, Anonymous, Sharing, Special, Vma, VmFlag
from inspector.predict.kernel import binfmt_elf, elf_checks
from inspector.predict.kernel.binfmt_misc import search_binfmt_handler
from inspector.predict.kernel.binfmt_script import load_script
from inspector.predict.kernel.bprm import ArgumentPages, LinuxBinprm
from inspector.predict.kernel.commit import CommitPolicy
from inspector.predict.kernel.elf_checks import ElfProgram
from inspector.predict.kernel.elf_tables import reserve_tables, write_tables
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.fault import fault_in_pages
from inspector.predict.kernel.files import standard_files
from inspector.predict.kernel.layout import address_layout, initial_stack_start, native_layout
from inspector.predict.kernel.mm import AddressSpace
from inspector.predict.kernel.rlimit import MemoryLimits
from inspector.predict.kernel.stack import create_elf_tables
from inspector.predict.kernel.task import COMM_BYTES, Task
from inspector.predict.kernel.uaccess import copy_to_user
from inspector.predict.kernel.unmapped_area import UnmappedAreaInfo
from inspector.predict.machine.pagetable import PageTables

if TYPE_CHECKING:
    from inspector.elf.file import ExecutableFile
    from inspector.model.prediction import FileIdentity, ScriptChain
    from inspector.model.profile import GateArea, MachineProfile, RandomBases, SpecialArea
    from inspector.model.program import Program
    from inspector.model.registers import Registers
    from inspector.model.snapshot import Snapshot, StackImage
    from inspector.predict.kernel.binfmt_elf import LoadedElf
    from inspector.predict.kernel.kernel import Kernel
    from inspector.predict.kernel.layout import AddressLayout
    from inspector.predict.kernel.stack import StackTables, Strings

_CAPABILITY = "security.capability"


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


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What execve did: a verdict, the files it read, and the process if there is one."""

    verdict: ExecVerdict | None
    """None: it depends on `not_modelled`."""
    files: tuple[FileIdentity, ...] = ()
    """In the order in which they are opened: scripts, the program, the interpreter that PT_INTERP names."""
    script: ScriptChain | None = None
    process: Process | NativeProcess | None = None
    executable: str | None = None
    """The path of the program that runs, a script's last interpreter; None without a process."""
    not_modelled: NotModelled | None = None


def execve(program: Program, kernel: Kernel, bases: RandomBases | None = None) -> ExecResult:
    """Run execve for `program` in a process of its own.

    Source: fs/exec.c:do_execveat_common().
    """
    opened = kernel.host_files
    profile = kernel.profile
    bprm = LinuxBinprm(program, profile, opened, kernel.shared_descriptors)
    elf_program = limit = None
    process: Process | NativeProcess | None = None
    try:
        bprm.file = bprm.open_exec(program.path)
        layout = address_layout(program, profile, bases)
        bprm.arguments = ArgumentPages(program, layout.stack_top, profile.kernel_word_bytes)
        elf_program = exec_binprm(bprm)
        begin_new_exec(elf_program)
        if elf_program.layout is ELF64:
            process = _start_native(elf_program, program, kernel, bases, bprm.arguments)
        else:
            process = _start(elf_program, program, kernel, layout, bases, bprm.arguments.strings())
        verdict: ExecVerdict | None = ExecVerdict(Outcome.RUNS, rule="exec.runs")
    except KernelError as failure:
        # From fs/exec.c:begin_new_exec() on there is no program to return an errno to.
        verdict = (
            ExecVerdict(Outcome.REFUSED, errno=failure.errno.value, rule=failure.rule)
            if elf_program is None
            else ExecVerdict(Outcome.KILLED, signal="SIGSEGV", rule=failure.rule)
        )
    except NotModelled as error:
        verdict, limit = None, error
    return ExecResult(
        verdict,
        files=tuple(each.identity if process is not None else each.identity_if_small for each in opened),
        script=bprm.script,
        process=process,
        executable=elf_program.main.file.path if process is not None and elf_program is not None else None,
        not_modelled=limit,
    )


def exec_binprm(bprm: LinuxBinprm) -> ElfProgram:
    """Ask the handlers about one file after the other, until one of them takes a program.

    Raises KernelError for what no one takes, NotModelled. Source: fs/exec.c:exec_binprm().
    """
    for _ in range(1 + MAX_REWRITES):
        found = search_binary_handler(bprm)
        if isinstance(found, ElfProgram):
            return found
        bprm.file = found
    raise KernelError(Errno.ELOOP, "script.nesting")


def search_binary_handler(bprm: LinuxBinprm) -> ExecutableFile | ElfProgram:
    """Return the program in the file, or the file to go on with.

    The handlers are asked in the kernel's order: binfmt_misc, which registers itself first; then scripts and
    ELF, as they are linked (fs/Makefile). Rule `exec.no-handler`. Source: fs/exec.c:search_binary_handler().
    """
    buffer = bprm.file.read(0, BINPRM_BUF_SIZE).ljust(BINPRM_BUF_SIZE, b"\0")
    registered = search_binfmt_handler(bprm.profile.binfmt_misc, buffer, os.fsdecode(bprm.interp))
    if registered is not None:
        raise NotModelled(
            f"handler {registered.name!r} of binfmt_misc",
            help=f"disable it to see the kernel's own: echo 0 > /proc/sys/fs/binfmt_misc/{registered.name}",
        )
    reason = None
    for load_binary in (load_script, elf_checks.check):
        try:
            return load_binary(bprm, buffer)
        except KernelError as refusal:
            if refusal.errno is not Errno.ENOEXEC:
                raise
            reason = reason or refusal.rule
    raise KernelError(Errno.ENOEXEC, reason or "exec.no-handler")


def begin_new_exec(elf_program: ElfProgram) -> None:
    """Look at what the file says of the new program's rights, the last thing before the point of no return.

    Of a script it is the interpreter's file that is asked. Source: fs/exec.c:bprm_creds_from_file().
    """
    file = elf_program.main.file
    if not file.is_on_nosuid_mount:
        if _sets_id(file.stat.st_mode):
            raise NotModelled(
                "set-user-ID or set-group-ID program",
                help="run a copy of it: the bits are not copied to the staged program",
            )
        if file.attribute(_CAPABILITY) is not None:
            raise NotModelled(
                "program with file capabilities",
                help="run a copy of it: capabilities are not copied to the staged program",
            )
    files = filter(None, (elf_program.main, elf_program.interpreter))
    if elf_program.layout is ELF32 and any(each.header.machine == EM_X86_64 for each in files):
        raise NotModelled(
            "x32 program's address space", help="inspector predicts i386 programs; compile with -m32"
        )


def _sets_id(mode: int) -> bool:
    """Whether a program of `mode` runs with its owner's or group's rights.

    The group's bit counts only together with its x bit; alone, it once meant mandatory locking. Source:
    fs/exec.c:bprm_fill_uid().
    """
    both = stat.S_ISGID | stat.S_IXGRP
    return bool(mode & stat.S_ISUID) or mode & both == both


def _start(
    elf_program: ElfProgram,
    program: Program,
    kernel: Kernel,
    layout: AddressLayout,
    bases: RandomBases | None,
    strings: Strings,
) -> Process:
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


def _start_native(
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
        limits=MemoryLimits.of(program.limits),
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
        mm.insert(Vma(span, access, Sharing.PRIVATE, Special(area.name), VmFlag.NONE))
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
