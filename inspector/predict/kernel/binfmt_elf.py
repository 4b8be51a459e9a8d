"""The ELF handler past the point of no return: a program on its way into an address space.

The functions carry the names of fs/binfmt_elf.c. What fails here kills the process, for the old program is
gone by now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.elf import header as elf
from inspector.elf.file import ExecutableFile
from inspector.elf.placement import HUGE_PAGE_SIZE
from inspector.errors import NotModelled
from inspector.model.address import PAGE_SIZE, VirtAddr, page_down, page_up
from inspector.predict.kernel.elf_bss import BssBySegment, WholeFileBss
from inspector.predict.kernel.elf_checks import LARGEST_OFFSET
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.vma import MappedFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.elf.header import ElfClass, ProgramHeader
    from inspector.model.profile import ExecRules
    from inspector.predict.kernel.elf_bss import Bss
    from inspector.predict.kernel.elf_checks import ElfFile, ElfProgram
    from inspector.predict.kernel.mm import AddressSpace
    from inspector.predict.kernel.task import Task


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
    data_bytes: int
    """From the highest segment's start to the highest end of what a file is behind."""


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
            total_size = total_mapping_size(main.loads, program.layout)
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
        if at >= task.mm.task_size:
            raise KernelError(Errno.EINVAL, "elf.segment-unmappable")
        if first_dyn:
            bias = _wrapped(bias + at - page_down(address))
        # Added up in the file's own words.
        if segment.offset <= main.header.phoff < (segment.offset + segment.filesz) % program.layout.word:
            phdr = main.header.phoff - segment.offset + segment.vaddr
        _check_size(segment, segment.vaddr, task.mm.task_size)
        highest = max(highest, segment.vaddr + segment.memsz)

    bss.map_behind_program(task, bias)
    program_entry = _wrapped(main.header.entry + bias)
    entry, base = program_entry, VirtAddr(0)
    if program.interpreter is not None:
        base = load_elf_interp(task, program, program.interpreter, rules, no_base=bias != 0)
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
        data_bytes=max((each.vaddr + each.filesz for each in main.loads), default=0)
        - max((each.vaddr for each in main.loads), default=0),
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
        if trial >= task.mm.task_size:
            raise KernelError(Errno.EINVAL, "elf.segment-unmappable")
        task.mm.munmap(trial, total_size)
        bias, binding = trial & -alignment, True
    else:
        bias, binding = 0, False
    return page_down(_wrapped(bias - first.vaddr)), binding


def load_elf_interp(
    task: Task, program: ElfProgram, interpreter: ElfFile, rules: ExecRules, *, no_base: bool
) -> VirtAddr:
    """Map the interpreter and return what was added to its addresses.

    Source: fs/binfmt_elf.c:load_elf_interp().
    """
    if interpreter.header.type not in (elf.ET_EXEC, elf.ET_DYN):
        raise KernelError(Errno.ENOEXEC, "elf.interpreter-bad")
    total_size = total_mapping_size(interpreter.loads, program.layout)
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
        if at >= task.mm.task_size:
            # Nothing is mapped there, but it is no errno: the caller takes it for the interpreter's base.
            return at
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

    Of a segment without either, nothing is mapped, and that page may lie anywhere.
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
    # mm/mmap.c:file_mmap_ok(); a 64-bit file can say so.
    if offset + whole > LARGEST_OFFSET:
        raise KernelError(Errno.EOVERFLOW)
    hint = page_down(address)
    if not fixed and not noreplace:
        hint = _place(mm, file, hint, whole, offset)
    start = mm.mmap(file, hint, whole, segment.access, offset, fixed=fixed, noreplace=noreplace)
    if whole > size:
        # The first mapping reserved room for every segment; what is not this one's is given back.
        mm.munmap(VirtAddr(start + size), whole - size)
    return start


def _place(mm: AddressSpace, file: MappedFile, hint: VirtAddr, size: int, offset: int) -> VirtAddr:
    """Return where the file system of a 64-bit file wants it mapped, else `hint`. Raises NotModelled.

    Rule `layout.huge-page`. Source: mm/mmap.c:__get_unmapped_area().
    """
    if mm.task_size <= 1 << 32 or size < HUGE_PAGE_SIZE or not isinstance(file.contents, ExecutableFile):
        return hint
    aligned = file.contents.is_mapped_aligned
    if aligned is None or (aligned and file.contents.lies_in_memory):
        raise NotModelled(f"where {file.path} is mapped: its file system may align it to huge pages")
    return mm.search.thp_get_unmapped_area(mm.areas, hint, size, offset) if aligned else hint


def _check_size(segment: ProgramHeader, address: int, task_size: VirtAddr) -> None:
    if (
        not 0 <= address < task_size
        or segment.filesz > segment.memsz
        or segment.memsz > task_size
        or task_size - segment.memsz < address
    ):
        raise KernelError(Errno.EINVAL, "elf.segment-size")


def total_mapping_size(loads: Sequence[ProgramHeader], layout: ElfClass) -> int:
    """Return the bytes from the lowest segment's page to the highest segment's end.

    Added up in the file's own words, of 32 bits or 64 (rule `elf.total-size`). None at all is an error (rule
    `elf.no-load`).
    """
    lowest = min((page_down(segment.vaddr) for segment in loads), default=0)
    highest = max(((segment.vaddr + segment.memsz) % layout.word for segment in loads), default=0)
    size = (highest - lowest) % layout.word
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
