"""The bytes a recording was made from, one set a checkpoint, so that it can be judged again."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from inspector.model.address import PAGE_SHIFT, Pfn, VirtAddr, vpn_of
from inspector.model.document.frame import MAX_PAGES, RunLength
from inspector.model.document.scalars import Count, PageHex, from_hex, to_hex
from inspector.model.document.snapshot import address_runs, addresses_of
from inspector.model.observation import RawEvidence, RawFrames, RawRelative
from inspector.model.snapshot import FaultCounts

_ENTRY_BYTES = 8


class PagemapJson(Struct, frozen=True):
    """The pagemap entries of consecutive pages, eight bytes each, from the page at `start` on."""

    start: PageHex
    entries: bytes


class PageRunJson(Struct, frozen=True):
    """`count` consecutive pages from `start` on."""

    start: PageHex
    count: RunLength


class FaultCountsJson(Struct, frozen=True):
    """Page faults since the process was born."""

    minor: Count
    major: Count


class RelativeJson(Struct, frozen=True):
    """What was read of a process that the program had forked."""

    maps: bytes
    pagemap: tuple[PagemapJson, ...]


class RawFramesJson(Struct, frozen=True):
    """/proc/kpageflags and /proc/kpagecount from frame `first` on, eight bytes a frame."""

    first: Count
    flags: bytes
    counts: bytes


class EvidenceJson(Struct, frozen=True):
    """What /proc held at one checkpoint, byte for byte. null: it could not be read.

    `baseline` is what had been counted just before execve.
    """

    checkpoint: str
    maps: bytes
    smaps: bytes | None
    auxv: bytes | None
    status: bytes
    stat: bytes
    pagemap: tuple[PagemapJson, ...] | None
    zero_pages: Annotated[tuple[PageRunJson, ...] | None, Meta(description="pages that map the zero page")]
    baseline: FaultCountsJson
    word_bytes: Annotated[Literal[4, 8], Meta(description="word size of the program, by which auxv is read")]
    relatives: Annotated[
        tuple[RelativeJson, ...], Meta(description="in order of birth; only with `frames`")
    ] = ()
    frames: Annotated[
        tuple[RawFramesJson, ...] | None, Meta(description="of all resident pages; null: not to be seen")
    ] = None


def evidence_json(raw: RawEvidence) -> EvidenceJson:
    """Return the JSON type of `raw`."""
    pagemap, zeros = raw.pagemap, raw.zero_pages
    return EvidenceJson(
        checkpoint=raw.checkpoint,
        maps=raw.maps,
        smaps=raw.smaps,
        auxv=raw.auxv,
        status=raw.status,
        stat=raw.stat,
        pagemap=None if pagemap is None else _pagemap_json(pagemap),
        zero_pages=None if zeros is None else tuple(PageRunJson(*run) for run in address_runs(zeros)),
        baseline=FaultCountsJson(raw.baseline.minor, raw.baseline.major),
        word_bytes=8 if raw.word_bytes == 8 else 4,  # noqa: PLR2004 - the two there are
        relatives=tuple(RelativeJson(each.maps, _pagemap_json(each.pagemap)) for each in raw.relatives),
        frames=None
        if raw.frames is None
        else tuple(RawFramesJson(run.first, run.flags, run.counts) for run in raw.frames),
    )


def _pagemap_json(runs: Iterable[tuple[VirtAddr, bytes]]) -> tuple[PagemapJson, ...]:
    return tuple(PagemapJson(to_hex(start), entries) for start, entries in runs)


def evidences_of(jsons: Sequence[EvidenceJson]) -> tuple[RawEvidence, ...]:
    """Undo `evidence_json` for all of a document.

    Raises ValueError for pages that overlap or are out of order.
    """
    if sum(run.count for json in jsons for run in json.zero_pages or ()) > MAX_PAGES:
        raise ValueError(f"more than {MAX_PAGES} zero pages")
    return tuple(map(_evidence_of, jsons))


def _evidence_of(json: EvidenceJson) -> RawEvidence:
    return RawEvidence(
        checkpoint=json.checkpoint,
        maps=json.maps,
        smaps=json.smaps,
        auxv=json.auxv,
        status=json.status,
        stat=json.stat,
        pagemap=None if json.pagemap is None else _pagemap_of(json.pagemap),
        zero_pages=None if json.zero_pages is None else _zero_pages_of(json.zero_pages),
        baseline=FaultCounts(json.baseline.minor, json.baseline.major),
        word_bytes=json.word_bytes,
        relatives=tuple(RawRelative(each.maps, _pagemap_of(each.pagemap)) for each in json.relatives),
        frames=None if json.frames is None else tuple(map(_raw_frames_of, json.frames)),
    )


def _raw_frames_of(json: RawFramesJson) -> RawFrames:
    if len(json.flags) % _ENTRY_BYTES or len(json.flags) != len(json.counts):
        raise ValueError(f"of the frames from {json.first} on not each has its flags and its count")
    return RawFrames(Pfn(json.first), json.flags, json.counts)


def _pagemap_of(runs: Sequence[PagemapJson]) -> tuple[tuple[VirtAddr, bytes], ...]:
    for run in runs:
        if len(run.entries) % _ENTRY_BYTES:
            raise ValueError(f"the pagemap at {run.start} holds part of an entry")
    _check_order((run.start, len(run.entries) // _ENTRY_BYTES) for run in runs)
    return tuple((VirtAddr(from_hex(run.start)), run.entries) for run in runs)


def _zero_pages_of(runs: Sequence[PageRunJson]) -> tuple[VirtAddr, ...]:
    extents = [(run.start, run.count) for run in runs]
    _check_order(extents)
    return tuple(addresses_of(extents))


def _check_order(runs: Iterable[tuple[str, int]]) -> None:
    free_from = 0
    for start, count in runs:
        first = vpn_of(from_hex(start))
        free_from, previous_end = first + count, free_from
        if first < previous_end or free_from > 1 << (64 - PAGE_SHIFT):
            raise ValueError(f"the pages at {start} are out of order or reach past the last address")
