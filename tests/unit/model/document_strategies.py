"""Any prediction, observation, profile or check that the model can express."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

from inspector.model.address import AddressRange, FileOffset, Pfn, VirtAddr, Vpn
from inspector.model.auxv import AuxEntry
from inspector.model.document.check import Check
from inspector.model.ending import Ending
from inspector.model.fault import Fault, FaultKind, FaultMode
from inspector.model.finding import Finding, Verdict
from inspector.model.frame import FrameOwner, FrameRun, PagePlace
from inspector.model.observation import (
    Host,
    Observation,
    Perturbation,
    RawEvidence,
    RawFrames,
    RawRelative,
)
from inspector.model.page import PageKind, PageState
from inspector.model.prediction import (
    Assumption,
    ExecVerdict,
    FileIdentity,
    NotModelledAt,
    Outcome,
    Prediction,
    ScriptChain,
)
from inspector.model.profile import RandomBases
from inspector.model.program import UNLIMITED, Credentials, Layout, Limits, Program
from inspector.model.registers import REGISTER_NAMES
from inspector.model.snapshot import FaultCounts, Snapshot, StackImage, Unpredictable
from inspector.model.vma import Access, Anonymous, FileBacking, Sharing, Special, Vma, VmFlag
from tests.unit.model.plain_strategies import (
    addresses,
    counts,
    devices,
    digests,
    every,
    few,
    half_words,
    maybe,
    page_addresses,
    registers,
    rule_ids,
    texts,
    vpns,
    words,
)
from tests.unit.model.profile_strategies import profiles

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hypothesis.strategies import SearchStrategy

    T = TypeVar("T")


backings = (
    every(FileBacking, path=texts, device=devices, inode=words, offset=words.map(FileOffset))
    | every(Anonymous, label=texts)
    | every(Special, name=texts)
)


@st.composite
def vma_lists(draw: st.DrawFn) -> tuple[Vma, ...]:
    bounds = sorted(draw(st.sets(vpns, max_size=8)))
    flags = st.integers(0, 63).map(VmFlag)
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
def frame_lists(draw: st.DrawFn) -> tuple[FrameRun, ...]:
    bounds = sorted(draw(st.sets(st.tuples(st.integers(0, 2), vpns), max_size=8)))
    return tuple(
        draw(
            every(
                FrameRun,
                process=st.just(process),
                start=st.just(Vpn(start)),
                count=st.just(min(end - start, 1 << 16)),
                owner=maybe(st.sampled_from(FrameOwner)),
                file=maybe(texts),
                offset=maybe(words.map(FileOffset)),
                mapped=maybe(counts),
                or_more=st.booleans(),
                same_as=maybe(st.builds(PagePlace, st.integers(0, 2), vpns.map(Vpn))),
            )
        )
        for (process, start), (other, end) in pairwise(bounds)
        if process == other
    )


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
        frames=maybe(frame_lists()),
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
    "script": maybe(every(ScriptChain, interpreters=few(texts).filter(bool), argv=few(texts))),
    "bases": maybe(bases),
    "assumptions": few(every(Assumption, name=texts, value=texts)),
    "faults": maybe(few(faults)),
    "unreached": few(texts),
}
predictions = every(
    Prediction,
    **_prediction_parts,
    not_modelled=maybe(every(NotModelledAt, what=texts, ip=maybe(words), help=texts)),
    ending=st.none(),
    children=st.just(()),
) | every(Prediction, **_prediction_parts, not_modelled=st.none(), ending=endings, children=few(endings, 2))


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
            relatives=few(every(RawRelative, maps=blob, pagemap=st.just(pagemap)), 2),
            frames=maybe(
                few(
                    every(
                        RawFrames,
                        first=counts.map(Pfn),
                        **dict.fromkeys(("flags", "counts"), st.binary(min_size=16, max_size=16)),
                    )
                )
            ),
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
    children=few(maybe(endings), 2),
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
    unreached=few(texts),
    reclaim_at_faults=maybe(texts),
    reclaim_at_stops=maybe(texts),
    input=maybe(files),
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
