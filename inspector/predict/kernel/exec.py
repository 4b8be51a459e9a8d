"""execve, from the path to the first instruction.

The order is the kernel's: open the file, copy the strings, ask the handlers by the file's first
bytes. A handler's refusal is an errno as long as the old program still exists; past
fs/exec.c:begin_new_exec() every failure is SIGSEGV.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inspector.elf.header import ELF_MAGIC
from inspector.errors import NotModelled
from inspector.model.address import AddressRange, VirtAddr
from inspector.model.auxv import AuxType
from inspector.model.prediction import ExecVerdict, Outcome
from inspector.model.program import CAP_SYS_RAWIO
from inspector.model.vma import Access, Anonymous, Sharing, Special, Vma, VmFlag
from inspector.predict.kernel import binfmt_elf
from inspector.predict.kernel.binfmt_misc import search_binfmt_handler
from inspector.predict.kernel.commit import CommitPolicy
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.fault import fault_in_pages
from inspector.predict.kernel.files import standard_files
from inspector.predict.kernel.layout import address_layout, initial_stack_start
from inspector.predict.kernel.mm import AddressSpace
from inspector.predict.kernel.namei import open_exec
from inspector.predict.kernel.stack import RANDOM_BYTES, copy_strings, create_elf_tables
from inspector.predict.kernel.task import COMM_BYTES, Task
from inspector.predict.kernel.uaccess import copy_to_user
from inspector.predict.machine.pagetable import PageTables

if TYPE_CHECKING:
    from inspector.elf.file import ExecutableFile
    from inspector.model.prediction import FileIdentity
    from inspector.model.profile import MachineProfile, RandomBases
    from inspector.model.program import Program
    from inspector.model.registers import Registers
    from inspector.model.snapshot import Snapshot, StackImage
    from inspector.predict.kernel.binfmt_elf import ElfProgram, LoadedElf
    from inspector.predict.kernel.kernel import Kernel
    from inspector.predict.kernel.layout import AddressLayout
    from inspector.predict.kernel.stack import StackTables, Strings

_SETID_BITS = 0o6000
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
class ExecResult:
    """What execve did: a verdict, the files it read, and the process if there is one."""

    verdict: ExecVerdict
    files: tuple[FileIdentity, ...] = ()
    process: Process | None = None


def execve(program: Program, kernel: Kernel, bases: RandomBases | None = None) -> ExecResult:
    """Run execve for `program` in a process of its own.

    Raises NotModelled where the kernel's answer depends on something the simulator does not know.
    """
    opened = kernel.host_files
    try:
        return _execve(program, kernel, bases, opened)
    except KernelError as refusal:
        verdict = ExecVerdict(Outcome.REFUSED, errno=refusal.errno.value, rule=refusal.rule)
        return ExecResult(verdict, tuple(file.identity_if_small for file in opened))


def _execve(
    program: Program, kernel: Kernel, bases: RandomBases | None, opened: list[ExecutableFile]
) -> ExecResult:
    profile = kernel.profile
    file = open_exec(program.path, program.cwd, program.credentials, profile.exec_rules)
    opened.append(file)
    layout = address_layout(program, profile, bases)
    strings = copy_strings(program, layout.stack_top, profile.kernel_word_bytes)

    handler = search_binfmt_handler(profile.binfmt_misc, file, program.path)
    if handler is not None:
        raise NotModelled(
            f"handler {handler.name!r} of binfmt_misc",
            help=f"disable it to see the kernel's own: echo 0 > /proc/sys/fs/binfmt_misc/{handler.name}",
        )
    magic = file.read(0, 4)
    if magic[:2] == b"#!":
        raise NotModelled(
            "script with an interpreter line",
            help="give the interpreter as the program and the script as its argument",
        )
    if magic != ELF_MAGIC:
        raise KernelError(Errno.ENOEXEC, "exec.no-handler")
    if not file.is_on_nosuid_mount:
        if file.stat.st_mode & _SETID_BITS:
            raise NotModelled(
                "set-user-ID or set-group-ID program",
                help="run a copy of it: the bits are not copied to the staged program",
            )
        if file.attribute(_CAPABILITY) is not None:
            raise NotModelled(
                "program with file capabilities",
                help="run a copy of it: capabilities are not copied to the staged program",
            )
    elf_program = binfmt_elf.check(file, program, profile.exec_rules)
    if elf_program.interpreter is not None:
        opened.append(elf_program.interpreter.file)

    # fs/exec.c:begin_new_exec(): from here on there is no program to return an errno to.
    try:
        process = _start(elf_program, program, kernel, layout, bases, strings)
    except KernelError as failure:
        verdict = ExecVerdict(Outcome.KILLED, signal="SIGSEGV", rule=failure.rule)
        return ExecResult(verdict, tuple(each.identity_if_small for each in opened))
    verdict = ExecVerdict(Outcome.RUNS, rule="exec.runs")
    return ExecResult(verdict, tuple(each.identity for each in opened), process)


def _start(
    elf_program: ElfProgram,
    program: Program,
    kernel: Kernel,
    layout: AddressLayout,
    bases: RandomBases | None,
    strings: Strings,
) -> Process:
    profile = kernel.profile
    mm = AddressSpace(
        task_size=layout.task_size,
        mmap_base=layout.mmap_base,
        legacy_base=layout.legacy_base,
        bottom_up=layout.bottom_up,
        stack_guard_gap=profile.stack_guard_gap,
        lowest_fixed=0 if program.credentials.capabilities & CAP_SYS_RAWIO else profile.mmap_min_addr,
        mmap_floor=profile.mmap_floor,
        hint_floor=profile.hint_floor,
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
    _setup_arg_pages(task, elf_program, layout, strings)
    loaded = binfmt_elf.load(
        task,
        elf_program,
        profile.exec_rules,
        et_dyn_base=layout.et_dyn_base,
        load_bias=bases.load_bias if bases is not None else None,
    )
    vdso = mm.vdso = _map_vdso(mm, profile)
    tables = _create_elf_tables(strings, layout, program, profile, loaded, vdso)
    _write_tables(task, tables)
    mm.start_brk = _start_brk(elf_program, loaded, layout, profile, bases)
    mm.set_brk(mm.start_brk)
    task.auxv = tables.auxv
    registers = replace(profile.entry_registers, eip=loaded.entry, esp=tables.image.sp)
    bias = loaded.program_entry - elf_program.main.header.entry
    return Process(task, registers, tables.image, bias)


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
    mm.insert(Vma(area, access, Sharing.PRIVATE, Anonymous(), VmFlag.GROWSDOWN | VmFlag.ACCOUNT))
    mm.start_stack = strings.lowest
    fault_in_pages(task, strings.lowest, layout.stack_top - strings.lowest, Access.WRITE)
    for address, contents in strings.contents.items():
        copy_to_user(task, address, contents)


def _map_vdso(mm: AddressSpace, profile: MachineProfile) -> VirtAddr:
    """Place the kernel's own areas back to back; return where the vdso's image starts (rule `vma.vdso`)."""
    sizes = [area.pages << 12 for area in profile.special_areas]
    position = mm.get_unmapped_area(VirtAddr(0), sum(sizes))
    vdso = VirtAddr(0)
    for area, size in zip(profile.special_areas, sizes, strict=True):
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


def _write_tables(task: Task, tables: StackTables) -> None:
    """Write the tables to the stack, which may have to grow for them."""
    mm, sp = task.mm, tables.image.sp
    # The kernel would read the strings' lengths from whatever has been mapped over them by now.
    if any(area.end > sp and not area.grows_down for area in mm.areas):
        raise NotModelled("segment mapped over the initial stack")
    if mm.expand_stack(sp, task.limits.stack) is None:
        raise KernelError(Errno.EFAULT)
    for start, contents in tables.written(task.kernel.random_bytes(RANDOM_BYTES)):
        copy_to_user(task, start, contents)
    mm.start_stack = sp


def _start_brk(
    elf_program: ElfProgram,
    loaded: LoadedElf,
    layout: AddressLayout,
    profile: MachineProfile,
    bases: RandomBases | None,
) -> VirtAddr:
    """Return where the heap starts (rule `layout.brk`)."""
    if bases is not None:
        return bases.brk
    runs_itself = elf_program.is_position_independent and elf_program.interpreter is None
    return layout.et_dyn_base if runs_itself and profile.static_pie_moves_brk else loaded.brk
