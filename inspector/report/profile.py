"""A MachineProfile as a report."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SIZE
from inspector.model.auxv import AuxEntry
from inspector.model.profile import AnonVmaMerging
from inspector.report.document import Column, Document, Fact, Facts, Row, Section, Table
from inspector.report.text import size

if TYPE_CHECKING:
    from inspector.model.processor import Processor
    from inspector.model.profile import MachineProfile
    from inspector.model.signal_frame import SignalFrame


_OVERCOMMIT: dict[int | None, str] = {0: "up to all there is at a time", 1: "always", 2: "up to a limit"}
"""The values of vm.overcommit_memory."""
_X32 = {True: "are run", False: "are not run", None: "not known"}
_CHARGE = {True: "not charged while it is read-only", False: "charged once it was writable"}
_MERGING = {
    AnonVmaMerging.EITHER: "if one was never written",
    AnonVmaMerging.NEIGHBOURS: "if the one that changes was never written",
    AnonVmaMerging.ABOVE_FIRST: "if the one that changes was never written, with the one above first",
}


def profile_document(profile: MachineProfile) -> Document:
    """Return everything a prediction may know of the machine."""
    machine = (
        Fact("kernel", f"{profile.kernel} {profile.machine}, {8 * profile.kernel_word_bytes} bits"),
        Fact("boot", profile.boot_id),
        Fact("node", "not known" if profile.system is None else profile.system.node),
        Fact("memory", f"{size(profile.ram_bytes)}, and {size(profile.swap_bytes)} of swap"),
        Fact("memory is committed", _OVERCOMMIT.get(profile.overcommit_memory, "by a policy not known")),
        Fact(
            "areas", "not known" if (most := profile.max_map_count) is None else f"at most {most} a process"
        ),
        Fact("page size", size(profile.page_size)),
        Fact("page tables", f"{profile.page_tables.name}, index bits {_bits(profile)}"),
        Fact("stack guard gap", size(profile.stack_guard_gap)),
        Fact("mmap_min_addr", f"{profile.mmap_min_addr:#x}"),
        Fact("lowest mapping by choice", f"{profile.mmap_floor:#x}"),
        Fact("lowest mapping by wish", f"{profile.hint_floor:#x}"),
        Fact("platform", profile.platform),
        Fact("vdso", f"{size(len(profile.vdso))}, SHA-256 {hashlib.sha256(profile.vdso).hexdigest()[:16]}"),
        Fact(
            "heap of a static PIE", "at ELF_ET_DYN_BASE" if profile.static_pie_moves_brk else "behind its bss"
        ),
        Fact("fault-around", size(profile.fault_around_bytes)),
        Fact("emptied page tables", "freed by MADV_DONTNEED" if profile.zap_frees_page_tables else "kept"),
        Fact("areas merge", _MERGING[profile.anon_vma_merging]),
        Fact("unwritten memory", _CHARGE[profile.mprotect_uncharges]),
        Fact("processor", _processor(profile.processor)),
        Fact("clock", _clock(profile)),
        Fact("signal frame", _signal_frame(profile.signal_frame)),
    )
    rules = profile.exec_rules
    execve = (
        Fact(".bss of a program", _bss(by_segment=rules.program_bss_by_segment)),
        Fact(".bss of an interpreter", _bss(by_segment=rules.interpreter_bss_by_segment)),
        Fact("tail that cannot be cleared", rules.unclearable_tail.value),
        Fact("program headers", f"at most {size(rules.program_headers_limit)}"),
        Fact("[heap]", "what touches its start" if rules.heap_label_touches else "what holds its start"),
        Fact("a file open for writing", "cannot be run" if rules.refuses_open_for_writing else "can be run"),
        Fact("handlers of binfmt_misc", ", ".join(each.name for each in profile.binfmt_misc) or "none"),
        Fact("p_align of a static PIE", "heeded" if rules.static_pie_aligned else "not heeded"),
        Fact("x32 programs", _X32[rules.runs_x32]),
    )
    layouts = Table(
        (Column("layout"), Column("task size"), Column("ELF_ET_DYN_BASE"), Column("mmap searches")),
        tuple(
            Row(
                (
                    name,
                    f"{layout.task_size:#x}",
                    f"{layout.et_dyn_base:#x}",
                    "upwards" if layout.bottom_up else "downwards",
                )
            )
            for name, layout in sorted(profile.layouts.items())
        ),
    )
    areas = Table(
        (Column("area"), Column("perms"), Column("size", right=True)),
        tuple(Row((area.name, area.perms, size(area.pages * PAGE_SIZE))) for area in profile.special_areas),
    )
    auxv = Table(
        (Column("entry"), Column("value")),
        tuple(
            Row((AuxEntry(item.type, 0).name, "of the program" if item.value is None else f"{item.value:#x}"))
            for item in profile.auxv
        ),
    )
    return Document(
        f"profile of Linux {profile.kernel}",
        (
            Section("", (Facts(machine),)),
            Section("Rules that kernels differ in", (Facts(execve),)),
            Section("Layouts", (layouts,)),
            Section("Areas the kernel adds", (areas,)),
            Section("Auxiliary vector, in the kernel's order", (auxv,)),
        ),
    )


def _bss(*, by_segment: bool) -> str:
    return "made with each segment" if by_segment else "one for the whole file"


def _bits(profile: MachineProfile) -> str:
    return "+".join(map(str, profile.page_tables.index_bits))


def _processor(processor: Processor) -> str:
    return f"{len(processor.cpuid)} answers of CPUID on CPU {processor.cpu}, XCR0 {processor.xcr0:#x}"


def _clock(profile: MachineProfile) -> str:
    if not profile.vvar:
        return "could not be read"
    return f"pages {', '.join(map(str, profile.vvar_pages))} of vvar, TSC {profile.tsc:#x}"


def _signal_frame(frame: SignalFrame | None) -> str:
    if frame is None:
        return "of a layout not known"
    state = len(frame.fpstate.contents)
    return (
        f"{len(frame.plain.contents) + state} bytes, {len(frame.rt.contents) + state} with SA_SIGINFO, "
        f"of which {state} are the state of the FPU"
    )
