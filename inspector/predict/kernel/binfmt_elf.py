"""The ELF handler: an i386 program on its way into an address space.

The functions carry the names of fs/binfmt_elf.c and its checks stand in the kernel's own order. What
fails before `begin_new_exec` is an errno; what fails after it kills the process, for the old program
is gone by then.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.elf import header as elf
from inspector.errors import NotModelled
from inspector.model.address import PAGE_SIZE, VirtAddr, page_down, page_up
from inspector.predict.kernel.elf_bss import BssBySegment, WholeFileBss
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.namei import open_exec
from inspector.predict.kernel.vma import MappedFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.elf.file import ExecutableFile
    from inspector.elf.header import ElfHeader, ProgramHeader
    from inspector.model.profile import ExecRules
    from inspector.model.program import Program
    from inspector.predict.kernel.elf_bss import Bss
    from inspector.predict.kernel.mm import AddressSpace
    from inspector.predict.kernel.task import Task

_PATH_MAX = 4096
_SHORTEST_PATH = 2


@dataclass(frozen=True, slots=True)
class ElfFile:
    """An ELF file the kernel agreed to look at."""

    file: ExecutableFile
    header: ElfHeader
    segments: tuple[ProgramHeader, ...]

    @property
    def loads(self) -> tuple[ProgramHeader, ...]:
        """Its PT_LOADs in file order; the kernel does not sort them."""
        return tuple(segment for segment in self.segments if segment.type == elf.PT_LOAD)


@dataclass(frozen=True, slots=True)
class ElfProgram:
    """A program that passed every check before the point of no return."""

    main: ElfFile
    interpreter: ElfFile | None
    executable_stack: bool | None
    """PT_GNU_STACK's answer; None: the file has no PT_GNU_STACK."""

    @property
    def read_implies_exec(self) -> bool:
        """Rule `vma.read-implies-exec`."""
        return self.executable_stack is None

    @property
    def is_position_independent(self) -> bool:
        """Whether it may be loaded anywhere."""
        return self.main.header.type == elf.ET_DYN


@dataclass(frozen=True, slots=True)
class LoadedElf:
    """Where the parts of a program ended up."""

    entry: VirtAddr
    """Where the process starts: the interpreter's entry if there is one."""
    program_entry: VirtAddr
    phdr: VirtAddr
    phnum: int
    interpreter_base: VirtAddr
    brk: VirtAddr


def check(file: ExecutableFile, program: Program, rules: ExecRules) -> ElfProgram:
    """Look at a file whose first four bytes are the ELF magic; raise KernelError if it is refused.

    Raises NotModelled for a 64-bit program, which another handler takes.
    """
    header = elf.ElfHeader.parse(file.read(0, elf.EHDR_SIZE))
    if header.machine == elf.EM_X86_64 and header.type in (elf.ET_EXEC, elf.ET_DYN):
        raise NotModelled("64-bit program", help="inspector predicts i386 programs; compile with -m32")
    if header.type not in (elf.ET_EXEC, elf.ET_DYN):
        raise KernelError(Errno.ENOEXEC, "elf.type")
    if header.machine not in (elf.EM_386, elf.EM_486):
        raise KernelError(Errno.ENOEXEC, "elf.machine")
    main = ElfFile(file, header, load_elf_phdrs(file, header, rules.program_headers_limit))

    interpreter_file = _open_interpreter(main, program, rules)
    executable_stack: bool | None = None
    for segment in main.segments:
        if segment.type == elf.PT_GNU_STACK:
            executable_stack = bool(segment.flags & elf.PF_X)
    interpreter = None
    if interpreter_file is not None:
        interpreter_header = elf.ElfHeader.parse(interpreter_file.read(0, elf.EHDR_SIZE))
        known = interpreter_header.machine in (elf.EM_386, elf.EM_486)
        if interpreter_header.ident[:4] != elf.ELF_MAGIC or not known:
            raise KernelError(Errno.ELIBBAD, "elf.interpreter-bad")
        try:
            segments = load_elf_phdrs(interpreter_file, interpreter_header, rules.program_headers_limit)
        except KernelError as error:
            raise KernelError(Errno.ELIBBAD, "elf.interpreter-bad") from error
        interpreter = ElfFile(interpreter_file, interpreter_header, segments)
    return ElfProgram(main, interpreter, executable_stack)


def load_elf_phdrs(file: ExecutableFile, header: ElfHeader, limit: int) -> tuple[ProgramHeader, ...]:
    """Read the program headers, at most `limit` bytes; KernelError(ENOEXEC) if the kernel would not.

    Rule `elf.program-headers`.
    """
    size = header.phnum * elf.PHDR_SIZE
    if header.phentsize == elf.PHDR_SIZE and 0 < size <= limit:
        data = file.read(header.phoff, size)
        if len(data) == size:
            return elf.parse_program_headers(data)
    raise KernelError(Errno.ENOEXEC, "elf.program-headers")


