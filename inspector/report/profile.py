"""A MachineProfile as a report."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from inspector.language import N_, tr
from inspector.model.address import PAGE_SIZE
from inspector.model.auxv import AuxEntry
from inspector.model.profile import AnonVmaMerging
from inspector.report.document import Column, Document, Fact, Facts, Row, Section, Table
from inspector.report.text import size

if TYPE_CHECKING:
    from inspector.model.processor import Processor
    from inspector.model.profile import MachineProfile
    from inspector.model.signal_frame import SignalFrame


_OVERCOMMIT: dict[int | None, str] = {
    0: N_("up to all there is at a time"),
    1: N_("always"),
    2: N_("up to a limit"),
}
"""The values of vm.overcommit_memory."""
_X32 = {True: N_("are run"), False: N_("are not run"), None: N_("not known")}
_CHARGE = {True: N_("not charged while it is read-only"), False: N_("charged once it was writable")}
_MERGING = {
    AnonVmaMerging.EITHER: N_("if one was never written"),
    AnonVmaMerging.NEIGHBOURS: N_("if the one that changes was never written"),
    AnonVmaMerging.ABOVE_FIRST: N_("if the one that changes was never written, with the one above first"),
}


def profile_document(profile: MachineProfile) -> Document:
    """Return everything a prediction may know of the machine."""
    machine = (
        Fact(
            "kernel",
            tr("{kernel} {machine}, {bits} bits").format(
                kernel=profile.kernel, machine=profile.machine, bits=8 * profile.kernel_word_bytes
            ),
        ),
        Fact("boot", profile.boot_id),
        Fact("node", tr("not known") if profile.system is None else profile.system.node),
        Fact(
            "memory",
            tr("{ram}, and {swap} of swap").format(
                ram=size(profile.ram_bytes), swap=size(profile.swap_bytes)
            ),
        ),
        Fact(
            "memory is committed", tr(_OVERCOMMIT.get(profile.overcommit_memory, N_("by a policy not known")))
        ),
        Fact(
            "areas",
            tr("not known")
            if (most := profile.max_map_count) is None
            else tr("at most {count} a process").format(count=most),
        ),
        Fact("page size", size(profile.page_size)),
        Fact(
            "page tables",
            tr("{name}, index bits {bits}").format(name=profile.page_tables.name, bits=_bits(profile)),
        ),
        Fact("stack guard gap", size(profile.stack_guard_gap)),
        Fact("mmap_min_addr", f"{profile.mmap_min_addr:#x}"),
        Fact("lowest mapping by choice", f"{profile.mmap_floor:#x}"),
        Fact("lowest mapping by wish", f"{profile.hint_floor:#x}"),
        Fact("platform", profile.platform),
        Fact(
            "vdso",
            f"{size(len(profile.vdso))}{tr(', ')}SHA-256 {hashlib.sha256(profile.vdso).hexdigest()[:16]}",
        ),
        Fact(
            "heap of a static PIE",
            tr("at ELF_ET_DYN_BASE") if profile.static_pie_moves_brk else tr("behind its bss"),
        ),
        Fact("fault-around", size(profile.fault_around_bytes)),
        Fact(
            "emptied page tables",
            tr("freed by MADV_DONTNEED") if profile.zap_frees_page_tables else tr("kept"),
        ),
        Fact("areas merge", tr(_MERGING[profile.anon_vma_merging])),
        Fact("unwritten memory", tr(_CHARGE[profile.mprotect_uncharges])),
        Fact("processor", _processor(profile.processor)),
        Fact("clock", _clock(profile)),
        Fact("signal frame", _signal_frame(profile.signal_frame)),
    )
    rules = profile.exec_rules
    execve = (
        Fact(".bss of a program", _bss(by_segment=rules.program_bss_by_segment)),
        Fact(".bss of an interpreter", _bss(by_segment=rules.interpreter_bss_by_segment)),
        Fact("tail that cannot be cleared", tr(rules.unclearable_tail.value)),
        Fact("program headers", tr("at most {size}").format(size=size(rules.program_headers_limit))),
        Fact(
            "[heap]", tr("what touches its start") if rules.heap_label_touches else tr("what holds its start")
        ),
        Fact(
            "a file open for writing",
            tr("cannot be run") if rules.refuses_open_for_writing else tr("can be run"),
        ),
        Fact("handlers of binfmt_misc", ", ".join(each.name for each in profile.binfmt_misc) or tr("none")),
        Fact("p_align of a static PIE", tr("heeded") if rules.static_pie_aligned else tr("not heeded")),
        Fact("x32 programs", tr(_X32[rules.runs_x32])),
    )
    layouts = Table(
        (Column("layout"), Column("task size"), Column("ELF_ET_DYN_BASE"), Column("mmap searches")),
        tuple(
            Row(
                (
                    name,
                    f"{layout.task_size:#x}",
                    f"{layout.et_dyn_base:#x}",
                    tr("upwards") if layout.bottom_up else tr("downwards"),
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
            Row(
                (
                    AuxEntry(item.type, 0).name,
                    tr("of the program") if item.value is None else f"{item.value:#x}",
                )
            )
            for item in profile.auxv
        ),
    )
    return Document(
        tr("profile of Linux {kernel}").format(kernel=profile.kernel),
        (
            Section("", (Facts(machine),)),
            Section("Rules that kernels differ in", (Facts(execve),)),
            Section("Layouts", (layouts,)),
            Section("Areas the kernel adds", (areas,)),
            Section("Auxiliary vector, in the kernel's order", (auxv,)),
        ),
    )


def _bss(*, by_segment: bool) -> str:
    return tr("made with each segment") if by_segment else tr("one for the whole file")


def _bits(profile: MachineProfile) -> str:
    return "+".join(map(str, profile.page_tables.index_bits))


def _processor(processor: Processor) -> str:
    return tr("{count} answers of CPUID on CPU {cpu}, XCR0 {xcr0:#x}").format(
        count=len(processor.cpuid), cpu=processor.cpu, xcr0=processor.xcr0
    )


def _clock(profile: MachineProfile) -> str:
    if not profile.vvar:
        return tr("could not be read")
    return tr("pages {numbers} of vvar, TSC {tsc:#x}").format(
        numbers=", ".join(map(str, profile.vvar_pages)), tsc=profile.tsc
    )


def _signal_frame(frame: SignalFrame | None) -> str:
    if frame is None:
        return tr("of a layout not known")
    state = len(frame.fpstate.contents)
    return tr("{plain} bytes, {rt} with SA_SIGINFO, of which {state} are the state of the FPU").format(
        plain=len(frame.plain.contents) + state, rt=len(frame.rt.contents) + state, state=state
    )
