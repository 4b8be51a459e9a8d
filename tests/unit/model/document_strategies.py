"""Any prediction, observation, profile or check that the model can express."""

from __future__ import annotations

import string
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

from inspector.model.address import AddressRange, FileOffset, Pfn, VirtAddr, Vpn
from inspector.model.auxv import AuxEntry
from inspector.model.document.check import Check
from inspector.model.ending import Ending
from inspector.model.fault import Fault, FaultKind, FaultMode
from inspector.model.finding import Finding, Verdict
from inspector.model.observation import Host, Observation, Perturbation, RawEvidence
from inspector.model.page import PageKind, PageState
from inspector.model.prediction import (
    Assumption,
    ExecVerdict,
    FileIdentity,
    NotModelledAt,
    Outcome,
    Prediction,
)
from inspector.model.processor import CpuidAnswer, OutOfRange, Processor
from inspector.model.profile import (
    AuxConstant,
    BinfmtMisc,
    ExecRules,
    LayoutProfile,
    MachineProfile,
    PageTableGeometry,
    RandomBases,
    SpecialArea,
    SystemNames,
    UnclearableTail,
)
from inspector.model.program import UNLIMITED, Credentials, Layout, Limits, Program
from inspector.model.registers import REGISTER_NAMES, Registers
from inspector.model.signal_frame import FrameImage, SignalFrame
from inspector.model.snapshot import FaultCounts, Snapshot, StackImage, Unpredictable
from inspector.model.vma import Access, Anonymous, FileBacking, Sharing, Special, Vma, VmFlag
from inspector.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hypothesis.strategies import SearchStrategy

    T = TypeVar("T")


def every(kind: type[T], /, **parts: SearchStrategy[Any]) -> SearchStrategy[T]:
    """Build `kind` from a strategy for each of its fields: a field without one would never be tested."""
    assert set(parts) == {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return st.builds(kind, **parts)


def few(items: SearchStrategy[T], most: int = 3) -> SearchStrategy[tuple[T, ...]]:
    return st.lists(items, max_size=most).map(tuple)


def maybe(items: SearchStrategy[T]) -> SearchStrategy[T | None]:
    return st.none() | items


# What os.fsdecode makes of any bytes; any text; and what the escape is made of.
texts = (
    st.binary(max_size=12).map(lambda data: data.decode("utf-8", "surrogateescape"))
    | st.text(max_size=12)
    | st.text("a�\udc80\udcff\udcef\udcbf\udcbd\0\\80f", max_size=8)
)
words = st.integers(0, (1 << 64) - 1)
addresses = words.map(VirtAddr)
half_words = st.integers(0, 0xFFFF_FFFF)
counts = st.integers(0, (1 << 63) - 1)
vpns = st.integers(0, 40).map(lambda n: n + 0x8048) | st.integers(0, (1 << 52) - 64)
page_addresses = vpns.map(lambda vpn: VirtAddr(vpn << 12))
devices = st.tuples(st.integers(0, 0xFFF), st.integers(0, 0xFFFFF))
rule_ids = st.sampled_from(sorted(RULES))
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)

registers = every(Registers, **dict.fromkeys(REGISTER_NAMES, half_words))

backings = (
    every(FileBacking, path=texts, device=devices, inode=words, offset=words.map(FileOffset))
    | every(Anonymous, label=texts)
    | every(Special, name=texts)
)


@st.composite
def vma_lists(draw: st.DrawFn) -> tuple[Vma, ...]:
    bounds = sorted(draw(st.sets(vpns, max_size=8)))
    flags = st.integers(0, 3).map(VmFlag)
    return tuple(
        draw(
            every(
                Vma,
                range=st.just(AddressRange(VirtAddr(start << 12), VirtAddr(end << 12))),
                access=st.integers(0, 7).map(Access),
                sharing=st.sampled_from(Sharing),
                backing=backings,
                flags=maybe(flags),
            )
        )
        for start, end in zip(bounds[::2], bounds[1::2], strict=False)
    )