def _open_interpreter(main: ElfFile, program: Program, rules: ExecRules) -> ExecutableFile | None:
    for segment in main.segments:
        if segment.type != elf.PT_INTERP:
            continue
        if not _SHORTEST_PATH <= segment.filesz <= _PATH_MAX:
            raise KernelError(Errno.ENOEXEC, "elf.interpreter-string")
        name = main.file.read(segment.offset, segment.filesz)
        if len(name) != segment.filesz:
            raise KernelError(Errno.EIO, "elf.interpreter-string")
        if name[-1] != 0:
            raise KernelError(Errno.ENOEXEC, "elf.interpreter-string")
        # An empty path, which a program cannot hand to execve, is the current directory to the kernel.
        path = os.fsdecode(name.split(b"\0", 1)[0]) or "."
        try:
            interpreter = open_exec(path, program.cwd, program.credentials, rules)
        except KernelError as error:
            raise KernelError(error.errno, "elf.interpreter-missing") from error
        if len(interpreter.read(0, elf.EHDR_SIZE)) < elf.EHDR_SIZE:
            raise KernelError(Errno.EIO, "elf.interpreter-bad")
        return interpreter
    return None


def load(
    task: Task,
    program: ElfProgram,
    rules: ExecRules,
    *,
    et_dyn_base: VirtAddr,
    load_bias: VirtAddr | None,
) -> LoadedElf:
    """Map program and interpreter. Any KernelError raised here kills the process.

    `load_bias` is ASLR's choice for a position-independent program with an interpreter, else None.
    Source: fs/binfmt_elf.c:load_elf_binary(), from the loop over PT_LOAD on.
    """
    main = program.main
    mapped = _mapped(main)
    bss = _bss(rules, by_segment=rules.program_bss_by_segment)
    bias = VirtAddr(0)
    phdr = 0
    highest = 0
    for number, segment in enumerate(main.loads):
        first_dyn = number == 0 and main.header.type == elf.ET_DYN
        noreplace, total_size = number == 0, 0
        bss.map_before_next(task, bias)
        if first_dyn:
            total_size = total_mapping_size(main.loads)
            bias, noreplace = _choose_bias(task, program, mapped, rules, et_dyn_base, load_bias, total_size)
        address = _wrapped(bias + segment.vaddr)
        at = elf_load(
            task,
            mapped,
            segment,
            address,
            bss,
            total_size=total_size,
            fixed=number > 0,
            noreplace=noreplace,
        )
        if first_dyn:
            bias = _wrapped(bias + at - page_down(address))
        if segment.offset <= main.header.phoff < segment.offset + segment.filesz:
            phdr = main.header.phoff - segment.offset + segment.vaddr
        _check_size(segment, segment.vaddr, task.mm.task_size)
        highest = max(highest, segment.vaddr + segment.memsz)

    bss.map_behind_program(task, bias)
    program_entry = _wrapped(main.header.entry + bias)
    entry, base = program_entry, VirtAddr(0)
    if program.interpreter is not None:
        base = load_elf_interp(task, program.interpreter, rules, no_base=bias != 0)
        entry = _wrapped(base + program.interpreter.header.entry)
    if entry >= task.mm.task_size:
        raise KernelError(Errno.EINVAL, "elf.entry")
    return LoadedElf(
        entry=entry,
        program_entry=program_entry,
        phdr=_wrapped(phdr + bias),
        phnum=main.header.phnum,
        interpreter_base=base,
        brk=page_up(_wrapped(highest + bias)),
    )


def _choose_bias(
    task: Task,
    program: ElfProgram,
    mapped: MappedFile,
    rules: ExecRules,
    et_dyn_base: VirtAddr,
    random_bias: VirtAddr | None,
    total_size: int,
) -> tuple[VirtAddr, bool]:
    """Return a position-independent program's load bias and whether it is binding.

    Rules `layout.et-dyn` and `layout.static-pie`.
    """
    first = program.main.loads[0]
    alignment = maximum_alignment(program.main.segments)
    if program.interpreter is not None:
        if random_bias is not None:
            return random_bias, True
        bias, binding = et_dyn_base & -alignment if alignment else et_dyn_base, True
    elif alignment > PAGE_SIZE and rules.static_pie_aligned:
        # Mapped once where there is room, only to learn the address; then aligned within it.
        unused = _bss(rules, by_segment=rules.program_bss_by_segment)
        trial = elf_load(task, mapped, first, VirtAddr(0), unused, total_size=total_size)
        task.mm.munmap(trial, total_size)
        bias, binding = trial & -alignment, True
    else:
        bias, binding = 0, False
    return page_down(_wrapped(bias - first.vaddr)), binding


