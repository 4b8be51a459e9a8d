"""Whose the frames of resident pages are, judged from what the kernel tells of them.

Of a frame tell its flags (/proc/kpageflags), how often it is mapped (/proc/kpagecount), and the area:

    ZERO_PAGE                                        the zero page
    ANON, mapped once                                private
    ANON, mapped more often                          copy on write
    neither, in an area of the kernel's              the kernel's
    neither, of a file that lives in memory alone    shared memory
    neither, of another file                         page cache
    KSM, or anything else                            could not tell

The zero page is not counted. Of a page of a large folio some kernels tell the folio's average instead of its
own count (CONFIG_NO_PAGE_MAPCOUNT), so that is not taken for one.

Source: fs/proc/page.c:stable_page_flags(), get_kpage_count();
fs/proc/internal.h:folio_precise_page_mapcount().
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from inspector.model.address import FileOffset, Pfn, Vpn, address_of, vpn_of
from inspector.model.frame import FrameOwner, FramePage, frame_runs
from inspector.model.vma import FileBacking, Special
from inspector.observe.procfs.maps import parse_maps
from inspector.observe.procfs.pagemap import frame_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from inspector.model.address import VirtAddr
    from inspector.model.frame import FrameRun
    from inspector.model.observation import RawEvidence, RawFrames
    from inspector.model.vma import Vma

_ANON, _COMPOUND_HEAD, _COMPOUND_TAIL, _KSM, _ZERO_PAGE = (1 << bit for bit in (12, 15, 16, 21, 24))
"""include/uapi/linux/kernel-page-flags.h."""

_Told = tuple[int, int | None]
"""The KPF_ flags of a frame, and how often it is mapped; None: an average."""


def judge_frames(raw: RawEvidence, vmas: Sequence[Vma]) -> tuple[FrameRun, ...] | None:
    """Return the frames of the process whose areas are `vmas`, and of its relatives; None if not seen.

    Raises ValueError if a part of `raw` is not what the kernel prints.
    """
    if raw.frames is None or raw.pagemap is None:
        return None
    told = dict(_told(raw.frames))
    family = [(vmas, raw.pagemap), *((parse_maps(each.maps), each.pagemap) for each in raw.relatives)]
    pages = [
        page for rank, (areas, pagemap) in enumerate(family) for page in _pages(rank, areas, pagemap, told)
    ]
    return frame_runs(pages)


def resident_frames(pagemap: Iterable[tuple[VirtAddr, bytes]]) -> Iterator[Pfn]:
    """Yield the frame of each page of `pagemap`, as far as they may be seen."""
    for _, data in pagemap:
        yield from (Pfn(frame) for frame in frame_numbers(data) if frame)


def _told(runs: Iterable[RawFrames]) -> Iterator[tuple[int, _Told]]:
    for run in runs:
        both = zip(struct.iter_unpack("=Q", run.flags), struct.iter_unpack("=Q", run.counts), strict=True)
        for frame, ((flags,), (count,)) in enumerate(both, run.first):
            is_large = flags & (_COMPOUND_HEAD | _COMPOUND_TAIL)
            yield frame, (flags, None if is_large else count)


def _pages(
    rank: int,
    vmas: Sequence[Vma],
    pagemap: Iterable[tuple[VirtAddr, bytes]],
    told: Mapping[int, _Told],
) -> Iterator[FramePage]:
    following = iter(vmas)
    vma = next(following, None)
    for start, data in pagemap:
        for vpn, frame in enumerate(frame_numbers(data), vpn_of(start)):
            address = address_of(vpn)
            while vma is not None and vma.end <= address:
                vma = next(following, None)
            if frame not in told:
                raise ValueError(f"nothing is told of the frame at {address:#x}")
            home = vma if vma is not None and vma.start <= address else None
            yield _page(rank, Vpn(vpn), frame, told[frame], home)


def _page(rank: int, vpn: Vpn, frame: int, told: _Told, vma: Vma | None) -> FramePage:
    """Return whose the frame of a page in `vma` is, by the table above."""
    flags, mapped = told
    if flags & _ZERO_PAGE:
        return FramePage(rank, vpn, frame, FrameOwner.ZERO)
    if flags & _ANON:
        owner = FrameOwner.PRIVATE if mapped == 1 else FrameOwner.COPY_ON_WRITE
        known = mapped is not None and not flags & _KSM
        return FramePage(rank, vpn, frame, owner if known else None, mapped=mapped)
    match vma.backing if vma is not None else None:
        case Special():
            return FramePage(rank, vpn, frame, FrameOwner.KERNEL, mapped=mapped)
        case FileBacking() as file if vma is not None:
            offset = FileOffset(file.offset + address_of(vpn) - vma.start)
            owner = FrameOwner.SHARED_MEMORY if file.is_shared_memory else FrameOwner.PAGE_CACHE
            return FramePage(rank, vpn, frame, owner, file.path, offset, mapped)
        case _:
            return FramePage(rank, vpn, frame, None, mapped=mapped)
