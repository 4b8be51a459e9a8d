"""What this kernel does with neighbouring areas and their charge, found out by making some."""

from __future__ import annotations

from dataclasses import dataclass

from inspector.model.address import PAGE_SIZE
from inspector.model.profile import AnonVmaMerging
from inspector.model.vma import VmFlag
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.procfs.smaps import parse_smaps
from inspector.observe.tiny_elf import Assembler, link
from inspector.observe.tiny_process import tiny_process

_BASE, _WRITTEN, _BETWEEN, _UNWRITTEN = 0x08048000, 0x50000000, 0x60000000, 0x70000000
_SYS_MPROTECT, _SYS_MMAP2 = 125, 192
_READ, _READ_WRITE, _READ_WRITE_EXECUTE, _MAP_PRIVATE_FIXED_ANONYMOUS = 1, 3, 7, 0x32


@dataclass(frozen=True, slots=True)
class Areas:
    """See the fields of MachineProfile."""

    anon_vma_merging: AnonVmaMerging
    mprotect_uncharges: bool


def probe_areas() -> Areas:
    """Let a program make areas that could be one, and one read-only. Raises LaunchFailed or CannotObserve."""
    asm = Assembler(_BASE)
    asm.breakpoint()
    # A written area becomes equal to the one above in all but that this one was never written.
    _map(asm, _WRITTEN, _READ_WRITE)
    asm.write_byte(_WRITTEN)
    _map(asm, _WRITTEN + PAGE_SIZE, _READ_WRITE_EXECUTE)
    asm.syscall(_SYS_MPROTECT, _WRITTEN, PAGE_SIZE, _READ_WRITE_EXECUTE)
    # Two written areas, and then a third in the gap between them.
    for written in (_BETWEEN, _BETWEEN + 2 * PAGE_SIZE):
        _map(asm, written, _READ_WRITE)
        asm.write_byte(written)
    _map(asm, _BETWEEN + PAGE_SIZE, _READ_WRITE)
    _map(asm, _UNWRITTEN, _READ_WRITE)
    asm.syscall(_SYS_MPROTECT, _UNWRITTEN, PAGE_SIZE, _READ)
    asm.breakpoint()
    with tiny_process(link(asm, entry=asm.start)) as process, ProcessFiles(process.pid) as files:
        process.run()
        flags: dict[int, VmFlag | None] = {
            area.vma.start: area.vma.flags for area in parse_smaps(files.smaps())
        }
    if _WRITTEN + PAGE_SIZE not in flags:
        merging = AnonVmaMerging.EITHER
    else:
        above_first = _BETWEEN + PAGE_SIZE in flags
        merging = AnonVmaMerging.ABOVE_FIRST if above_first else AnonVmaMerging.NEIGHBOURS
    return Areas(merging, mprotect_uncharges=VmFlag.ACCOUNT not in (flags[_UNWRITTEN] or VmFlag.NONE))


def _map(asm: Assembler, address: int, protection: int) -> None:
    asm.syscall(_SYS_MMAP2, address, PAGE_SIZE, protection, _MAP_PRIVATE_FIXED_ANONYMOUS, -1)
