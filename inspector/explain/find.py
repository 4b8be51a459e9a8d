"""Looking an address up in all that both wings know of a run."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from inspector.elf.file import ExecutableFile
from inspector.elf.header import PT_LOAD
from inspector.elf.symbol_index import SymbolIndex
from inspector.errors import InspectorError
from inspector.explain import AtStop, Explanation, FilePlace, NumberedFault
from inspector.explain.reasons import rules_of_area, rules_of_nothing, stack_floor
from inspector.layout.views import load_bias, read_image
from inspector.model.address import page_down, page_up, vpn_of
from inspector.model.fault import FaultKind
from inspector.model.vma import FileBacking
from inspector.view.tables import entry_of, way_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.elf.header import ProgramHeader
    from inspector.elf.sections import Section
    from inspector.layout.views import ElfImage
    from inspector.model.address import VirtAddr
    from inspector.model.page import PageState
    from inspector.model.snapshot import Snapshot
    from inspector.model.vma import Vma
    from inspector.story.evidence import Evidence
    from inspector.view.tables import TableEntry


def bias_of(evidence: Evidence) -> int:
    """Return what was added to the addresses of the program's file; 0 where that is not known."""
    image = evidence.files[-1].image if evidence.files else None
    return 0 if image is None or evidence.at_exec is None else load_bias(image, evidence.at_exec)


def explain(evidence: Evidence, asked: str, address: VirtAddr, unobserved: str | None = None) -> Explanation:
    """Look `address` up. Raises UsageError where no page table reaches it.

    `unobserved` says why there is no observation; None: there is one.
    """
    prediction = evidence.prediction
    stops = tuple(_at_stop(evidence, snapshot, address) for snapshot in prediction.snapshots)
    having = [stop for stop in stops if stop.predicted_area is not None]
    area, area_stop = (having[-1].predicted_area, having[-1].checkpoint) if having else (None, "")
    last = prediction.snapshots[-1].vmas if prediction.snapshots else ()
    below, above = _neighbours(last or (), address)
    faults, mapped_by = _faults(evidence, address)
    geometry = prediction.profile.page_tables
    floor = stack_floor(prediction, below, above) if area is None else None
    vmas = next((each.vmas for each in prediction.snapshots if each.checkpoint == area_stop), None) or ()
    place = _place(evidence, area, vmas, address)
    return Explanation(
        prediction.program.requested,
        asked,
        address,
        place,
        stops,
        area,
        area_stop,
        rules_of_nothing(prediction, address, floor)
        if area is None
        else rules_of_area(evidence, area, bias_of(evidence), _segment_of_other(place)),
        below,
        above,
        faults,
        mapped_by,
        way_to(address, geometry),
        _entry(evidence, faults, mapped_by),
        floor,
        prediction.program.limits.stack,
        unobserved,
        None if prediction.not_modelled is None else prediction.not_modelled.what,
        evidence.fault_rule,
    )


def _segment_of_other(place: FilePlace | None) -> ProgramHeader | None:
    """Return the segment in which the place lies, of another file than the program's."""
    return None if place is None or place.is_program or place.segment is None else place.segment[1]


def area_at(vmas: Sequence[Vma] | None, address: int) -> Vma | None:
    """Return the area that holds `address`."""
    return next((vma for vma in vmas or () if address in vma.range), None)


def _page_at(snapshot: Snapshot | None, address: int) -> PageState | None:
    wanted = vpn_of(address)
    pages = (snapshot.pages if snapshot is not None else None) or ()
    return next((page for page in pages if page.vpn == wanted), None)


def _at_stop(evidence: Evidence, snapshot: Snapshot, address: int) -> AtStop:
    seen = None
    if evidence.observation is not None:
        seen = next(
            (each for each in evidence.observation.snapshots if each.checkpoint == snapshot.checkpoint), None
        )
    return AtStop(
        snapshot.checkpoint,
        area_at(snapshot.vmas, address),
        None if seen is None else area_at(seen.vmas, address),
        _page_at(snapshot, address),
        _page_at(seen, address),
        observed=seen is not None,
        areas_observed=seen is not None and seen.vmas is not None,
        pages_observed=seen is not None and seen.pages is not None,
    )


