"""Keeping memory resident (mm/mlock.c). What is locked is populated at once; nothing else can be seen of it.

mm.def_flags holds VM_LOCKED after mlockall(MCL_FUTURE): every mapping made from then on is locked, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SIZE, AddressRange, VirtAddr, page_up
from inspector.model.program import CAP_IPC_LOCK, UNLIMITED
from inspector.model.vma import Special, VmFlag
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.gup import mm_populate, populate

if TYPE_CHECKING:
    from inspector.predict.kernel.mm import AddressSpace
    from inspector.predict.kernel.task import Task
    from inspector.predict.kernel.vma import VmArea

_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_RLIMIT_MEMLOCK = 8


def can_do_mlock(task: Task) -> bool:
    """Whether the task may lock anything at all. Source: mm/mlock.c:can_do_mlock()."""
    return _limit(task) != 0


def mlock_future_ok(task: Task, flags: VmFlag, size: int) -> bool:
    """Whether `size` bytes more with `flags` keep within the limit. Source: mm/mmap.c:mlock_future_ok()."""
    return VmFlag.LOCKED not in flags or _locked_bytes(task.mm) + size <= _limit(task) & -PAGE_SIZE


def mlock(task: Task, address: int, length: int) -> int:
    """Lock the pages of `length` bytes. Raises KernelError(EPERM, ENOMEM or EINVAL).

    Source: mm/mlock.c:do_mlock().
    """
    if not can_do_mlock(task):
        raise KernelError(Errno.EPERM)
    start, size = address & -PAGE_SIZE, page_up(length + address % PAGE_SIZE)
    pages = AddressRange(VirtAddr(start), VirtAddr(start + size))
    before = sum(
        min(area.end, pages.end) - max(area.start, pages.start)
        for area in task.mm.areas
        if VmFlag.LOCKED in area.flags and area.range.overlaps(pages)
    )
    if _locked_bytes(task.mm) + size - before > _limit(task) & -PAGE_SIZE:
        raise KernelError(Errno.ENOMEM)
    _apply_vma_lock_flags(task, pages, VmFlag.LOCKED)
    try:
        populate(task, start, size)
    except KernelError as error:
        raise KernelError(Errno.ENOMEM) from error
    return 0


def munlock(task: Task, address: int, length: int) -> int:
    """Unlock the pages of `length` bytes; they stay. Raises KernelError(ENOMEM or EINVAL).

    Source: mm/mlock.c:munlock().
    """
    start, size = address & -PAGE_SIZE, page_up(length + address % PAGE_SIZE)
    _apply_vma_lock_flags(task, AddressRange(VirtAddr(start), VirtAddr(start + size)), VmFlag.NONE)
    return 0


def mlockall(task: Task, flags: int) -> int:
    """Lock all that is mapped, or will be. Raises KernelError(EINVAL, EPERM or ENOMEM).

    With MCL_CURRENT everything is populated, what cannot be locked too, such as the vdso.
    Source: mm/mlock.c:mlockall().
    """
    if not flags or flags & ~(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) or flags == _MCL_ONFAULT:
        raise KernelError(Errno.EINVAL)
    if flags & _MCL_ONFAULT:
        raise NotModelled("mlockall with MCL_ONFAULT")
    if not can_do_mlock(task):
        raise KernelError(Errno.EPERM)
    if flags & _MCL_CURRENT and task.mm.areas.total_bytes > _limit(task) & -PAGE_SIZE:
        raise KernelError(Errno.ENOMEM)
    task.mm.def_flags = VmFlag.LOCKED if flags & _MCL_FUTURE else VmFlag.NONE
    if flags & _MCL_CURRENT:
        _lock_everything(task.mm, VmFlag.LOCKED)
        mm_populate(task, 0, task.mm.task_size)
    return 0


def munlockall(task: Task) -> int:
    """Unlock everything, and what comes. Source: mm/mlock.c:munlockall()."""
    task.mm.def_flags = VmFlag.NONE
    _lock_everything(task.mm, VmFlag.NONE)
    return 0


def _limit(task: Task) -> int:
    """Return how many bytes the task may lock. Raises NotModelled where that is not known."""
    if task.credentials.capabilities & CAP_IPC_LOCK:
        return UNLIMITED
    limits = task.limits.of(_RLIMIT_MEMLOCK)
    if limits is None:
        raise NotModelled("locking memory where the limit of locked memory is not known")
    return limits[0]


def _locked_bytes(mm: AddressSpace) -> int:
    """What mm->locked_vm counts."""
    return sum(area.range.size_bytes for area in mm.areas if VmFlag.LOCKED in area.flags)


def _apply_vma_lock_flags(task: Task, pages: AddressRange, flags: VmFlag) -> None:
    """Source: mm/mlock.c:apply_vma_lock_flags()."""
    if pages.end > 1 << 32 and task.kernel.profile.kernel_word_bytes < 8:  # noqa: PLR2004
        raise KernelError(Errno.EINVAL)
    for area, piece in task.mm.pieces(pages):
        _mlock_fixup(task.mm, area, piece, flags)


def _lock_everything(mm: AddressSpace, flags: VmFlag) -> None:
    """Source: mm/mlock.c:apply_mlockall_flags()."""
    position = 0
    while (area := mm.find_above(position)) is not None:
        position = area.end
        _mlock_fixup(mm, area, area.range, flags)


def _mlock_fixup(mm: AddressSpace, area: VmArea, pages: AddressRange, flags: VmFlag) -> None:
    """Lock or unlock part of an area; the kernel's own are left alone. Source: mm/mlock.c:mlock_fixup()."""
    new = area.flags & ~VmFlag.LOCKED | flags
    if new != area.flags and not isinstance(area.origin, Special):
        mm.modify(area, pages, area.access, new)
