"""A snapshot of a process, from what /proc says of it.

`take_snapshot` only collects bytes; `snapshot_from_raw` judges them. A recording keeps the bytes, so what
was judged on the day can be judged again by the same code.

What a present page is follows from its pagemap entry, its VMA and the zero pages found with it:

    zero page                                     ZERO
    file-or-shared, in a VMA of the kernel's      SPECIAL
    file-or-shared, in a private anonymous VMA    ZERO: no file is there, but the huge zero page has the bit
    file-or-shared, elsewhere                     FILE
    none of these, and exclusively mapped         ANONYMOUS: the zero page is never exclusive
    none of these, and the zero pages are known   ANONYMOUS
    none of these                                 could not tell: None

So a vdso page that a debugger wrote to, and thereby copied, is ANONYMOUS.

Source: fs/proc/task_mmu.c:pte_to_pagemap_entry(), pagemap_pmd_range(), pagemap_page_category().
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.errors import BadDocument, CannotObserve, ProcessVanished
from inspector.model.address import AddressRange, VirtAddr, address_of
from inspector.model.observation import RawEvidence, RawRelative
from inspector.model.page import PageKind, PageState
from inspector.model.snapshot import FaultCounts, Snapshot, StackImage
from inspector.model.vma import Anonymous, Sharing, Special, Vma
from inspector.observe.frames import judge_frames, resident_frames
from inspector.observe.procfs.auxv import parse_auxv
from inspector.observe.procfs.files import ProcessFiles, read_frames
from inspector.observe.procfs.maps import parse_maps
from inspector.observe.procfs.pagemap import ENTRY_BYTES, PagemapEntry, parse_pagemap
from inspector.observe.procfs.smaps import parse_smaps
from inspector.observe.procfs.stat import Stat, parse_stat
from inspector.observe.procfs.status import parse_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeVar

    from inspector.model.registers import Registers

    T = TypeVar("T")


def take_snapshot(
    pid: int,
    checkpoint: str,
    *,
    baseline: FaultCounts,
    registers: Registers | None,
    relatives: Sequence[int] | None,
    stack: StackImage | None = None,
    word_bytes: int = 4,
) -> tuple[Snapshot, RawEvidence]:
    """Return what /proc shows of process `pid` now, and the bytes it was read from.

    The process should be stopped: of a running one the parts may be of different moments. `baseline` is
    `read_fault_counts` of just before execve; `word_bytes` the word size of the program, not of the kernel;
    `registers` and `stack` come from whoever stopped it. `relatives` are all that it has forked and that is
    alive (`family_at_rest()`), for the frames of its pages and of theirs; None: frames are not looked at.
    What this machine does not show (smaps, auxv, pagemap, frames) is None in the snapshot. Nothing in the
    process changes: no page becomes resident by this.

    Raises ProcessVanished if the process ends (or, running, calls execve) meanwhile, and CannotObserve if
    it may not be looked at.
    """
    with ProcessFiles(pid) as files:
        maps = files.maps()
        areas = [vma.range for vma in parse_maps(maps) if not _is_outside_mm(vma)]
        resident = _if_shown(lambda: files.resident_pages(areas))
        raw = RawEvidence(
            checkpoint=checkpoint,
            maps=maps,
            smaps=_if_shown(files.smaps),
            auxv=_if_shown(files.auxv),
            pagemap=None if resident is None else resident.pagemap,
            zero_pages=None if resident is None else resident.zero_pages,
            stat=files.stat(),
            status=files.status(),
            baseline=baseline,
            word_bytes=word_bytes,
        )
    if relatives is not None:
        raw = _with_frames(raw, relatives)
    # Read last, it tells whether the address space was there to the end: exit takes it before the process.
    if parse_status(raw.status).page_table_bytes is None:
        message = f"process {pid} ended while it was looked at"
        raise ProcessVanished(message, help="It has ended; start it again.")
    return snapshot_from_raw(raw, registers=registers, stack=stack), raw


def _with_frames(raw: RawEvidence, relatives: Sequence[int]) -> RawEvidence:
    """Return `raw` with what the kernel tells of every frame; as it is where frames are not to be seen."""
    if raw.pagemap is None:
        return raw
    try:
        family = tuple(map(_relative, relatives))
    except CannotObserve:  # it is another user's, for one
        return raw
    pagemaps = [raw.pagemap, *(each.pagemap for each in family)]
    found = [frame for pagemap in pagemaps for frame in resident_frames(pagemap)]
    pages = sum(len(entries) // ENTRY_BYTES for pagemap in pagemaps for _, entries in pagemap)
    frames = read_frames(found) if len(found) == pages else None
    return raw if frames is None else replace(raw, relatives=family, frames=frames)


def _relative(pid: int) -> RawRelative:
    with ProcessFiles(pid) as files:
        maps = files.maps()
        areas = [vma.range for vma in parse_maps(maps) if not _is_outside_mm(vma)]
        return RawRelative(maps, files.resident_pages(areas).pagemap)


def snapshot_from_raw(
    raw: RawEvidence, *, registers: Registers | None = None, stack: StackImage | None = None
) -> Snapshot:
    """Return the snapshot that the bytes of `raw` amount to; `registers` and `stack` are taken over.

    Raises BadDocument, naming the checkpoint, if a part of `raw` is not what the kernel prints.
    """
    try:
        return _judge(raw, registers, stack)
    except ValueError as error:
        message = f"the evidence of checkpoint {raw.checkpoint!r} cannot be read: {error}"
        raise BadDocument(message, help="The recording is damaged; make it again.") from error


def read_stack(pid: int, snapshot: Snapshot) -> StackImage | None:
    """Return the initial stack, from the stack pointer to the end of its area; None if there is no such area.

    `snapshot` is of this moment and has registers. No page becomes resident by this. ASLR may put more
    than a page between the strings and the tables (arch_align_stack()). A page of that gap is absent: an
    anonymous page nobody has touched reads as zeros.
    """
    if snapshot.registers is None:
        return None
    sp = snapshot.registers.esp
    area = next((vma for vma in snapshot.vmas or () if sp in vma.range), None)
    if area is None:
        return None
    present = None if snapshot.pages is None else {page.vpn for page in snapshot.pages}
    image = AddressRange(VirtAddr(sp), area.end)
    contents = b""
    with ProcessFiles(pid) as files:
        for vpn in image.vpns():
            part = AddressRange(max(image.start, address_of(vpn)), address_of(vpn + 1))
            is_there = present is None or vpn in present
            contents += files.memory(part) if is_there else bytes(part.size_bytes)
    return StackImage(image.start, contents)


def read_fault_counts(pid: int) -> FaultCounts:
    """Return the minor and major faults of process `pid` since its birth; ProcessVanished if it is gone.

    Of a process that ended but is not yet reaped, these are its final counts.
    """
    with ProcessFiles(pid) as files:
        return _fault_counts(parse_stat(files.stat()))


def _judge(raw: RawEvidence, registers: Registers | None, stack: StackImage | None) -> Snapshot:
    vmas = _with_flags(parse_maps(raw.maps), raw.smaps)
    stat = parse_stat(raw.stat)
    faults = _fault_counts(stat) - raw.baseline
    return Snapshot(
        checkpoint=raw.checkpoint,
        registers=registers,
        vmas=vmas,
        pages=None if raw.pagemap is None else tuple(_pages(raw, vmas)),
        frames=judge_frames(raw, vmas),
        minor_faults=faults.minor,
        major_faults=faults.major,
        page_table_bytes=parse_status(raw.status).page_table_bytes,
        auxv=None if raw.auxv is None else parse_auxv(raw.auxv, raw.word_bytes),
        stack=stack,
        # Those who may not ptrace the process are shown 0 in place of both (fs/proc/array.c:do_task_stat());
        # a heap may start at 0, a stack does not.
        brk=stat.start_brk if stat.start_stack else None,
    )


def _with_flags(vmas: tuple[Vma, ...], smaps: bytes | None) -> tuple[Vma, ...]:
    """Return `vmas` with the flags smaps gives to the same area; None for one it does not have."""
    if smaps is None:
        return vmas
    flags = {replace(area.vma, flags=None): area.vma.flags for area in parse_smaps(smaps)}
    return tuple(replace(vma, flags=flags.get(vma)) for vma in vmas)


def _pages(raw: RawEvidence, vmas: Sequence[Vma]) -> Iterator[PageState]:
    zero_pages = None if raw.zero_pages is None else frozenset(raw.zero_pages)
    following = iter(vmas)
    vma = next(following, None)
    for start, data in raw.pagemap or ():
        for entry in parse_pagemap(data, start):
            address = address_of(entry.vpn)
            while vma is not None and vma.end <= address:
                vma = next(following, None)
            if entry.present:
                home = vma if vma is not None and address in vma.range else None
                yield PageState(entry.vpn, _kind(entry, home, zero_pages), entry.pfn)


def _kind(entry: PagemapEntry, vma: Vma | None, zero_pages: frozenset[VirtAddr] | None) -> PageKind | None:
    """Return what the present page of `entry` in `vma` is, by the table above; None: could not tell."""
    if zero_pages is not None and address_of(entry.vpn) in zero_pages:
        return PageKind.ZERO
    if entry.file_or_shared:
        match vma:
            case Vma(backing=Special()):
                return PageKind.SPECIAL
            case Vma(backing=Anonymous(), sharing=Sharing.PRIVATE):
                return PageKind.ZERO
            case _:
                return PageKind.FILE
    return PageKind.ANONYMOUS if entry.exclusive or zero_pages is not None else None


def _fault_counts(stat: Stat) -> FaultCounts:
    return FaultCounts(stat.minflt, stat.majflt)


def _is_outside_mm(vma: Vma) -> bool:
    # [vsyscall] is listed though it is in the kernel's half: get_gate_vma() makes it up, no mm holds it.
    return bool(vma.start >> 63)


def _if_shown(read: Callable[[], T]) -> T | None:
    """Return what `read` returns, or None if this machine does not show it."""
    try:
        return read()
    except ProcessVanished:
        raise
    except CannotObserve:
        return None