def _neighbours(vmas: Sequence[Vma], address: int) -> tuple[Vma | None, Vma | None]:
    below = next((vma for vma in reversed(vmas) if vma.end <= address), None)
    above = next((vma for vma in vmas if vma.start > address), None)
    return below, above


def _faults(evidence: Evidence, address: VirtAddr) -> tuple[tuple[NumberedFault, ...], NumberedFault | None]:
    """Return the program's own faults on the page, and the first that made it resident."""
    page, own, first, number = page_down(address), [], None, 0
    for fault in evidence.prediction.faults or ():
        if fault.process != 0:
            continue
        number += 1
        if fault.page == page:
            own.append(NumberedFault(number, fault))
        answered = fault.kind not in (None, FaultKind.REFUSED)
        here = fault.page == page or (fault.mapped is not None and page in fault.mapped)
        if first is None and answered and here:
            first = NumberedFault(number, fault)
    return tuple(own), first


def _entry(
    evidence: Evidence, own: Sequence[NumberedFault], first: NumberedFault | None
) -> TableEntry | None:
    geometry = evidence.prediction.profile.page_tables
    for each in (*reversed(own), *((first,) if first is not None else ())):
        entry = entry_of(each.fault, geometry)
        if entry is not None:
            return entry
    return None


def _place(evidence: Evidence, area: Vma | None, vmas: Sequence[Vma], address: int) -> FilePlace | None:
    """Return where the address lies in the program's file, or in another that is mapped there.

    `vmas`: the areas at the stop that `area` is of.
    """
    if evidence.files and evidence.files[-1].image is not None and evidence.at_exec is not None:
        place = _place_in(evidence.files[-1].path, evidence.files[-1].image, address - bias_of(evidence))
        if place is not None:
            return place
    if area is None or not isinstance(area.backing, FileBacking) or area.backing.is_shared_memory:
        return None
    offset = address - area.start + area.offset
    with suppress(OSError, InspectorError, ValueError), ExecutableFile(area.backing.path) as file:
        image = read_image(file)
        vaddrs = list(_vaddrs_of(image, offset))
        # A page of the file may be in two segments: the base tells in which the address is.
        based = address - _bias_of_other(image, area, vmas)
        vaddrs.sort(key=lambda vaddr: vaddr != based)
        for vaddr in vaddrs:
            place = _place_in(area.backing.path, image, vaddr, is_program=False)
            if place is not None:
                return place
    return FilePlace(area.backing.path, offset, None, None, None, offset, is_program=False)


def _vaddrs_of(image: ElfImage, offset: int) -> Iterator[int]:
    """Yield where each PT_LOAD puts that byte of the file."""
    for segment in image.segments:
        first, end = page_down(segment.offset), page_up(segment.offset + segment.filesz)
        if segment.type == PT_LOAD and first <= offset < end:
            yield segment.vaddr + offset - segment.offset


def _bias_of_other(image: ElfImage, area: Vma, vmas: Sequence[Vma]) -> int:
    """Return the load bias of a file other than the program's, if its lowest area is its first segment."""
    first = next((vma for vma in vmas if vma.name == area.name), area)
    loads = [segment for segment in image.segments if segment.type == PT_LOAD]
    return first.start - page_down(loads[0].vaddr) if loads else 0


def _place_in(path: str, image: ElfImage, vaddr: int, *, is_program: bool = True) -> FilePlace | None:
    """Return the place of an address of the file's own; None if no PT_LOAD has the page."""
    for number in image.loads:
        segment = image.segments[number]
        if page_down(segment.vaddr) <= vaddr < page_up(segment.vaddr + segment.memsz):
            in_file = vaddr < page_up(segment.vaddr + segment.filesz) and segment.filesz > 0
            return FilePlace(
                path,
                vaddr,
                SymbolIndex(path).at(vaddr),
                _section_at(image, vaddr),
                (number, segment),
                segment.offset + vaddr - segment.vaddr if in_file else None,
                is_program,
            )
    return None


def _section_at(image: ElfImage, vaddr: int) -> Section | None:
    for section in image.sections:
        if section.is_allocated and not section.is_tbss and section.header.addr <= vaddr < section.end:
            return section
    return None
