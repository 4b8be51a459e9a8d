"""Facts about the machine an observation is made on, for its reader."""

from __future__ import annotations

import ctypes
import os

from inspector.errors import CannotObserve
from inspector.model.address import PAGE_SIZE, AddressRange, VirtAddr
from inspector.model.observation import Host
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.procfs.pagemap import parse_pagemap


def host_facts(*, gdb: str | None) -> Host:
    """Return the facts that stand in a recording."""
    system = os.uname()
    return Host(
        kernel=system.release, machine=system.machine, gdb=gdb, uid=os.geteuid(), sees_pfn=sees_page_frames()
    )


def sees_page_frames() -> bool:
    """Whether this process may see page frame numbers: tried on a page of its own.

    Source: fs/proc/task_mmu.c:pagemap_read(), which shows them to CAP_SYS_ADMIN.
    """
    page = ctypes.create_string_buffer(b"resident", PAGE_SIZE)
    start = VirtAddr(ctypes.addressof(page) & -PAGE_SIZE)
    try:
        with ProcessFiles(os.getpid()) as files:
            resident = files.resident_pages([AddressRange(start, VirtAddr(start + PAGE_SIZE))])
    except CannotObserve:
        return False
    return any(entry.pfn for first, data in resident.pagemap for entry in parse_pagemap(data, first))
