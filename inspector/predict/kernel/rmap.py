"""Who maps a frame (mm/rmap.c): whose each is, in how many page tables it stands, and where.

The kernel counts these as entries come and go (folio_add_file_rmap_ptes() and its kin). Here the page tables
of all processes are gone through: that gives the same number, and cannot have gone wrong before.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SHIFT, FileOffset
from inspector.model.frame import FrameOwner, FramePage, frame_runs
from inspector.model.page import PageKind
from inspector.predict.kernel.shmem import ShmemFile
from inspector.predict.kernel.vma import MappedFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.address import Pfn, Vpn
    from inspector.model.frame import FrameRun
    from inspector.predict.kernel.kernel import Kernel
    from inspector.predict.kernel.task import Task
    from inspector.predict.kernel.vma import VmArea
    from inspector.predict.machine.pagetable import PageTableEntry


def frames_of_family(task: Task) -> tuple[FrameRun, ...] | None:
    """Return the frames of `task` and of all its living descendants; None where one still has things to do.

    How far that one has come when `task` is stopped, the scheduler decides.
    """
    family = list(_family(task))
    others = [each for each in task.kernel.tasks if each.ending is None and each is not task]
    if len(family) - 1 != len(others) or not all(map(_is_at_rest, others)):
        return None
    mapped = times_mapped(task.kernel)
    pages = (page for rank, each in enumerate(family) for page in _pages(rank, each, mapped))
    return frame_runs(pages)


def times_mapped(kernel: Kernel, file: MappedFile | None = None) -> Counter[Pfn]:
    """Return in how many page tables each frame stands; with `file`, those of its areas only.

    Source: include/linux/mm.h:folio_mapcount(), mm/rmap.c:__folio_add_rmap().
    """
    return Counter(
        entry.frame
        for task in kernel.tasks
        if task.ending is None
        for area in task.mm.areas
        if file is None or _maps(area, file)
        for _, entry in task.mm.page_tables.entries(area.range)
        if entry.kind is not None
    )


def _maps(area: VmArea, file: MappedFile) -> bool:
    origin = area.origin
    return isinstance(origin, MappedFile) and (origin.device, origin.inode) == (file.device, file.inode)


def _family(task: Task) -> Iterator[Task]:
    """Yield `task` and its living descendants, children in order of birth, each before its own."""
    yield task
    for child in task.children:
        if child.ending is None:
            yield from _family(child)


def _is_at_rest(task: Task) -> bool:
    """Whether it waits for what only others can bring about."""
    return task.waits_for is not None and not task.goes_on_at_rest and not task.waits_for()


def _pages(rank: int, task: Task, mapped: Counter[Pfn]) -> Iterator[FramePage]:
    for area in task.mm.areas:
        for vpn, entry in task.mm.page_tables.entries(area.range):
            if entry.kind is not None:
                yield _page(rank, task.kernel, area, vpn, entry, mapped[entry.frame])


def _page(rank: int, kernel: Kernel, area: VmArea, vpn: Vpn, entry: PageTableEntry, mapped: int) -> FramePage:
    match entry.kind:
        case PageKind.ZERO:
            return FramePage(rank, vpn, entry.frame, FrameOwner.ZERO)
        case PageKind.ANONYMOUS:
            owner = FrameOwner.PRIVATE if mapped == 1 else FrameOwner.COPY_ON_WRITE
            return FramePage(rank, vpn, entry.frame, owner, mapped=mapped)
    file = area.origin
    if not isinstance(file, MappedFile):
        return FramePage(rank, vpn, entry.frame, FrameOwner.KERNEL, mapped=mapped, or_more=True)
    offset = FileOffset(area.page_offset + vpn - (area.start >> PAGE_SHIFT) << PAGE_SHIFT)
    in_memory = file.at(offset).is_shared_memory
    owner = FrameOwner.SHARED_MEMORY if in_memory else FrameOwner.PAGE_CACHE
    # Of the program's own file others wait until it is done, and memory that it made itself they do not know.
    or_more = file.path != kernel.own_file and not isinstance(file, ShmemFile)
    return FramePage(rank, vpn, entry.frame, owner, file.path, offset, mapped, or_more=or_more)
