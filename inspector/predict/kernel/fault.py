"""The page fault itself (arch/x86/mm/fault.c): is there an area, and does it allow the access?

Every fault is written down in the task's sequence before anything else is known of it, as the kernel's
tracepoints do; what the kernel asks for itself without touching the page (get_user_pages) is counted only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SHIFT, VirtAddr, Vpn, page_down
from inspector.model.fault import FaultKind, FaultMode
from inspector.model.vma import Access
from inspector.predict.kernel.memory import BusError, Handled, handle_mm_fault

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task
    from inspector.predict.kernel.vma import VmArea

SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR = 1, 2, 2


@dataclass(frozen=True, slots=True)
class Refused:
    """The access cannot be allowed: the signal that says so, unless the kernel itself asked."""

    signal: str
    code: int
    address: VirtAddr


def exc_page_fault(task: Task, address: VirtAddr, access: Access, ip: VirtAddr | None) -> Refused | None:
    """Handle one fault of `task`: of the instruction at `ip`, or of the kernel's own access (None).

    Source: arch/x86/mm/fault.c:exc_page_fault(), do_user_addr_fault().
    """
    mm = task.mm
    entry = mm.page_tables.lookup(Vpn(address >> PAGE_SHIFT))
    protection = entry is not None and bool(entry.access)
    area = mm.find(address)
    grown = False
    if area is None:
        # Source: mm/mmap_lock.c:lock_mm_and_find_vma().
        area = mm.expand_stack(address, task.limits.stack)
        grown = area is not None
    handled: Handled | None = None
    refused: Refused | None = None
    if area is None:
        refused = Refused("SIGSEGV", SEGV_MAPERR, address)
    elif access_error(area, access, protection=protection):
        refused = Refused("SIGSEGV", SEGV_ACCERR, address)
    else:
        try:
            handled = handle_mm_fault(mm, area, address, access)
            task.count_fault(handled.kind)
        except BusError:
            refused = Refused("SIGBUS", BUS_ADRERR, address)
    kind = FaultKind.REFUSED if handled is None else handled.kind
    if grown and handled is not None:
        kind = FaultKind.STACK_GROWTH
    task.faults.record(
        task.number,
        FaultMode.KERNEL if ip is None else FaultMode.USER,
        address,
        access,
        protection,
        ip,
        kind,
        None if area is None else mm.labelled_area(area),
        None if handled is None else handled.file_offset,
        None if handled is None else handled.mapped,
        None if ip is None else task.kernel.name_instruction(mm, ip),
    )
    return refused


def fault_while_disabled(task: Task, address: VirtAddr, access: Access) -> None:
    """Note a fault that the kernel must not handle now: its access fails, and it tries another way.

    Source: arch/x86/mm/fault.c:do_user_addr_fault(), faulthandler_disabled().
    """
    entry = task.mm.page_tables.lookup(Vpn(address >> PAGE_SHIFT))
    protection = entry is not None and bool(entry.access)
    if not protection or (entry is not None and access not in entry.access):
        task.faults.record(
            task.number, FaultMode.KERNEL, address, access, protection, None, FaultKind.REFUSED
        )


def access_error(area: VmArea, access: Access, *, protection: bool) -> bool:
    """Whether the area forbids the access. Source: arch/x86/mm/fault.c:access_error().

    Executing an absent page of an area that may not be executed is taken for a read at first, and refused
    when the instruction tries again (rule `fault.execute-twice`).
    """
    if access is Access.WRITE:
        return Access.WRITE not in area.access
    return protection or not area.access


def fault_in_pages(task: Task, address: int, size: int, access: Access) -> bool:
    """Make pages ready for the kernel's own use without an exception; False at the first it cannot.

    Counted as faults, seen as none (rule `fault.argument-pages`). Source: mm/gup.c:__get_user_pages().
    """
    for page in range(page_down(address), address + size, 1 << PAGE_SHIFT):
        entry = task.mm.page_tables.lookup(Vpn(page >> PAGE_SHIFT))
        if entry is not None and access in entry.access:
            continue
        area = task.mm.find(page)
        if area is None or access_error(area, access, protection=False):
            return False
        task.count_fault(handle_mm_fault(task.mm, area, page, access).kind)
    return True