@st.composite
def page_lists(draw: st.DrawFn) -> tuple[PageState, ...]:
    kinds = maybe(st.sampled_from(PageKind))
    pfns = maybe(counts.map(Pfn))
    numbers = sorted(draw(st.sets(vpns, max_size=12)))
    return tuple(draw(every(PageState, vpn=st.just(Vpn(number)), kind=kinds, pfn=pfns)) for number in numbers)


@st.composite
def stacks(draw: st.DrawFn) -> StackImage:
    contents = draw(st.binary(max_size=40))
    sp = draw(st.integers(0, (1 << 64) - 100))
    starts = draw(st.lists(st.integers(0, len(contents)), max_size=2))
    lengths = [draw(st.integers(0, len(contents) - at)) for at in starts]
    gaps = tuple(
        Unpredictable(VirtAddr(sp + at), length, draw(rule_ids))
        for at, length in zip(starts, lengths, strict=True)
    )
    return StackImage(VirtAddr(sp), contents, gaps)


def snapshots(checkpoint: str, stack: SearchStrategy[StackImage | None]) -> SearchStrategy[Snapshot]:
    return every(
        Snapshot,
        checkpoint=st.just(checkpoint),
        registers=maybe(registers),
        vmas=maybe(vma_lists()),
        pages=maybe(page_lists()),
        minor_faults=maybe(counts),
        major_faults=maybe(counts),
        page_table_bytes=maybe(counts),
        random_registers=maybe(few(st.sampled_from(REGISTER_NAMES))),
        auxv=maybe(few(every(AuxEntry, type=st.integers(0, 60) | counts, value=words))),
        stack=stack,
        brk=maybe(addresses),
    )


@st.composite
def snapshot_lists(draw: st.DrawFn) -> tuple[Snapshot, ...]:
    others = draw(few(texts.filter(lambda name: name != "exec"), 2))
    later: Iterable[Snapshot] = [draw(snapshots(name, st.none())) for name in others]
    return (*draw(few(snapshots("exec", maybe(stacks())), 1)), *later)


_limits = counts | st.just(UNLIMITED)

programs = every(
    Program,
    path=texts,
    argv=few(texts),
    envp=few(texts),
    requested=texts,
    credentials=every(
        Credentials,
        **dict.fromkeys(("uid", "euid", "gid", "egid"), half_words),
        groups=few(half_words),
        capabilities=words,
    ),
    cwd=texts,
    stdin=texts,
    limits=every(Limits, stack=_limits, core=_limits, inherited=few(st.tuples(_limits, _limits))),
    layout=st.sampled_from(Layout),
    randomize=st.booleans(),
    not_staged=maybe(texts),
)

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
)


