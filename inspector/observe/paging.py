"""How this kernel fills and frees page tables, found out by making it do so."""

from __future__ import annotations

from dataclasses import dataclass

from inspector.model.address import PAGE_SIZE, AddressRange, VirtAddr
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.procfs.pagemap import ENTRY_BYTES
from inspector.observe.procfs.status import parse_status
from inspector.observe.tiny_elf import Assembler, Segment, link
from inspector.observe.tiny_process import tiny_process

_TABLE_SPAN = 2 << 20
"""What one page table maps, but without PAE: twice as much. Fault-around stays within one."""
_BASE, _FILE, _ANONYMOUS = 0x08048000, 0x60000000, 0x50000000
_SYS_MMAP2, _SYS_MADVISE = 192, 219
_PROT_READ, _MAP_PRIVATE_FIXED_ANONYMOUS, _MADV_DONTNEED = 1, 0x32, 4


@dataclass(frozen=True, slots=True)
class Paging:
    """See the fields of MachineProfile."""

    fault_around_bytes: int
    zap_frees_page_tables: bool


def probe_paging() -> Paging:
    """Let a program read a byte of a file, then empty a page table. Raises LaunchFailed or CannotObserve."""
    asm = Assembler(_BASE)
    asm.breakpoint()
    asm.read_byte(_FILE + _TABLE_SPAN // 2)
    asm.breakpoint()
    # More than one table, so that the zap need not span a whole one of a kernel without PAE.
    asm.syscall(_SYS_MMAP2, _ANONYMOUS, 2 * _TABLE_SPAN, _PROT_READ, _MAP_PRIVATE_FIXED_ANONYMOUS, -1)
    asm.read_byte(_ANONYMOUS)
    asm.breakpoint()
    asm.syscall(_SYS_MADVISE, _ANONYMOUS, 2 * _TABLE_SPAN, _MADV_DONTNEED)
    asm.breakpoint()
    # The program maps its own file, all of it in memory: two million zeros behind the code.
    image = link(
        asm, entry=asm.start, segments=(Segment(_FILE, _TABLE_SPAN, _TABLE_SPAN, writable=False),)
    ).ljust(_TABLE_SPAN, b"\0")
    with tiny_process(image) as process, ProcessFiles(process.pid) as files:
        process.run()
        around = files.resident_pages([AddressRange(VirtAddr(_FILE), VirtAddr(_FILE + _TABLE_SPAN))])
        process.run()
        filled = parse_status(files.status()).page_table_bytes
        process.run()
        emptied = parse_status(files.status()).page_table_bytes
    mapped = sum(len(entries) for _, entries in around.pagemap) // ENTRY_BYTES
    return Paging(mapped * PAGE_SIZE, zap_frees_page_tables=(emptied or 0) < (filled or 0))
