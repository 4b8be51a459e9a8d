"""An explanation as JSON: inspector.explanation/1. Addresses are hexadecimal strings, as elsewhere."""

from typing import TYPE_CHECKING, Literal

import msgspec

from inspector.model.document.codec import encode
from inspector.story.document import StepJson, step_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.explain import AtStop, Explanation, FilePlace, NumberedFault
    from inspector.model.page import PageState
    from inspector.model.vma import Vma
    from inspector.story import Step


class AreaJson(msgspec.Struct):
    """An area, as maps prints it."""

    start: str
    end: str
    perms: str
    offset: str
    name: str


class PlaceJson(msgspec.Struct):
    """Where an address lies in a file; `offset` is null where the file has no byte for it."""

    path: str
    address: str
    symbol: str | None
    section: str | None
    segment: int | None
    offset: str | None


class SideJson(msgspec.Struct):
    """One side of a stop. `page`: `absent`, `unknown`, or where the contents live; `frame` if it was told."""

    area: AreaJson | None
    page: str
    frame: str | None


class StopJson(msgspec.Struct):
    """One stop, predicted and observed; `observed` is null where it was not."""

    checkpoint: str
    predicted: SideJson
    observed: SideJson | None


class FaultJson(msgspec.Struct):
    """A fault on the page; `number` counts the process's, from 1."""

    number: int
    mode: str
    access: str | None
    address: str
    ip: str | None
    symbol: str | None
    kind: str | None


class TableJson(msgspec.Struct):
    """A level of the page tables."""

    level: str
    index: int


class ExplanationJson(msgspec.Struct):
    """All that is known of one address. `mapped_by`: number of the fault that made its page resident."""

    program: str
    asked: str
    address: str
    page: str
    file: PlaceJson | None
    rules: list[str]
    below: AreaJson | None
    above: AreaJson | None
    stops: list[StopJson]
    faults: list[FaultJson]
    mapped_by: int | None
    page_tables: list[TableJson]
    entry: list[str] | None
    stack_may_grow: bool
    unobserved: str | None
    not_modelled: str | None
    steps: list[StepJson]
    schema: Literal["inspector.explanation/1"] = "inspector.explanation/1"


def explanation_json(found: "Explanation", steps: "Sequence[Step]") -> bytes:
    """Return an explanation, and the steps that tell it, as one line of JSON."""
    return encode(
        ExplanationJson(
            found.program,
            found.asked,
            hex(found.address),
            hex(found.address >> 12),
            None if found.place is None else _place(found.place),
            list(found.rules),
            _area(found.below),
            _area(found.above),
            [_stop(stop) for stop in found.stops],
            [_fault(each) for each in found.faults],
            None if found.mapped_by is None else found.mapped_by.number,
            [TableJson(step.level, step.index) for step in found.way],
            None if found.entry is None else list(found.entry.words),
            found.stack_may_grow,
            found.unobserved,
            found.not_modelled,
            [step_json(number, step) for number, step in enumerate(steps, 1)],
        )
    )


def _place(place: "FilePlace") -> PlaceJson:
    return PlaceJson(
        place.path,
        hex(place.address),
        None if place.symbol is None else place.symbol.place(place.address),
        None if place.section is None else place.section.name,
        None if place.segment is None else place.segment[0],
        None if place.offset is None else hex(place.offset),
    )


def _area(vma: "Vma | None") -> AreaJson | None:
    if vma is None:
        return None
    return AreaJson(hex(vma.start), hex(vma.end), vma.perms, hex(vma.offset), vma.name)


def _stop(stop: "AtStop") -> StopJson:
    predicted = _side(stop.predicted_area, stop.predicted_page)
    observed = _side(stop.observed_area, stop.observed_page) if stop.observed else None
    return StopJson(stop.checkpoint, predicted, observed)


def _side(area: "Vma | None", page: "PageState | None") -> SideJson:
    if page is None:
        return SideJson(_area(area), "absent", None)
    kind = "unknown" if page.kind is None else page.kind.value
    return SideJson(_area(area), kind, None if page.pfn is None else hex(page.pfn))


def _fault(each: "NumberedFault") -> FaultJson:
    fault = each.fault
    return FaultJson(
        each.number,
        fault.mode.value,
        None if fault.access is None or fault.access.name is None else fault.access.name.lower(),
        hex(fault.address),
        None if fault.ip is None else hex(fault.ip),
        fault.symbol,
        None if fault.kind is None else fault.kind.value,
    )
