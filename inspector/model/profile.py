"""What a prediction may know of the machine it predicts for."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from inspector.model.address import VirtAddr
from inspector.model.processor import Processor
from inspector.model.registers import Registers
from inspector.model.signal_frame import SignalFrame


@dataclass(frozen=True, slots=True)
class SpecialArea:
    """One of the areas the kernel adds to every process, such as `[vvar]`; they lie back to back."""

    name: str
    pages: int
    perms: str
    mixedmap: bool = False
    """Of [vvar] and its like: whether their frames count as pages (VM_MIXEDMAP), or do not (VM_PFNMAP)."""


@dataclass(frozen=True, slots=True)
class AuxConstant:
    """One auxv entry of the template. `value` None: computed from the program, by its type."""

    type: int
    value: int | None = None


@dataclass(frozen=True, slots=True)
class LayoutProfile:
    """What one address-space layout (see `program.Layout`) starts from, with ASLR off."""

    task_size: VirtAddr
    """First address a program can not have; also the end of the stack."""
    et_dyn_base: VirtAddr
    """Where a position-independent program with an interpreter is loaded (ELF_ET_DYN_BASE)."""
    bottom_up: bool
    """Whether mmap searches upwards (sysctl vm.legacy_va_layout)."""


@dataclass(frozen=True, slots=True)
class PageTableGeometry:
    """How the kernel's page tables cut a virtual address."""

    name: str
    index_bits: tuple[int, ...]
    """Bits of each level's index, from the top level to the page table."""
    entry_bytes: int


class UnclearableTail(enum.Enum):
    """What becomes of a program whose last file page the kernel could not clear."""

    KILLS = "kills"
    KILLS_IF_WRITABLE = "kills if writable"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class ExecRules:
    """Rules of execve that are not the same in every kernel; each is read off a tiny program."""

    program_bss_by_segment: bool
    """Whether each PT_LOAD's zeros are made with it (elf_load()), or one .bss behind the last of them."""
    interpreter_bss_by_segment: bool
    """The same for an interpreter; there were kernels with one rule for each."""
    unclearable_tail: UnclearableTail
    program_headers_limit: int
    """The most bytes of program headers a file may have."""
    heap_label_touches: bool
    """Whether maps gives the label [heap] to an area that only touches the heap's start."""
    refuses_open_for_writing: bool
    """Whether a file that is open for writing cannot be executed (ETXTBSY)."""
    static_pie_aligned: bool
    """Whether p_align is heeded in a position-independent program without an interpreter."""
    runs_x32: bool | None = None
    """Whether the handler of 32-bit files takes EM_X86_64, too (CONFIG_X86_X32_ABI); None: not known."""


class AnonVmaMerging(enum.Enum):
    """What an area's anon_vma, which it has from its first private page on, lets it join (mm/vma.c)."""

    EITHER = "either"
    """Of two areas one may have none, whichever has changed (is_mergeable_anon_vma() from Linux 6.16 on)."""
    NEIGHBOURS = "neighbours"
    """The one that changes, or is new, has none; its neighbour may have one."""
    ABOVE_FIRST = "above first"
    """The same; and a new mapping joins the area above before it looks at the one below, which must then
    have the same anon_vma (mm/mmap.c:mmap_region() before Linux 6.12)."""


@dataclass(frozen=True, slots=True)
class BinfmtMisc:
    """A handler registered with binfmt_misc; it takes a file by its bytes or by its name's ending."""

    name: str
    offset: int
    magic: bytes
    """Empty: by the ending."""
    mask: bytes
    """As long as `magic`: which of its bits count."""
    extension: str = ""


@dataclass(frozen=True, slots=True)
class SystemNames:
    """What uname tells beside release and machine (struct new_utsname)."""

    node: str
    version: str
    domain: str


@dataclass(frozen=True, slots=True)
class GateArea:
    """An area that belongs to no program but stands in each one's maps: [vsyscall]."""

    start: VirtAddr
    pages: int
    perms: str
    name: str


