"""Snapshots: registers, areas, pages, counters, auxv; the same in predictions and recordings.

The initial stack stands beside the snapshots, once: only the one at exec has it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Annotated, Literal

from msgspec import Meta, Struct

from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, Pfn, VirtAddr, Vpn, address_of, vpn_of
from inspector.model.auxv import AuxEntry
from inspector.model.document.frame import MAX_PAGES, FramesJson, RunLength, frames_json, frames_of
from inspector.model.document.rule import known_rule
from inspector.model.document.scalars import (
    Bytes16,
    Count,
    Hex,
    Hex32,
    PageHex,
    from_bytes16,
    from_hex,
    from_hex_or_none,
    to_hex,
    to_hex_or_none,
)
from inspector.model.document.vma import VmaJson, vma_json, vmas_of
from inspector.model.page import PageKind, PageState
from inspector.model.registers import REGISTER_NAMES, Registers
from inspector.model.snapshot import Snapshot, StackImage, Unpredictable

State = Literal["file", "anonymous", "zero", "special", "unknown"]
RegisterName = Annotated[str, Meta(pattern=f"^({'|'.join(REGISTER_NAMES)})$")]


class RegistersJson(Struct, frozen=True):
    """The i386 user registers."""

    eax: Hex32
    ebx: Hex32
    ecx: Hex32
    edx: Hex32
    esi: Hex32
    edi: Hex32
    ebp: Hex32
    esp: Hex32
    eip: Hex32
    eflags: Hex32
    cs: Hex32
    ss: Hex32
    ds: Hex32
    es: Hex32
    fs: Hex32
    gs: Hex32


class PagesJson(Struct, frozen=True, omit_defaults=True):
    """A run of `count` resident pages in the same state.

    `pfns` has one frame number a page, and is there only where one was seen.
    """

    start: PageHex
    count: RunLength
    state: State
    pfns: tuple[Count | None, ...] | None = None


class AuxEntryJson(Struct, frozen=True):
    """An entry of the auxiliary vector; `name` is for the reader."""

    type: Count
    name: str
    value: Hex


class SnapshotJson(Struct, frozen=True):
    """The process at one checkpoint. null: not known on this side; counts start at execve."""

    checkpoint: str
    registers: RegistersJson | None
    vmas: tuple[VmaJson, ...] | None
    pages: tuple[PagesJson, ...] | None
    minor_faults: Count | None
    major_faults: Count | None
    page_table_bytes: Count | None
    brk: Hex | None
    auxv: tuple[AuxEntryJson, ...] | None
    random_registers: Annotated[
        tuple[RegisterName, ...] | None,
        Meta(description="predicted registers that depend on random bytes; null: not found out"),
    ] = None
    frames: Annotated[
        tuple[FramesJson, ...] | None,
        Meta(description="of these pages, and of those of the processes it has forked; null: not seen"),
    ] = None


class UnpredictableJson(Struct, frozen=True):
    """Bytes of the stack that no one can know beforehand, and the rule that says why."""

    start: Hex
    length: Count
    rule: str


class StackJson(Struct, frozen=True):
    """The initial stack, from the stack pointer to the top of its area."""

    sp: Hex
    bytes: Bytes16
    unpredictable: tuple[UnpredictableJson, ...]


def snapshot_json(snapshot: Snapshot) -> SnapshotJson:
    """Return the JSON type of `snapshot`, which leaves its stack out (see `stack_json`)."""
    pages, auxv = snapshot.pages, snapshot.auxv
    return SnapshotJson(
        checkpoint=snapshot.checkpoint,
        registers=None if snapshot.registers is None else registers_json(snapshot.registers),
        vmas=None if snapshot.vmas is None else tuple(map(vma_json, snapshot.vmas)),
        pages=None if pages is None else tuple(_runs(pages)),
        minor_faults=snapshot.minor_faults,
        major_faults=snapshot.major_faults,
        page_table_bytes=snapshot.page_table_bytes,
        brk=to_hex_or_none(snapshot.brk),
        auxv=None if auxv is None else tuple(AuxEntryJson(e.type, e.name, to_hex(e.value)) for e in auxv),
        random_registers=snapshot.random_registers,
        frames=frames_json(snapshot.frames),
    )


def stack_json(snapshots: Iterable[Snapshot]) -> StackJson | None:
    """Return the JSON type of the initial stack, which the snapshot at exec holds."""
    stack = next((snapshot.stack for snapshot in snapshots if snapshot.stack is not None), None)
    if stack is None:
        return None
    gaps = tuple(UnpredictableJson(to_hex(gap.start), gap.length, gap.rule) for gap in stack.unpredictable)
    return StackJson(to_hex(stack.sp), stack.contents.hex(), gaps)


def snapshots_of(jsons: Sequence[SnapshotJson], stack: StackJson | None) -> tuple[Snapshot, ...]:
    """Undo `snapshot_json` for all snapshots of a document, and `stack_json`.

    Raises ValueError for areas or pages that overlap or are out of order, and for a stack without an exec.
    """
    if sum(run.count for json in jsons for run in json.pages or ()) > MAX_PAGES:
        raise ValueError(f"more than {MAX_PAGES} pages")
    if sum(run.count for json in jsons for run in json.frames or ()) > MAX_PAGES:
        raise ValueError(f"more than {MAX_PAGES} frames")
    snapshots = [_snapshot_of(json) for json in jsons]
    if stack is not None:
        at_exec = next((n for n, snapshot in enumerate(snapshots) if snapshot.checkpoint == "exec"), None)
        if at_exec is None:
            raise ValueError("there is a stack, but no snapshot at exec")
        snapshots[at_exec] = replace(snapshots[at_exec], stack=_stack_of(stack))
    return tuple(snapshots)


def registers_json(registers: Registers) -> RegistersJson:
    """Return the JSON type of `registers`."""
    return RegistersJson(**{name: to_hex(getattr(registers, name)) for name in REGISTER_NAMES})


def _snapshot_of(json: SnapshotJson) -> Snapshot:
    registers, brk = json.registers, from_hex_or_none(json.brk)
    return Snapshot(
        checkpoint=json.checkpoint,
        registers=None if registers is None else _registers_of(registers),
        vmas=None if json.vmas is None else vmas_of(json.vmas),
        pages=None if json.pages is None else tuple(_pages_of(json.pages)),
        minor_faults=json.minor_faults,
        major_faults=json.major_faults,
        page_table_bytes=json.page_table_bytes,
        auxv=None if json.auxv is None else tuple(AuxEntry(e.type, from_hex(e.value)) for e in json.auxv),
        random_registers=json.random_registers,
        brk=None if brk is None else VirtAddr(brk),
        frames=frames_of(json.frames),
    )


def _registers_of(json: RegistersJson) -> Registers:
    return Registers(**{name: from_hex(getattr(json, name)) for name in REGISTER_NAMES})


def _runs(pages: Sequence[PageState]) -> Iterator[PagesJson]:
    # Within a run of consecutive pages, page number minus position stays the same.
    for (_, kind), members in groupby(
        enumerate(pages), key=lambda item: (item[1].vpn - item[0], item[1].kind)
    ):
        run = [page for _, page in members]
        seen = any(page.pfn is not None for page in run)
        yield PagesJson(
            start=to_hex(run[0].address),
            count=len(run),
            state="unknown" if kind is None else kind.value,
            pfns=tuple(page.pfn for page in run) if seen else None,
        )


def _pages_of(runs: Iterable[PagesJson]) -> Iterator[PageState]:
    free_from = 0
    for run in runs:
        first = vpn_of(from_hex(run.start))
        if first < free_from:
            raise ValueError(f"the pages at {run.start} are out of order")
        if run.pfns is not None and len(run.pfns) != run.count:
            raise ValueError(f"the {run.count} pages at {run.start} have {len(run.pfns)} frame numbers")
        free_from = first + run.count
        if free_from > 1 << (64 - PAGE_SHIFT):
            raise ValueError(f"the pages at {run.start} reach past the last address")
        kind = None if run.state == "unknown" else PageKind(run.state)
        for number in range(run.count):
            pfn = None if run.pfns is None else run.pfns[number]
            yield PageState(Vpn(first + number), kind, None if pfn is None else Pfn(pfn))


def _stack_of(json: StackJson) -> StackImage:
    sp, contents = from_hex(json.sp), from_bytes16(json.bytes)
    gaps = tuple(
        Unpredictable(VirtAddr(from_hex(g.start)), g.length, known_rule(g.rule)) for g in json.unpredictable
    )
    for gap in gaps:
        if not sp <= gap.start <= gap.start + gap.length <= sp + len(contents):
            raise ValueError(f"the unpredictable bytes at {gap.start:#x} lie outside the stack")
    return StackImage(VirtAddr(sp), contents, gaps)


def address_runs(addresses: Sequence[int]) -> Iterator[tuple[str, int]]:
    """Yield (first address, count) for each run of consecutive pages among ascending page addresses."""
    keyed = groupby(enumerate(addresses), key=lambda item: item[1] - item[0] * PAGE_SIZE)
    for _, members in keyed:
        run = [address for _, address in members]
        yield to_hex(run[0]), len(run)


def addresses_of(runs: Iterable[tuple[str, int]]) -> Iterator[VirtAddr]:
    """Undo `address_runs`."""
    for start, count in runs:
        first = vpn_of(from_hex(start))
        yield from (address_of(first + number) for number in range(count))