@st.composite
def profiles(draw: st.DrawFn) -> MachineProfile:
    other = every(
        SpecialArea, name=st.sampled_from(["[vvar]", "é"]), pages=st.integers(1, 4096), perms=st.just("r--p")
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
            vvar=st.just(vvar),
            vvar_pages=few(st.integers(0, len(vvar) // 4096 - 1)) if vvar else st.just(()),
            tsc=words,
            signal_frame=maybe(_signal_frames),
        )
    )


_verdict_parts: dict[str, SearchStrategy[Any]] = {
    "errno": st.none(),
    "signal": st.none(),
    "rule": maybe(rule_ids),
}
verdicts = (
    every(ExecVerdict, **_verdict_parts, outcome=st.just(Outcome.RUNS))
    | every(ExecVerdict, **(_verdict_parts | {"errno": texts}), outcome=st.just(Outcome.REFUSED))
    | every(ExecVerdict, **(_verdict_parts | {"signal": maybe(texts)}), outcome=st.just(Outcome.KILLED))
)
files = every(FileIdentity, path=texts, device=devices, inode=words, size=counts, sha256=maybe(digests))
bases = every(
    RandomBases,
    **dict.fromkeys(("stack_top", "mmap_base", "brk", "load_bias"), addresses),
    stack_padding=counts,
)

_int32 = st.integers(-(1 << 31), (1 << 31) - 1)
endings = every(Ending, status=_int32, signal=st.none(), code=st.none(), address=st.none()) | every(
    Ending, status=st.none(), signal=texts, code=maybe(_int32), address=maybe(addresses)
)


@st.composite
def page_ranges(draw: st.DrawFn) -> AddressRange:
    start, end = sorted((draw(page_addresses), draw(page_addresses)))
    return AddressRange(start, end)


faults = every(
    Fault,
    process=st.integers(0, 3),
    mode=st.sampled_from(FaultMode),
    address=addresses,
    access=maybe(st.sampled_from([Access.READ, Access.WRITE, Access.EXECUTE])),
    protection=maybe(st.booleans()),
    ip=maybe(addresses),
    kind=maybe(st.sampled_from(FaultKind)),
    area=maybe(vma_lists().filter(bool).map(lambda vmas: vmas[0])),
    file_offset=maybe(words.map(FileOffset)),
    mapped=maybe(page_ranges()),
    symbol=maybe(texts),
)

_prediction_parts: dict[str, SearchStrategy[Any]] = {
    "program": programs,
    "profile": profiles(),
    "verdict": maybe(verdicts),
    "files": few(files, 2),
    "snapshots": snapshot_lists(),
    "bases": maybe(bases),
    "assumptions": few(every(Assumption, name=texts, value=texts)),
    "faults": maybe(few(faults)),
}
predictions = every(
    Prediction,
    **_prediction_parts,
    not_modelled=maybe(every(NotModelledAt, what=texts, ip=maybe(words))),
    ending=st.none(),
) | every(Prediction, **_prediction_parts, not_modelled=st.none(), ending=endings)


@st.composite
def evidences(draw: st.DrawFn) -> RawEvidence:
    starts = sorted(draw(st.sets(st.integers(0, 1 << 40).map(lambda n: n * 4), max_size=3)))
    pagemap = tuple(
        (VirtAddr(n << 12), draw(st.binary(min_size=8, max_size=8)) * (n % 3 + 1)) for n in starts
    )
    blob = st.binary(max_size=30)
    return draw(
        every(
            RawEvidence,
            checkpoint=texts,
            maps=blob,
            smaps=maybe(blob),
            auxv=maybe(blob),
            status=blob,
            stat=blob,
            pagemap=maybe(st.just(pagemap)),
            zero_pages=maybe(st.sets(page_addresses, max_size=5).map(lambda pages: tuple(sorted(pages)))),
            baseline=every(FaultCounts, minor=counts, major=counts),
            word_bytes=st.sampled_from([4, 8]),
        )
    )


observations = every(
    Observation,
    program=programs,
    host=every(Host, kernel=texts, machine=texts, gdb=maybe(texts), uid=half_words, sees_pfn=st.booleans()),
    verdict=maybe(verdicts),
    files=few(files, 2),
    snapshots=snapshot_lists(),
    perturbations=few(
        every(
            Perturbation,
            checkpoint=texts,
            action=texts,
            pages_added=few(page_addresses),
            pages_changed=few(page_addresses),
            minor_faults=counts,
            major_faults=counts,
        ),
        2,
    ),
    ending=maybe(endings),
    output=st.binary(max_size=20),
    bases=maybe(bases),
    raw=few(evidences(), 2),
    notes=few(texts),
    cut_short=maybe(texts),
    faults=maybe(few(faults)),
    fault_source=maybe(texts),
    faults_lost=counts,
    faults_complete=st.booleans(),
    large_folios=few(st.tuples(texts, texts)),
)

findings = every(
    Finding,
    **dict.fromkeys(("checkpoint", "aspect", "where", "predicted", "observed"), texts),
    verdict=st.sampled_from(Verdict),
    rule=maybe(rule_ids),
    context=few(texts),
)
checks = every(
    Check,
    prediction=predictions,
    observation=maybe(observations),
    findings=few(findings),
    exit_code=st.integers(0, 255),
)
