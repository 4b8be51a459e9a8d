"""Which pages are resident, and which of them are the zero page, from an open pagemap.

Two ways lead there, and the first the kernel allows is taken:

    PAGEMAP_SCAN       (Linux 6.7) walks the page tables, so that holes cost nothing, and names the zero
                       page to anyone who may open the pagemap
    every entry        is read, in chunks; the zero page is then told by its frame's flags, for those who
                       may see frames (CAP_SYS_ADMIN), and not at all by others

Source: fs/proc/task_mmu.c:pagemap_read(), do_pagemap_scan(); fs/proc/page.c:stable_page_flags().
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.errors import CannotObserve
from inspector.model.address import PAGE_SHIFT, AddressRange, Pfn, VirtAddr, address_of, vpn_of
from inspector.observe.procfs import pagemap_scan
from inspector.observe.procfs.pagemap import ENTRY_BYTES, parse_pagemap, present_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from inspector.observe.procfs.pagemap_scan import PresentRegion

    FrameFlags = Callable[[Iterable[Pfn]], dict[Pfn, int] | None]
    """The KPF_ flags of frames, or None for a reader who may not see them."""

SEARCH_LIMIT_BYTES = 1 << 40
"""Most addresses that are searched entry by entry; their 2 GiB of pagemap take a second or two."""
_CHUNK_BYTES = 1 << 29
"""Addresses searched at a time: 1 MiB of entries."""
_SCAN_REGIONS = 512
_KPF_ZERO_PAGE = 1 << 24
"""include/uapi/linux/kernel-page-flags.h"""


@dataclass(frozen=True, slots=True)
class ResidentPages:
    """The raw evidence of what is resident."""

    pagemap: tuple[tuple[VirtAddr, bytes], ...]
    """(first address, pagemap entries) of every run of present pages, ascending."""
    zero_pages: tuple[VirtAddr, ...] | None
    """Those that map the shared zero page, ascending. None: it could not be told."""


def find_resident(pagemap: int, areas: Sequence[AddressRange], frame_flags: FrameFlags) -> ResidentPages:
    """Return the present pages of `areas`, ascending ranges of whole pages, by the descriptor `pagemap`.

    CannotObserve if the kernel has no PAGEMAP_SCAN and the areas exceed SEARCH_LIMIT_BYTES; OSError as the
    kernel gives it.
    """
    if not areas:
        return ResidentPages((), ())
    regions = scan(pagemap, AddressRange(areas[0].start, areas[-1].end))
    return search(pagemap, areas, frame_flags) if regions is None else _read_regions(pagemap, regions)


def scan(pagemap: int, area: AddressRange) -> list[PresentRegion] | None:
    """Return the present regions of `area`, ascending; None where the kernel has no PAGEMAP_SCAN."""
    vector = array.array("Q", bytes(8 * pagemap_scan.REGION_WORDS * _SCAN_REGIONS))
    regions: list[PresentRegion] = []
    start = area.start
    while start < area.end:
        rest = AddressRange(start, area.end)
        argument = pagemap_scan.scan_argument(rest, vector.buffer_info()[0], _SCAN_REGIONS)
        try:
            found = fcntl.ioctl(pagemap, pagemap_scan.PAGEMAP_SCAN, argument)
        except OSError as error:
            if error.errno == errno.ESRCH:
                raise
            return None  # ENOTTY from a kernel without it, EPERM from a sandbox
        regions += pagemap_scan.parse_regions(vector[: found * pagemap_scan.REGION_WORDS].tobytes())
        reached = pagemap_scan.walk_end(argument)
        if reached <= start:
            break
        start = reached
    return regions


def search(pagemap: int, areas: Sequence[AddressRange], frame_flags: FrameFlags) -> ResidentPages:
    """Return the present pages of `areas` by reading the entry of every page they have."""
    size = sum(area.size_bytes for area in areas)
    if size > SEARCH_LIMIT_BYTES:
        message = f"the process maps {size >> 30} GiB, too much to search for resident pages"
        raise CannotObserve(message, help="Linux 6.7 and later can be asked for them (PAGEMAP_SCAN).")
    runs = tuple(run for area in areas for chunk in _chunks(area) for run in _read_runs(pagemap, chunk))
    return ResidentPages(runs, _zero_pages_by_frame(runs, frame_flags))


def _read_regions(pagemap: int, regions: Sequence[PresentRegion]) -> ResidentPages:
    runs = tuple(run for area in _joined(regions) for run in _read_runs(pagemap, area))
    zero = tuple(address_of(vpn) for region in regions if region.zero for vpn in region.range.vpns())
    return ResidentPages(runs, zero)


def _joined(regions: Iterable[PresentRegion]) -> Iterator[AddressRange]:
    """Yield the ranges of `regions`, those that touch as one: one read of pagemap then serves them."""
    joined: AddressRange | None = None
    for region in regions:
        if joined is not None and joined.end == region.range.start:
            joined = AddressRange(joined.start, region.range.end)
            continue
        if joined is not None:
            yield joined
        joined = region.range
    if joined is not None:
        yield joined


def _chunks(area: AddressRange) -> Iterator[AddressRange]:
    for start in range(area.start, area.end, _CHUNK_BYTES):
        yield AddressRange(VirtAddr(start), VirtAddr(min(start + _CHUNK_BYTES, area.end)))


def _read_runs(pagemap: int, area: AddressRange) -> Iterator[tuple[VirtAddr, bytes]]:
    size = (area.size_bytes >> PAGE_SHIFT) * ENTRY_BYTES
    offset = vpn_of(area.start) * ENTRY_BYTES
    data = b""
    while piece := os.pread(pagemap, size - len(data), offset + len(data)):
        data += piece
    return present_runs(data, area.start)


def _zero_pages_by_frame(
    runs: Iterable[tuple[VirtAddr, bytes]], frame_flags: FrameFlags
) -> tuple[VirtAddr, ...] | None:
    """Return the pages of `runs` whose frame is the zero page; None if that cannot be seen."""
    # Only a page that is neither exclusive nor file-or-shared can be of the (small) zero page.
    entries = (entry for start, data in runs for entry in parse_pagemap(data, start))
    doubtful = [entry for entry in entries if not entry.exclusive and not entry.file_or_shared]
    if not doubtful:
        return ()
    frames = {entry.pfn for entry in doubtful if entry.pfn is not None}
    flags = frame_flags(frames) if frames else None
    if flags is None:
        return None
    zero = {frame for frame, bits in flags.items() if bits & _KPF_ZERO_PAGE}
    return tuple(address_of(entry.vpn) for entry in doubtful if entry.pfn in zero)
