"""Changing the permissions of mapped memory (mm/mprotect.c)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.model.page import PageKind
from inspector.model.vma import Access, Anonymous, Sharing, VmFlag
from inspector.predict.kernel.areas import is_data_mapping
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.gup import mm_populate

if TYPE_CHECKING:
    from inspector.model.address import AddressRange
    from inspector.predict.kernel.mm import AddressSpace
    from inspector.predict.kernel.task import Task
    from inspector.predict.kernel.vma import VmArea


def mprotect(task: Task, pages: AddressRange, access: Access) -> None:
    """Give `pages` the permissions `access`; what lies before a hole is changed all the same.

    Raises KernelError: ENOMEM at a hole, EACCES where an area may never have them.
    Source: mm/mprotect.c:do_mprotect_pkey().
    """
    for area, piece in task.mm.pieces(pages):
        _mprotect_fixup(task, area, piece, access)


def _mprotect_fixup(task: Task, area: VmArea, pages: AddressRange, access: Access) -> None:
    """Change part of an area; what is locked and becomes writable is copied at once.

    Source: mm/mprotect.c:mprotect_fixup().
    """
    mm = task.mm
    if Access.READ in access and mm.read_implies_exec and not area.is_noexec:
        access |= Access.EXECUTE
    if access == area.access:
        return
    if access & ~area.may_access:
        raise KernelError(Errno.EACCES)
    flags = area.flags
    if Access.WRITE in access:
        # Only the limit of data may forbid it: as large as it is, the address space is already.
        was_data, is_data = (is_data_mapping(each) for each in (area, replace(area, access=access)))
        size, may_expand = pages.size_bytes, mm.limits.may_expand
        if not may_expand(mm.areas, size, is_data=is_data) and may_expand(mm.areas, size, is_data=was_data):
            raise KernelError(Errno.ENOMEM, "memory.limit")
        # A private area that becomes writable is charged against the commit limit (rule `vma.account`).
        uncharged = not flags & (VmFlag.ACCOUNT | VmFlag.NORESERVE)
        if area.sharing is Sharing.PRIVATE and Access.WRITE not in area.access and uncharged:
            mm.commit.charge(pages.size_bytes)
            flags |= VmFlag.ACCOUNT
    elif mm.mprotect_uncharges and isinstance(area.origin, Anonymous) and area.anon_vma is None:
        flags &= ~VmFlag.ACCOUNT
    mm.modify(area, pages, access, flags)
    _change_protection(mm, pages, access, area.sharing)
    becomes_writable = Access.WRITE in access & ~area.access and area.sharing is Sharing.PRIVATE
    if becomes_writable and VmFlag.LOCKED in flags:
        mm_populate(task, pages.start, pages.size_bytes)


def _change_protection(mm: AddressSpace, pages: AddressRange, access: Access, sharing: Sharing) -> None:
    """Give resident pages what they may have of `access`.

    Of a private area only a page that is the process's alone may be written without a further fault.
    Source: mm/mprotect.c:change_pte_range(), can_change_private_pte_writable(), vma_set_page_prot().
    """
    for _, entry in mm.page_tables.entries(pages):
        allowed = access | Access.READ if access else Access.NONE
        own = entry.kind is PageKind.ANONYMOUS and entry.exclusive
        if sharing is Sharing.PRIVATE and not own:
            allowed &= ~Access.WRITE
        entry.access = allowed
        mm.tlb_is_stale = True
