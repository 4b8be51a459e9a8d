"""What the vdso tells the time by: the pages the kernel keeps for it, and the time-stamp counter.

The kernel maps the same frames into every process, of 32 bits or 64; we read our own. Some of the pages can
have no frame (no paravirtual clock, no time namespace), and touching such a page is SIGBUS; so it
is write() that reads them for us, and answers EFAULT.

Source: arch/x86/entry/vdso/vma.c, lib/vdso/datastore.c:vvar_fault().
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.errors import CannotObserve
from inspector.model.address import PAGE_SIZE
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.procfs.maps import parse_maps
from inspector.observe.tiny_elf import Assembler, link
from inspector.observe.tiny_process import tiny_process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.model.profile import SpecialArea

_BASE = 0x08048000
_VDSO = "[vdso]"
_TRIES = 100
"""The kernel writes the pages at every tick; two readings that agree saw no tick."""


@dataclass(frozen=True, slots=True)
class Clock:
    """See the fields of MachineProfile."""

    vvar: bytes
    vvar_pages: tuple[int, ...]
    tsc: int


def probe_clock(special_areas: Sequence[SpecialArea]) -> Clock:
    """Read the clock of processes with these areas. Raises LaunchFailed or CannotObserve.

    There are no bytes if our own process is given other areas, or the pages do not stand still.
    """
    pages = _read_vvar([(area.name, area.pages) for area in special_areas if area.name != _VDSO])
    return Clock(
        vvar=b"".join(page or bytes(PAGE_SIZE) for page in pages),
        vvar_pages=tuple(number for number, page in enumerate(pages) if page is not None),
        tsc=_time_stamp(),  # after the pages: the vdso takes an earlier one for a clock gone backwards
    )


def mixed_maps() -> frozenset[str]:
    """Return which of the areas before [vdso] have pages that pagemap shows (VM_MIXEDMAP).

    Looked up in our own process, each page once it is there. Source: mm/pagewalk.c:walk_page_test().
    """
    found = set()
    with ProcessFiles(os.getpid()) as files, suppress(CannotObserve):
        for vma in parse_maps(files.maps()):
            if not vma.name.startswith("[vvar"):
                continue
            for page in range(vma.start, vma.end, PAGE_SIZE):
                _read_page(page)
            if files.resident_pages([vma.range]).pagemap:
                found.add(vma.name)
    return frozenset(found)


def _read_vvar(wanted: Sequence[tuple[str, int]]) -> Sequence[bytes | None]:
    with ProcessFiles(os.getpid()) as files:
        vmas = parse_maps(files.maps())
    ours = {vma.name: vma.range for vma in vmas if vma.name.startswith("[vvar")}
    if {name: area.size_bytes // PAGE_SIZE for name, area in ours.items()} != dict(wanted):
        return ()
    areas = [ours[name] for name, _ in wanted]
    before = None
    for _ in range(_TRIES):
        now = [_read_page(page) for area in areas for page in range(area.start, area.end, PAGE_SIZE)]
        if now == before:
            return now
        before = now
    return ()


def _read_page(address: int) -> bytes | None:
    """Return the page at `address` of our own, or None if it has none."""
    contents = (ctypes.c_char * PAGE_SIZE).from_address(address)
    readable, writable = os.pipe2(os.O_CLOEXEC)
    try:
        os.write(writable, contents)
        return os.read(readable, PAGE_SIZE)
    except OSError:
        return None
    finally:
        os.close(readable)
        os.close(writable)


def _time_stamp() -> int:
    asm = Assembler(_BASE)
    asm.breakpoint()
    rdtsc = asm.data(b"\x0f\x31\xcc")  # rdtsc; int3
    with tiny_process(link(asm, entry=asm.start)) as process:
        found = process.call(rdtsc)
    return found.edx << 32 | found.eax
