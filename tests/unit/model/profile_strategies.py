"""Any profile that the model can express."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from inspector.model.address import VirtAddr
from inspector.model.processor import CpuidAnswer, OutOfRange, Processor
from inspector.model.profile import (
    AnonVmaMerging,
    AuxConstant,
    BinfmtMisc,
    ExecRules,
    GateArea,
    LayoutProfile,
    MachineProfile,
    NativeProfile,
    PageTableGeometry,
    SpecialArea,
    SystemNames,
    UnclearableTail,
)
from inspector.model.program import Layout
from inspector.model.signal_frame import FrameImage, SignalFrame
from tests.unit.model.plain_strategies import counts, every, few, half_words, maybe, registers, texts, words

_pages = st.integers(0, (1 << 52) - 1).map(lambda n: VirtAddr(n << 12))
_layout_profiles = every(
    LayoutProfile,
    task_size=st.integers(0x10000, 0xFFFFE).map(lambda n: VirtAddr(n << 12)),
    et_dyn_base=st.integers(0, 0xFFFF).map(lambda n: VirtAddr(n << 12)),
    bottom_up=st.booleans(),
)


_processors = every(
    Processor,
    cpu=counts,
    cpuid=few(
        every(
            CpuidAnswer,
            **dict.fromkeys(("leaf", "eax", "ebx", "ecx", "edx"), half_words),
            subleaf=maybe(half_words),
        )
    ),
    out_of_range=maybe(st.sampled_from(OutOfRange)),
    xcr0=words,
    sets_resume_flag=st.booleans(),
)


_frame_images = st.binary(min_size=20, max_size=40).flatmap(
    lambda contents: every(
        FrameImage, contents=st.just(contents), untouched=st.sampled_from([(), ((0, 3), (4, 16))])
    )
)
_signal_frames = every(
    SignalFrame,
    **dict.fromkeys(("plain", "rt", "fpstate"), _frame_images),
    fxsave_offset=st.integers(0, 20),
    **dict.fromkeys(("sigreturn_offset", "rt_sigreturn_offset"), maybe(counts)),
    keeps_null_selectors=st.booleans(),
)


@st.composite
def profiles(draw: st.DrawFn) -> MachineProfile:
    other = every(
        SpecialArea,
        name=st.sampled_from(["[vvar]", "é"]),
        pages=st.integers(1, 4096),
        perms=st.just("r--p"),
        mixedmap=st.booleans(),
    )
    areas = draw(few(other, 2))
    vvar = b"\7" * 4096 * sum(area.pages for area in areas) if draw(st.booleans()) else b""
    vdso = b""
    if draw(st.booleans()):
        areas += (SpecialArea("[vdso]", 1, "r-xp"),)
        vdso = draw(st.binary(min_size=16, max_size=16)) * 256
    return draw(
        every(
            MachineProfile,
            kernel=texts,
            machine=texts,
            boot_id=texts,
            page_size=st.just(4096),
            layouts=st.fixed_dictionaries({layout.value: _layout_profiles for layout in Layout}),
            special_areas=st.just(areas),
            vdso=st.just(vdso),
            vdso_sysenter_offset=st.integers(0, len(vdso)),
            auxv=few(every(AuxConstant, type=st.integers(1, 0xFFFF_FFFF), value=maybe(half_words))),
            platform=st.text(string.ascii_letters + string.digits, max_size=64),
            entry_registers=registers,
            kernel_word_bytes=st.sampled_from([4, 8]),
            stack_guard_gap=st.integers(0, (1 << 51) - 1).map(lambda pages: pages << 12),
            page_tables=every(
                PageTableGeometry,
                name=texts,
                index_bits=st.lists(st.integers(1, 16), min_size=1, max_size=6).map(tuple),
                entry_bytes=st.sampled_from([4, 8]),
            ),
            mmap_min_addr=half_words,
            mmap_floor=st.integers(0, 0xFFFFF).map(lambda pages: pages << 12),
            hint_floor=st.integers(0, 0xFFFFF).map(lambda pages: pages << 12),
            ram_bytes=counts,
            swap_bytes=counts,
            overcommit_memory=maybe(st.integers(0, 2)),
            system=maybe(every(SystemNames, node=texts, version=texts, domain=texts)),
            cpumask_bytes=maybe(st.integers(1, 8192)),
            max_map_count=maybe(st.integers(0, 2**31 - 1)),
            native=maybe(
                every(
                    NativeProfile,
                    layout=_layout_profiles,
                    special_areas=few(other, 2),
                    gate_area=maybe(
                        every(
                            GateArea,
                            start=_pages,
                            pages=st.integers(1, 4096),
                            perms=st.just("--xp"),
                            name=st.just("[vsyscall]"),
                        )
                    ),
                    auxv_entries=st.integers(1, 128),
                    platform=st.text(string.ascii_letters, max_size=64),
                    moved_brk=maybe(_pages),
                )
            ),
            static_pie_moves_brk=st.booleans(),
            exec_rules=every(
                ExecRules,
                **dict.fromkeys(
                    (
                        "program_bss_by_segment",
                        "interpreter_bss_by_segment",
                        "heap_label_touches",
                        "refuses_open_for_writing",
                        "static_pie_aligned",
                    ),
                    st.booleans(),
                ),
                runs_x32=maybe(st.booleans()),
                unclearable_tail=st.sampled_from(UnclearableTail),
                program_headers_limit=counts,
            ),
            binfmt_misc=few(
                st.binary(max_size=16).flatmap(
                    lambda magic: every(
                        BinfmtMisc,
                        name=texts,
                        offset=st.integers(0, 255),
                        magic=st.just(magic),
                        mask=st.binary(min_size=len(magic), max_size=len(magic)),
                        extension=texts,
                    )
                )
            ),
            processor=_processors,
            fault_around_bytes=st.integers(1, 1024).map(lambda pages: pages << 12),
            zap_frees_page_tables=st.booleans(),
            anon_vma_merging=st.sampled_from(AnonVmaMerging),
            mprotect_uncharges=st.booleans(),
            vvar=st.just(vvar),
            vvar_pages=few(st.integers(0, len(vvar) // 4096 - 1)) if vvar else st.just(()),
            tsc=words,
            signal_frame=maybe(_signal_frames),
        )
    )