@dataclass(frozen=True, slots=True)
class NativeProfile:
    """What a 64-bit program's address space starts from, with ASLR off."""

    layout: LayoutProfile
    """The same whatever `program.Layout` says: that is for 32 bits."""
    special_areas: tuple[SpecialArea, ...]
    """In ascending address order."""
    gate_area: GateArea | None
    auxv_entries: int
    """How many entries the auxiliary vector has, AT_NULL among them."""
    platform: str
    """AT_PLATFORM's string."""
    moved_brk: VirtAddr | None
    """Where the heap of a loader run directly starts: ELF_ET_DYN_BASE rounded up, for it is no whole page.
    None: it is not moved."""


@dataclass(frozen=True, slots=True)
class MachineProfile:
    """One machine, probed once per boot; a prediction for it can be made anywhere."""

    kernel: str
    """`uname -r`: for the reader; no rule is keyed on it."""
    machine: str
    boot_id: str
    page_size: int
    layouts: dict[str, LayoutProfile]
    """By the value of `program.Layout`."""
    special_areas: tuple[SpecialArea, ...]
    """In ascending address order."""
    vdso: bytes
    """The i386 vdso image."""
    vdso_sysenter_offset: int
    """AT_SYSINFO's distance from AT_SYSINFO_EHDR, in bytes."""
    auxv: tuple[AuxConstant, ...]
    """The template, in the kernel's order, without AT_NULL."""
    platform: str
    """AT_PLATFORM's string."""
    entry_registers: Registers
    """The registers a program starts with; eip and esp are the program's own and stand as 0."""
    kernel_word_bytes: int
    """sizeof(void *) in the kernel: the zero bytes at the very top of the stack (fs/exec.c)."""
    stack_guard_gap: int
    """Bytes kept free below a stack (the kernel's stack_guard_gap)."""
    page_tables: PageTableGeometry
    mmap_min_addr: int
    """Lowest address a program without CAP_SYS_RAWIO may ask for (sysctl vm.mmap_min_addr)."""
    mmap_floor: int
    """Lowest address the kernel chooses by itself; the sysctl above shows only a part of it."""
    hint_floor: int
    """Where a mapping goes that wishes for a lower address (mm/mmap.c:round_hint_to_min())."""
    ram_bytes: int
    swap_bytes: int
    overcommit_memory: int | None
    """Sysctl vm.overcommit_memory: 0 heuristic, 1 always, 2 never beyond a limit; None: not known."""
    static_pie_moves_brk: bool
    """Whether a loader run directly has its heap moved to ELF_ET_DYN_BASE."""
    exec_rules: ExecRules
    binfmt_misc: tuple[BinfmtMisc, ...]
    """The handlers that are enabled; all are asked before the kernel's own."""
    processor: Processor
    fault_around_bytes: int
    """How much of a file a read fault maps at once, around the page it is for (mm/memory.c)."""
    zap_frees_page_tables: bool
    """Whether MADV_DONTNEED over all that a page table maps frees the table (CONFIG_PT_RECLAIM)."""
    anon_vma_merging: AnonVmaMerging
    mprotect_uncharges: bool
    """Whether memory never written is no longer charged once it becomes read-only (mm/mprotect.c)."""
    vvar: bytes
    """What the vdso tells the time by: the special areas but [vdso], one behind the other, at the time
    of the probe. Empty: it could not be read."""
    vvar_pages: tuple[int, ...]
    """Which pages of `vvar` have contents; the kernel answers SIGBUS to whoever touches another."""
    tsc: int
    """The time-stamp counter a moment after `vvar`: a simulated clock that starts here goes forward."""
    signal_frame: SignalFrame | None
    """None: laid out in a way not known, so that no signal handler can be simulated."""
    system: SystemNames | None = None
    """The rest of what uname tells; None: not known."""
    cpumask_bytes: int | None = None
    """How long a set of CPUs is that sched_getaffinity stores; None: not known."""
    max_map_count: int | None = None
    """Sysctl vm.max_map_count: how many areas a process may have; None: not known."""
    native: NativeProfile | None = None
    """For 64-bit programs; None: not known, or the kernel runs none."""


@dataclass(frozen=True, slots=True)
class RandomBases:
    """The bases ASLR chose for one run, read from the process; every one is named in the report."""

    stack_top: VirtAddr
    mmap_base: VirtAddr
    brk: VirtAddr
    load_bias: VirtAddr
    """What was added to a position-independent program's addresses; 0 for a fixed one."""
    stack_padding: int
    """Bytes arch_align_stack() skipped below the strings."""
