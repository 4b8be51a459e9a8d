"""Which neighbours an area joins on this kernel, found out by making areas."""

from __future__ import annotations

from inspector.model.address import PAGE_SIZE
from inspector.model.profile import AnonVmaMerging
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.procfs.maps import parse_maps
from inspector.observe.tiny_elf import Assembler, link
from inspector.observe.tiny_process import tiny_process

_BASE, _WRITTEN, _BETWEEN = 0x08048000, 0x50000000, 0x60000000
_SYS_MPROTECT, _SYS_MMAP2 = 125, 192
_READ_WRITE, _READ_WRITE_EXECUTE, _MAP_PRIVATE_FIXED_ANONYMOUS = 3, 7, 0x32


def probe_area_merging() -> AnonVmaMerging:
    """Let a program make areas that could be one. Raises LaunchFailed or CannotObserve."""
    asm = Assembler(_BASE)
    asm.breakpoint()
    # A written area becomes all but equal to the one above, which was never written. (Were they made
    # read-only, the one would still be charged for and the other not.)
    _map(asm, _WRITTEN, _READ_WRITE)
    asm.write_byte(_WRITTEN)
    _map(asm, _WRITTEN + PAGE_SIZE, _READ_WRITE_EXECUTE)
    asm.syscall(_SYS_MPROTECT, _WRITTEN, PAGE_SIZE, _READ_WRITE_EXECUTE)
    # Two written areas, and then a third in the gap between them.
    for written in (_BETWEEN, _BETWEEN + 2 * PAGE_SIZE):
        _map(asm, written, _READ_WRITE)
        asm.write_byte(written)
    _map(asm, _BETWEEN + PAGE_SIZE, _READ_WRITE)
    asm.breakpoint()
    with tiny_process(link(asm, entry=asm.start)) as process, ProcessFiles(process.pid) as files:
        process.run()
        starts = {vma.start for vma in parse_maps(files.maps())}
    if _WRITTEN + PAGE_SIZE not in starts:
        return AnonVmaMerging.EITHER
    return AnonVmaMerging.ABOVE_FIRST if _BETWEEN + PAGE_SIZE in starts else AnonVmaMerging.NEIGHBOURS


def _map(asm: Assembler, address: int, protection: int) -> None:
    asm.syscall(_SYS_MMAP2, address, PAGE_SIZE, protection, _MAP_PRIVATE_FIXED_ANONYMOUS, -1)
