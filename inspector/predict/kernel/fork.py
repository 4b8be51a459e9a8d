"""Making a process (kernel/fork.c): a copy of its maker, whose private pages both share until one writes."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SHIFT, Vpn
from inspector.model.page import PageKind
from inspector.model.vma import Access, VmFlag
from inspector.predict.kernel.areas import Areas
from inspector.predict.kernel.shmem import harvest
from inspector.predict.kernel.vma import AnonVma
from inspector.predict.machine.pagetable import PageTables

if TYPE_CHECKING:
    from inspector.predict.kernel.mm import AddressSpace
    from inspector.predict.kernel.task import Task
    from inspector.predict.kernel.vma import VmArea


def copy_process(parent: Task) -> Task:
    """Return a child of `parent`, about to return 0 from the same system call.

    Source: kernel/fork.c:copy_process().
    """
    kernel = parent.kernel
    number = len(kernel.tasks)
    harvest(parent)
    child = dataclasses.replace(
        parent,
        number=number,
        pid=kernel.first_pid + number,
        parent=parent,
        mm=dup_mm(parent.mm, PageTables(kernel.profile.page_tables)),
        files=parent.files.copy(),
        signals=parent.signals.inherited(),
        tls=dict(parent.tls),
        clock=dict(parent.clock),
        minor_faults=0,
        set_child_tid=0,
        clear_child_tid=0,
        robust_list=0,
        children=[],
    )
    result = kernel.cpu.read("eax")
    kernel.cpu.write("eax", 0)
    child.context = kernel.cpu.save()
    kernel.cpu.write("eax", result)
    parent.children.append(child)
    kernel.tasks.append(child)
    return child


def dup_mm(old: AddressSpace, page_tables: PageTables) -> AddressSpace:
    """Return a copy of an address space; what both could write becomes read-only in both.

    Pages that a fault would find again are not copied (rule `fault.fork`). Source: mm/mmap.c:dup_mmap(),
    mm/memory.c:copy_page_range(), vma_needs_copy().
    """
    new = copy.copy(old)
    new.page_tables = page_tables
    new.def_flags = VmFlag.NONE
    new.areas = Areas(map(_inherited, old.areas))
    new.forget_labels()
    for area in old.areas:
        if area.anon_vma is not None or area.is_io:
            _copy_page_range(old, new, area)
    old.tlb_is_stale = True
    return new


def _inherited(area: VmArea) -> VmArea:
    """Return a child's area: not locked, for locks are not inherited.

    Source: mm/mmap.c:dup_mmap(), mm/rmap.c:anon_vma_fork().
    """
    if area.anon_vma is None and VmFlag.LOCKED not in area.flags:
        return area
    chain = (*area.anon_vmas, AnonVma()) if area.anon_vma is not None else ()
    return dataclasses.replace(area, flags=area.flags & ~VmFlag.LOCKED, anon_vmas=chain)


def _copy_page_range(old: AddressSpace, new: AddressSpace, area: VmArea) -> None:
    """Copy the entries of one area, and the tables it shares with others, empty or not."""
    leaf = old.page_tables.leaf_pages
    first, end = area.start >> PAGE_SHIFT, area.end >> PAGE_SHIFT
    for vpn in range(first - first % leaf, end, leaf):
        if old.page_tables.has_leaf(Vpn(vpn)):
            new.page_tables.allocate(Vpn(vpn))
    for vpn, entry in old.page_tables.entries(area.range):
        if entry.kind is PageKind.ANONYMOUS:
            entry.access &= ~Access.WRITE
            entry.exclusive = False
            old.memory.share(entry.frame)
        new.page_tables.map(vpn, dataclasses.replace(entry))
