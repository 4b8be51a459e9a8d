"""Page faults in the order they were taken; the same in predictions and recordings."""

from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta, Struct

from inspector.model.address import AddressRange, FileOffset, VirtAddr
from inspector.model.document.scalars import (
    Count,
    Hex,
    PageHex,
    from_hex,
    from_hex_or_none,
    to_hex,
    to_hex_or_none,
)
from inspector.model.document.vma import VmaJson, vma_json, vma_of
from inspector.model.fault import Fault, FaultKind, FaultMode
from inspector.model.vma import Access

AccessWord = Literal["read", "write", "execute"]

_WORDS: dict[Access, AccessWord] = {Access.READ: "read", Access.WRITE: "write", Access.EXECUTE: "execute"}
_ACCESSES = {word: access for access, word in _WORDS.items()}


class MappedJson(Struct, frozen=True):
    """The pages that one fault made resident: the first, and the first address past the last."""

    start: PageHex
    end: PageHex


class FaultJson(Struct, frozen=True):
    """One page fault. null: not told on this side.

    Processes are numbered from 0 in order of creation. `page` is that of `address`, which is CR2; `ip` is the
    user instruction, null for the kernel's own accesses; `area` is the area as it stood at that moment.
    """

    process: Count
    mode: FaultMode
    page: PageHex
    address: Hex
    access: AccessWord | None
    protection: Annotated[
        bool | None, Meta(description="whether the page was present and forbade the access")
    ]
    ip: Hex | None
    symbol: Annotated[str | None, Meta(description="the function at `ip`: main+0x12")]
    kind: Annotated[FaultKind | None, Meta(description="what the kernel did; null: observed")]
    area: VmaJson | None
    file_offset: Hex | None
    mapped: MappedJson | None


Faults = tuple[FaultJson, ...] | None


def faults_json(faults: Iterable[Fault] | None) -> Faults:
    """Return the JSON type of a sequence; None is null."""
    return None if faults is None else tuple(map(_fault_json, faults))


def faults_of(jsons: Iterable[FaultJson] | None) -> tuple[Fault, ...] | None:
    """Undo `faults_json`. Raises ValueError for a page that is not the address's."""
    return None if jsons is None else tuple(map(_fault_of, jsons))


def _fault_json(fault: Fault) -> FaultJson:
    mapped = fault.mapped
    return FaultJson(
        process=fault.process,
        mode=fault.mode,
        page=to_hex(fault.page),
        address=to_hex(fault.address),
        access=None if fault.access is None else _WORDS[fault.access],
        protection=fault.protection,
        ip=to_hex_or_none(fault.ip),
        symbol=fault.symbol,
        kind=fault.kind,
        area=None if fault.area is None else vma_json(fault.area),
        file_offset=to_hex_or_none(fault.file_offset),
        mapped=None if mapped is None else MappedJson(to_hex(mapped.start), to_hex(mapped.end)),
    )


def _fault_of(json: FaultJson) -> Fault:
    ip, offset = from_hex_or_none(json.ip), from_hex_or_none(json.file_offset)
    fault = Fault(
        process=json.process,
        mode=json.mode,
        address=VirtAddr(from_hex(json.address)),
        access=None if json.access is None else _ACCESSES[json.access],
        protection=json.protection,
        ip=None if ip is None else VirtAddr(ip),
        kind=json.kind,
        area=None if json.area is None else vma_of(json.area),
        file_offset=None if offset is None else FileOffset(offset),
        mapped=None if json.mapped is None else _range_of(json.mapped),
        symbol=json.symbol,
    )
    if fault.page != from_hex(json.page):
        raise ValueError(f"the page of a fault at {json.address} is not {json.page}")
    return fault


def _range_of(json: MappedJson) -> AddressRange:
    return AddressRange(VirtAddr(from_hex(json.start)), VirtAddr(from_hex(json.end)))
