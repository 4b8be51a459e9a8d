"""The frames of resident pages: whose each is, and which pages are in the same one."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from inspector.model.address import PAGE_SHIFT, FileOffset, Vpn, address_of, vpn_of
from inspector.model.document.scalars import (
    Count,
    Hex,
    PageHex,
    from_hex,
    from_hex_or_none,
    to_hex,
    to_hex_or_none,
)
from inspector.model.frame import FrameOwner, FrameRun, PagePlace

MAX_PAGES = 1 << 22
"""Pages in all snapshots of a document: 16 GiB. A run is a few bytes of JSON, and may claim any number."""

RunLength = Annotated[int, Meta(ge=1, le=MAX_PAGES)]
Owner = Literal["page cache", "shared memory", "zero page", "private", "copy on write", "kernel", "unknown"]


class PagePlaceJson(Struct, frozen=True):
    """One page of one process, numbered as in FramesJson."""

    process: Count
    start: PageHex


class FramesJson(Struct, frozen=True, omit_defaults=True):
    """A run of `count` pages whose frames are alike.

    Process 0 is the program; those that it has forked and that are alive follow in order of birth. `offset`
    is that of the first page in its file, `mapped` how many page-table entries map each (with `or_more`, at
    least), `same_as` the first page that is in the same frame as this run's first.
    """

    process: Count
    start: PageHex
    count: RunLength
    owner: Owner
    file: str | None = None
    offset: Hex | None = None
    mapped: Count | None = None
    or_more: bool = False
    same_as: PagePlaceJson | None = None


def frames_json(runs: Sequence[FrameRun] | None) -> tuple[FramesJson, ...] | None:
    """Return the JSON type of `runs`."""
    return None if runs is None else tuple(map(_frames_json, runs))


def frames_of(jsons: Sequence[FramesJson] | None) -> tuple[FrameRun, ...] | None:
    """Undo `frames_json`. Raises ValueError for runs that overlap or are out of order."""
    if jsons is None:
        return None
    _check_order(jsons)
    return tuple(map(_run_of, jsons))


def _frames_json(run: FrameRun) -> FramesJson:
    place = run.same_as
    return FramesJson(
        process=run.process,
        start=to_hex(address_of(run.start)),
        count=run.count,
        owner="unknown" if run.owner is None else run.owner.value,
        file=run.file,
        offset=to_hex_or_none(run.offset),
        mapped=run.mapped,
        or_more=run.or_more,
        same_as=None if place is None else PagePlaceJson(place.process, to_hex(address_of(place.vpn))),
    )


def _run_of(json: FramesJson) -> FrameRun:
    offset, place = from_hex_or_none(json.offset), json.same_as
    return FrameRun(
        process=json.process,
        start=vpn_of(from_hex(json.start)),
        count=json.count,
        owner=None if json.owner == "unknown" else FrameOwner(json.owner),
        file=json.file,
        offset=None if offset is None else FileOffset(offset),
        mapped=json.mapped,
        or_more=json.or_more,
        same_as=None if place is None else PagePlace(place.process, Vpn(vpn_of(from_hex(place.start)))),
    )


def _check_order(jsons: Iterable[FramesJson]) -> None:
    process, free_from = 0, 0
    for run in jsons:
        if run.process > process:
            process, free_from = run.process, 0
        first = vpn_of(from_hex(run.start))
        if run.process < process or first < free_from:
            raise ValueError(f"the frames at {run.start} are out of order")
        free_from = first + run.count
        if free_from > 1 << (64 - PAGE_SHIFT):
            raise ValueError(f"the frames at {run.start} reach past the last address")
