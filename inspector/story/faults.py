"""The first page faults: what was touched, the area found, the place in the file, the frame, the entry."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from inspector.language import N_, tr
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, page_down, vpn_of
from inspector.model.fault import FaultKind, FaultMode
from inspector.model.fault_trace import FaultSource
from inspector.model.vma import Access, FileBacking
from inspector.reconcile.faults import RULES_OF_KINDS
from inspector.story import Note, Step, Told, Value
from inspector.story.words import area_words, counted, joined, pages_of_strings
from inspector.view.tables import Table, entry_of, new_tables, tables_for, way_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.model.fault import Fault
    from inspector.model.page import PageState
    from inspector.model.profile import PageTableGeometry
    from inspector.model.snapshot import Snapshot
    from inspector.model.vma import Vma
    from inspector.story.evidence import Evidence

_ACCESSES = {Access.READ: N_("read"), Access.WRITE: N_("write"), Access.EXECUTE: N_("execute")}
WORDS_OF_KINDS = {
    FaultKind.ANONYMOUS: N_("A frame is taken and filled with zeros"),
    FaultKind.STACK_GROWTH: N_("The stack's area is extended down to it, and a frame filled with zeros"),
    FaultKind.ZERO_PAGE: N_("No frame is taken: the shared page of zeros serves until someone writes"),
    FaultKind.FILE_READ: N_("The file's own page is mapped, out of the page cache"),
    FaultKind.FILE_COPY: N_("A frame is taken and filled with a copy of the file's page"),
    FaultKind.FILE_SHARED: N_("The file's own page is mapped, to be written where everyone sees it"),
    FaultKind.DISK_READ: N_("The file's page is read from the disk into the page cache, and mapped"),
    FaultKind.DISK_COPY: N_("The file's page is read from the disk, and a frame filled with a copy of it"),
    FaultKind.COPY_ON_WRITE: N_(
        "A frame is taken and filled with a copy of the page that may not be written"
    ),
    FaultKind.REUSE: N_("The page is nobody else's any more: it is made writable where it is"),
    FaultKind.SPECIAL: N_("The kernel's own page is mapped"),
    FaultKind.REFUSED: N_("The access is not allowed: nothing is mapped for it"),
}
_PAGE_CACHE = Note(
    "a frame is taken, and the page read into it from the disk",
    "the page cache has read the file, and its own frame is mapped, with what lies around it",
    "fault.around",
)
_LATER_STOPS = ("main", "exit")


def fault_steps(evidence: Evidence, most: int) -> Iterator[Step]:
    """Yield the first `most` page faults that the program takes once it runs, each as a step."""
    faults = [fault for fault in evidence.prediction.faults or () if fault.process == 0]
    before = _during_exec(evidence, faults)
    seen = _observed(evidence)
    tables, later = _tables_at_exec(evidence), _Later(evidence)
    noted = False
    for position, fault in enumerate(faults[before : before + most], before):
        beside = _beside(evidence, faults, position, seen)
        step = _fault_step(evidence, position - before + 1, fault, beside, tables, later.of(fault))
        if fault.kind is FaultKind.FILE_READ and not noted:
            step, noted = replace(step, notes=(_PAGE_CACHE,)), True
        yield step


def _during_exec(evidence: Evidence, faults: Sequence[Fault]) -> int:
    """Return how many of `faults` execve takes itself, clearing pages and writing the stack's tables.

    The counter at exec has these, and the pages of the strings, which are counted without a fault.
    """
    snapshot = evidence.at_exec
    strings = None if snapshot is None else pages_of_strings(snapshot)
    if snapshot is None or snapshot.minor_faults is None or strings is None:
        return 0
    left = snapshot.minor_faults - strings
    count = 0
    while count < len(faults) and left > 0 and faults[count].mode is FaultMode.KERNEL:
        left -= faults[count].kind is not FaultKind.REFUSED
        count += 1
    return count


def _observed(evidence: Evidence) -> list[Fault] | None:
    observation = evidence.observation
    if observation is None or observation.faults is None:
        return None
    return [fault for fault in observation.faults if fault.process == 0]


def _beside(
    evidence: Evidence, predicted: Sequence[Fault], position: int, seen: Sequence[Fault] | None
) -> Fault | None:
    """Return the observed fault in the place of the predicted one; None where no one could see it."""
    if seen is None or evidence.observation is None:
        return None
    if evidence.observation.fault_source == FaultSource.SOFTWARE_USER.value:
        if predicted[position].mode is FaultMode.KERNEL:
            return None
        position = sum(fault.mode is FaultMode.USER for fault in predicted[:position])
    return seen[position] if position < len(seen) else None


def _fault_step(
    evidence: Evidence,
    number: int,
    fault: Fault,
    seen: Fault | None,
    tables: set[Table],
    later: _Afterwards | None,
) -> Step:
    told = list(_offset_told(fault))
    told += _frame_told(fault, later)
    told += _entry_told(evidence.prediction.profile.page_tables, fault, tables)
    done = "" if fault.kind is None else tr("{what}.").format(what=tr(WORDS_OF_KINDS[fault.kind]))
    access = "" if fault.access is None else tr(_ACCESSES[fault.access])
    looked_up = (
        tr("No area holds the address.")
        if fault.area is None
        else tr("The kernel looks for the area that holds the address: {area}.").format(
            area=_area_name(fault.area)
        )
    )
    return Step(
        tr("Page fault {number}: {access} at {address:#x}").format(
            number=number, access=access, address=fault.address
        ),
        joined(tr(_touch_words(fault)).format(page=fault.page), looked_up, done),
        () if fault.kind is None else (RULES_OF_KINDS[fault.kind],),
        tuple(told),
        tuple(_values(evidence, fault, seen, later)),
    )


def _touch_words(fault: Fault) -> str:
    """Say who touches the page, and what is in the way."""
    if fault.mode is FaultMode.USER:
        if fault.protection:
            return N_("The program touches page {page:#x}, which is there and forbids it.")
        return N_("The program touches page {page:#x}, which is not there.")
    if fault.protection:
        return N_(
            "The kernel, at work for the program, touches page {page:#x}, which is there and forbids it."
        )
    return N_("The kernel, at work for the program, touches page {page:#x}, which is not there.")


def _area_name(area: Vma) -> str:
    name = area.name.rpartition("/")[2] if isinstance(area.backing, FileBacking) else area.name
    return f"{name or tr('anonymous memory')}{tr(', ')}{area.perms}"


def _values(
    evidence: Evidence, fault: Fault, seen: Fault | None, later: _Afterwards | None
) -> Iterator[Value]:
    rule = evidence.fault_rule
    knows_access = seen is None or seen.access is not None
    yield Value(
        "the fault",
        _fault_words(fault, knows_access),
        None if seen is None else _fault_words(seen, knows_access),
        rule,
    )
    yield Value("page", f"{fault.page:#x}", None if seen is None else f"{seen.page:#x}", rule)
    if fault.mode is FaultMode.USER and fault.ip is not None:
        ip = None if seen is None or seen.ip is None else f"{seen.ip:#x}"
        yield Value("instruction at", f"{fault.ip:#x}", ip, rule)
    if fault.area is not None:
        found = _seen_area(evidence, fault)
        yield Value("area", area_words(fault.area), None if found is None else area_words(found))
        if fault.file_offset is not None:
            offset = None
            if found is not None and seen is not None:
                offset = f"{seen.page - found.start + found.offset:#x}"
            yield Value("page's file offset", f"{fault.file_offset:#x}", offset, rule)
    if later is not None:
        mine, other = later.predicted.kind, later.observed
        # One that is not there is a difference; one whose kind could not be told is not.
        state = tr("absent") if other is None else other.kind and tr(other.kind.value)
        label = tr("the page at {stop}").format(stop=later.stop)
        yield Value(label, tr(mine.value if mine else "unknown"), state, rule)


def _fault_words(fault: Fault, knows_access: bool) -> str:
    words = [tr(fault.mode.value)]
    if knows_access and fault.access is not None:
        words.append(tr(_ACCESSES[fault.access]))
        words.append(tr("present") if fault.protection else tr("absent"))
    return tr(", ").join(words)


def _offset_told(fault: Fault) -> Iterator[Told]:
    """Yield the place in the file, worked out: address - start of the area + offset of the area."""
    area = fault.area
    if area is None or not isinstance(area.backing, FileBacking):
        return
    offset = fault.address - area.start + area.offset
    yield Told(
        "in the file",
        tr("{address:#x} - {start:#x} + {offset:#x} = byte {byte:#x}").format(
            address=fault.address, start=area.start, offset=area.offset, byte=offset
        ),
    )
    first = page_down(offset)
    yield Told("its page", tr("bytes {first:#x}-{end:#x}").format(first=first, end=first + PAGE_SIZE))


def _frame_told(fault: Fault, later: _Afterwards | None) -> Iterator[Told]:
    mapped = fault.mapped
    if mapped is not None and mapped.size_bytes > PAGE_SIZE:
        pages = mapped.size_bytes >> PAGE_SHIFT
        yield Told(
            "with it",
            tr("{pages} in all, {start:#x}-{end:#x}: fault-around").format(
                pages=counted(pages, "page"), start=mapped.start, end=mapped.end
            ),
        )
    if later is not None and later.observed is not None and later.observed.pfn:
        yield Told(
            "frame",
            tr("{frame:#x}, as observed at {stop}").format(frame=later.observed.pfn, stop=later.stop),
        )


def _entry_told(geometry: PageTableGeometry, fault: Fault, tables: set[Table]) -> Iterator[Told]:
    """Yield the way through the page tables to the entry that is written, and what the entry allows."""
    entry = entry_of(fault, geometry)
    if entry is None:
        return
    yield Told("table entry", " > ".join(map(str, way_to(fault.page, geometry))))
    yield Told("it says", tr(", ").join(map(tr, entry.words)))
    new = new_tables(fault, geometry, tables)
    if new:
        yield Told("new tables", tr(", ").join(new))
    tables |= tables_for(geometry, fault.mapped.vpns() if fault.mapped is not None else (vpn_of(fault.page),))


def _tables_at_exec(evidence: Evidence) -> set[Table]:
    pages = (evidence.at_exec.pages if evidence.at_exec is not None else None) or ()
    return set(tables_for(evidence.prediction.profile.page_tables, (page.vpn for page in pages)))


def _seen_area(evidence: Evidence, fault: Fault) -> Vma | None:
    """Return the area of a fault as some stop shows it; None where none has it as it was predicted.

    No one reads maps at the fault itself, and between two stops an area may be made, changed and gone: one
    that is otherwise at a stop is no difference, and no observation either. Each stop's areas are compared
    as they are by `inspector check`.
    """
    mine = fault.area
    for snapshot in evidence.observation.snapshots if evidence.observation is not None else ():
        for vma in snapshot.vmas or ():
            if mine is not None and (area_words(vma), vma.offset) == (area_words(mine), mine.offset):
                return vma
    return None


class _Afterwards(NamedTuple):
    """What became of a page: its state at the next stop that both wings know, and at which it is resident."""

    stop: str
    predicted: PageState
    observed: PageState | None


class _Later:
    """The pages of the stops after exec."""

    def __init__(self, evidence: Evidence) -> None:
        """Index the pages of the stops, once for all faults."""
        observation = evidence.observation
        seen = {each.checkpoint: each for each in (observation.snapshots if observation is not None else ())}
        self._stops = [
            (each.checkpoint, _by_number(each), _by_number(seen[each.checkpoint]))
            for each in evidence.prediction.snapshots
            if each.checkpoint in _LATER_STOPS and each.checkpoint in seen
        ]

    def of(self, fault: Fault) -> _Afterwards | None:
        """Return what became of the page; None if no stop tells."""
        if fault.kind is FaultKind.REFUSED:
            return None
        vpn = vpn_of(fault.address)
        return next(
            (_Afterwards(at, mine[vpn], seen.get(vpn)) for at, mine, seen in self._stops if vpn in mine),
            None,
        )


def _by_number(snapshot: Snapshot) -> dict[int, PageState]:
    return {page.vpn: page for page in snapshot.pages or ()}


def end_step(evidence: Evidence, shown: int) -> Step:
    """Return what becomes of the program once `shown` of its faults are told."""
    prediction = evidence.prediction
    faults = [fault for fault in prediction.faults or () if fault.process == 0]
    before = _during_exec(evidence, faults)
    more = len(faults) - before - shown
    sentences = []
    if shown:
        sentences.append(tr("The instruction that faulted is tried again, and goes on."))
    if more > 0:
        follow = (
            tr("{faults} follows: pages come as they are touched.")
            if more == 1
            else tr("{faults} follow: pages come as they are touched.")
        )
        sentences.append(follow.format(faults=counted(more, "more fault")))
    elif not shown:
        sentences.append(tr("The program takes no fault of its own."))
    if before:
        sentences.append(
            tr("{faults} came before the first instruction: execve's own.").format(
                faults=counted(before, "fault")
            )
        )
    if prediction.not_modelled is not None:
        sentences.append(
            tr("The prediction goes no further: {what} is not modelled.").format(
                what=prediction.not_modelled.what
            )
        )
    return Step("And so on", joined(*sentences), values=tuple(_ending_values(evidence)))


def _ending_values(evidence: Evidence) -> Iterator[Value]:
    prediction, observation = evidence.prediction, evidence.observation
    if prediction.ending is None:
        return
    ending = None if observation is None or observation.ending is None else str(observation.ending)
    yield Value("ending", str(prediction.ending), ending)
    mine = sum(fault.process == 0 for fault in prediction.faults or ())
    faults = _observed(evidence)
    all_seen = observation is not None and observation.saw_every_fault
    seen = None if faults is None or not all_seen else str(len(faults))
    yield Value("page faults in all", str(mine), seen, evidence.fault_rule)