def load_elf_interp(task: Task, interpreter: ElfFile, rules: ExecRules, *, no_base: bool) -> VirtAddr:
    """Map the interpreter and return what was added to its addresses.

    Source: fs/binfmt_elf.c:load_elf_interp().
    """
    if interpreter.header.type not in (elf.ET_EXEC, elf.ET_DYN):
        raise KernelError(Errno.ENOEXEC, "elf.interpreter-bad")
    total_size = total_mapping_size(interpreter.loads)
    mapped = _mapped(interpreter)
    bss = _bss(rules, by_segment=rules.interpreter_bss_by_segment)
    bias = 0
    for number, segment in enumerate(interpreter.loads):
        fixed = interpreter.header.type == elf.ET_EXEC or number > 0
        if not fixed and no_base:
            bias = -segment.vaddr
        at = elf_load(
            task,
            mapped,
            segment,
            _wrapped(bias + segment.vaddr),
            bss,
            total_size=total_size if number == 0 else 0,
            fixed=fixed,
        )
        if number == 0 and interpreter.header.type == elf.ET_DYN:
            bias = _wrapped(at - page_down(segment.vaddr))
        _check_size(segment, _wrapped(bias + segment.vaddr), task.mm.task_size)
    bss.map_behind_interpreter(task, bias)
    return VirtAddr(bias)


def elf_load(
    task: Task,
    file: MappedFile,
    segment: ProgramHeader,
    address: VirtAddr,
    bss: Bss,
    *,
    total_size: int = 0,
    fixed: bool = False,
    noreplace: bool = False,
) -> VirtAddr:
    """Map one PT_LOAD's file pages and, as far as `bss` does so now, its zeros. Return its first page.

    Rule `vma.segment-file`. Source: fs/binfmt_elf.c:elf_load(), or elf_map() on kernels without it.
    """
    try:
        start = page_down(address)
        if bss.maps_file(segment):
            start = _elf_map(
                task.mm, file, segment, address, total_size=total_size, fixed=fixed, noreplace=noreplace
            )
        bss.add(task, segment, start)
    except KernelError as error:
        raise KernelError(error.errno, error.rule or "elf.segment-unmappable") from error
    if start >= task.mm.task_size:
        raise KernelError(Errno.EINVAL, "elf.segment-unmappable")
    return start


def _bss(rules: ExecRules, *, by_segment: bool) -> Bss:
    return BssBySegment(rules.unclearable_tail) if by_segment else WholeFileBss()


def _elf_map(
    mm: AddressSpace,
    file: MappedFile,
    segment: ProgramHeader,
    address: VirtAddr,
    *,
    total_size: int,
    fixed: bool,
    noreplace: bool,
) -> VirtAddr:
    in_page = segment.vaddr % PAGE_SIZE
    size = page_up(segment.filesz + in_page)
    offset = segment.offset - in_page
    whole = page_up(total_size) or size
    start = mm.mmap(file, page_down(address), whole, segment.access, offset, fixed=fixed, noreplace=noreplace)
    if whole > size:
        # The first mapping reserved room for every segment; what is not this one's is given back.
        mm.munmap(VirtAddr(start + size), whole - size)
    return start


def _check_size(segment: ProgramHeader, address: int, task_size: VirtAddr) -> None:
    if (
        not 0 <= address < task_size
        or segment.filesz > segment.memsz
        or segment.memsz > task_size
        or task_size - segment.memsz < address
    ):
        raise KernelError(Errno.EINVAL, "elf.segment-size")


def total_mapping_size(loads: Sequence[ProgramHeader]) -> int:
    """Return the bytes from the lowest segment's page to the highest segment's end.

    None at all is an error (rule `elf.no-load`).
    """
    lowest = min((page_down(segment.vaddr) for segment in loads), default=0)
    size = max((segment.vaddr + segment.memsz for segment in loads), default=0) - lowest
    if not size:
        raise KernelError(Errno.EINVAL, "elf.no-load")
    return size


def maximum_alignment(segments: Sequence[ProgramHeader]) -> int:
    """Return the largest p_align that is a power of two, at least a page; 0 without one.

    Source: fs/binfmt_elf.c:maximum_alignment().
    """
    usable = [s.align for s in segments if s.type == elf.PT_LOAD and s.align and not s.align & (s.align - 1)]
    return page_up(max(usable)) if usable else 0


def _wrapped(value: int) -> VirtAddr:
    """Reduce a sum of addresses as the kernel's unsigned long does; a load bias may be "negative"."""
    return VirtAddr(value % (1 << 64))


def _mapped(elf_file: ElfFile) -> MappedFile:
    file = elf_file.file
    return MappedFile(file.resolved_path, file.device, file.inode, file.size, file)
