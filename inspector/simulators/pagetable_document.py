"""Addresses taken apart and the cost of tables as JSON; the answers of a question are null."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inspector.simulators.pagetable import SplitAddress, TableCost


class SplitJson(msgspec.Struct):
    """An address by one geometry: the index into each level's table, from the top, and the offset."""

    geometry: str
    address: str
    indices: list[int] | None
    offset: int | None


class CostJson(msgspec.Struct):
    """The tables that the pages need: how many of each level, from the top, and their bytes."""

    geometry: str
    tables: list[int] | None
    bytes: int | None
    bytes_of_all_processes: int | None


class StopJson(msgspec.Struct):
    """A program's tables at one stop: by geometry, and the kernel's own (VmPTE)."""

    checkpoint: str
    bytes: dict[str, int] | None
    page_table_bytes: int | None


class PageTableJson(msgspec.Struct, omit_defaults=True):
    """What was asked: inspector.pagetable/1."""

    schema: str
    addresses: list[SplitJson] | None = None
    pages: int | None = None
    processes: int | None = None
    costs: list[CostJson] | None = None
    program: str | None = None
    stops: list[StopJson] | None = None


_SCHEMA = "inspector.pagetable/1"


def splits_json(splits: Sequence[tuple[str, SplitAddress]], *, solve: bool) -> bytes:
    """Return addresses taken apart as one line of JSON."""
    addresses = [
        SplitJson(
            name, f"{each.address:#x}", list(each.indices) if solve else None, each.offset if solve else None
        )
        for name, each in splits
    ]
    return msgspec.json.encode(PageTableJson(_SCHEMA, addresses=addresses))


def costs_json(costs: Sequence[TableCost], pages: int, processes: int, *, solve: bool) -> bytes:
    """Return the cost of tables as one line of JSON."""
    rows = [
        CostJson(each.geometry.name, list(each.tables), each.bytes, each.bytes * processes)
        if solve
        else CostJson(each.geometry.name, None, None, None)
        for each in costs
    ]
    return msgspec.json.encode(PageTableJson(_SCHEMA, pages=pages, processes=processes, costs=rows))


def stops_json(program: str, stops: Sequence[tuple[str, Mapping[str, int], int]], *, solve: bool) -> bytes:
    """Return a program's tables at its stops as one line of JSON."""
    rows = [
        StopJson(stop, dict(needed), kernel) if solve else StopJson(stop, None, None)
        for stop, needed, kernel in stops
    ]
    return msgspec.json.encode(PageTableJson(_SCHEMA, program=program, stops=rows))
