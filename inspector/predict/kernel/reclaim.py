"""Pages that the program lets the kernel take away, as it does itself when memory is short (mm/vmscan.c).

the process's own       without swap there is nowhere to put them: they stay
    ... after MADV_FREE freed, unless they were written to since: not modelled
a file's, on a disk     unmapped, and dropped from the page cache: to be read again
a file's, on a tmpfs    unmapped; without swap they stay in the page cache
mapped by others too    left alone
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.elf.file import ExecutableFile
from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT
from inspector.model.page import PageKind
from inspector.model.vma import Sharing
from inspector.predict.kernel.rmap import times_mapped
from inspector.predict.kernel.vma import MappedFile

if TYPE_CHECKING:
    from inspector.model.address import AddressRange, Pfn
    from inspector.predict.kernel.task import Task
    from inspector.predict.kernel.vma import VmArea


def pageout(task: Task, area: VmArea, pages: AddressRange) -> None:
    """Reclaim what is resident of `pages`, a part of `area` (rule `cache.reclaimed`). Raises NotModelled.

    Source: mm/madvise.c:madvise_pageout(), madvise_cold_or_pageout_pte_range(), mm/vmscan.c:reclaim_pages().
    """
    entries = list(task.mm.page_tables.entries(pages))
    _require_stays(task, {entry.frame for _, entry in entries if entry.kind is PageKind.ANONYMOUS})
    file = area.origin
    of_file = [(vpn, entry.frame) for vpn, entry in entries if entry.kind is PageKind.FILE]
    if not of_file or not isinstance(file, MappedFile):
        return
    if type(file) is not MappedFile or area.sharing is Sharing.SHARED:
        raise NotModelled("reclaiming shared memory")
    if not isinstance(file.contents, ExecutableFile) or file.contents.stat.st_uid != task.credentials.euid:
        raise NotModelled("reclaiming pages of a file that is someone else's")
    cache = task.kernel.page_cache
    on_disk = cache.lies_on_disk(file)
    if not on_disk and task.kernel.profile.swap_bytes:
        raise NotModelled("reclaiming pages of a tmpfs where there is swap")
    users, folios = times_mapped(task.kernel, file), cache.folios(file)
    dropped = []
    for vpn, frame in of_file:
        index = area.page_offset + vpn - (area.start >> PAGE_SHIFT)
        if folios.around(index) is not None:
            raise NotModelled("reclaiming a large folio")
        if users[frame] == 1:
            task.mm.page_tables.clear(vpn)
            dropped.append(index)
    task.mm.tlb_is_stale = True
    if on_disk:
        cache.drop(file, dropped)


def _require_stays(task: Task, own: set[Pfn]) -> None:
    """Raise NotModelled where frames of the process's own may be taken from it.

    Source: mm/vmscan.c:shrink_folio_list(), mm/rmap.c:try_to_unmap_one().
    """
    if own and task.kernel.profile.swap_bytes:
        raise NotModelled("reclaiming the process's own pages where there is swap")
    if own & task.kernel.memory.lazyfree:
        raise NotModelled("reclaiming pages that MADV_FREE has let go")
