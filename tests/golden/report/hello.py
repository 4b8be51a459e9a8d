"""A small program as predicted and observed: its areas, pages, stack, faults and file."""

from __future__ import annotations

import struct
from dataclasses import replace

from inspector.elf import sections as elf
from inspector.elf.header import PF_R, PF_W, PF_X, PT_GNU_STACK, PT_LOAD, ProgramHeader, new_header
from inspector.layout.views import ElfImage, image_of
from inspector.model.address import AddressRange, FileOffset, VirtAddr, Vpn
from inspector.model.auxv import AuxEntry, AuxType
from inspector.model.ending import Ending
from inspector.model.fault import Fault, FaultKind, FaultMode
from inspector.model.observation import Host, Observation, Perturbation
from inspector.model.page import PageKind, PageState
from inspector.model.prediction import (
    ExecVerdict,
    FileIdentity,
    Outcome,
    Prediction,
)
from inspector.model.program import BASE_ENVIRONMENT, Program
from inspector.model.snapshot import Snapshot, StackImage, Unpredictable
from inspector.model.vma import Access, Anonymous, Backing, FileBacking, Sharing, Special, Vma
from tests.machines import ENTRY_REGISTERS, PROFILE, USER

PATH = "/dev/shm/inspector-1000/fc8bb5f18e056c57/hello"  # noqa: S108
RX, RW, R = Access.READ | Access.EXECUTE, Access.READ | Access.WRITE, Access.READ
SP = VirtAddr(0xFFFFDE60)
TOP = 0xFFFFE000
RANDOM = VirtAddr(0xFFFFDF4B)

PROGRAM = Program(
    path=PATH,
    argv=(PATH,),
    envp=BASE_ENVIRONMENT,
    requested="fixtures/build/hello",
    credentials=USER,
    cwd="/home/reader/inspector",
)


def vma(start: int, end: int, access: Access, backing: Backing) -> Vma:
    return Vma(AddressRange(VirtAddr(start), VirtAddr(end)), access, Sharing.PRIVATE, backing)


def file_vma(start: int, end: int, access: Access, offset: int, path: str = PATH) -> Vma:
    return vma(start, end, access, FileBacking(path, (0, 0x1B), 33292, FileOffset(offset)))


VMAS = (
    file_vma(0x08048000, 0x08049000, R, 0),
    file_vma(0x08049000, 0x080B7000, RX, 0x1000),
    file_vma(0x080B7000, 0x080E9000, R, 0x6F000),
    file_vma(0x080E9000, 0x080EE000, RW, 0xA0000),
    vma(0x080EE000, 0x080F1000, RW, Anonymous()),
    vma(0xF7FF6000, 0xF7FFA000, R, Special("[vvar]")),
    vma(0xF7FFA000, 0xF7FFC000, R, Special("[vvar_vclock]")),
    vma(0xF7FFC000, 0xF7FFE000, RX, Special("[vdso]")),
    vma(0xFFFDD000, 0xFFFFE000, RW, Anonymous("[stack]")),
)
AUXV = (
    AuxEntry(AuxType.AT_SYSINFO_EHDR, 0xF7FFC000),
    AuxEntry(AuxType.AT_ENTRY, 0x08049570),
    AuxEntry(AuxType.AT_RANDOM, RANDOM),
    AuxEntry(77, 1),
)


def stack(fill: int = 0) -> StackImage:
    auxv = [word for entry in AUXV for word in (entry.type, entry.value)]
    words = [1, 0xFFFFDF60, 0, 0xFFFFDF90, 0xFFFFDFA0, 0xFFFFDFB0, 0, *auxv, 0, 0]
    contents = struct.pack(f"<{len(words)}I", *words)
    return StackImage(
        SP,
        contents + bytes([fill]) * (TOP - SP - len(contents)),
        (Unpredictable(RANDOM, 16, "stack.at-random"),),
    )


EXEC = Snapshot(
    checkpoint="exec",
    registers=replace(ENTRY_REGISTERS, eip=0x08049570, esp=SP),
    vmas=VMAS,
    pages=(
        PageState(Vpn(0x080ED), PageKind.ANONYMOUS),
        PageState(Vpn(0xFFFFC), PageKind.ANONYMOUS),
        PageState(Vpn(0xFFFFD), PageKind.ANONYMOUS),
    ),
    minor_faults=3,
    major_faults=0,
    page_table_bytes=20480,
    auxv=AUXV,
    stack=stack(),
    brk=VirtAddr(0x080F1000),
)
MAIN = replace(
    EXEC,
    checkpoint="main",
    registers=replace(ENTRY_REGISTERS, eip=0x080496D5, esp=0xFFFFDD3C, eax=0x80496D5, gs=0x63),
    vmas=(*VMAS[:5], vma(0x080F1000, 0x08113000, RW, Anonymous("[heap]")), *VMAS[5:]),
    pages=(
        *(PageState(Vpn(0x08048 + n), PageKind.FILE) for n in range(17)),
        PageState(Vpn(0x080ED), PageKind.ANONYMOUS),
        PageState(Vpn(0x080EE), PageKind.ZERO),
        PageState(Vpn(0x080EF), None),
        PageState(Vpn(0xF7FFC), PageKind.SPECIAL),
        PageState(Vpn(0xFFFFD), PageKind.ANONYMOUS),
    ),
    minor_faults=22,
    stack=None,
)
FILES = (FileIdentity(PATH, (0, 0x1B), 33292, 752000, "ab" * 32),)
HOST = Host("6.18.0-test", "x86_64", "(Debian 13.1-3) 13.1", 1000, sees_pfn=False)
RUNS = ExecVerdict(Outcome.RUNS, rule="exec.runs")

PREDICTION = Prediction(PROGRAM, PROFILE, RUNS, FILES, (EXEC,))
OBSERVATION = Observation(
    program=PROGRAM,
    host=HOST,
    verdict=ExecVerdict(Outcome.RUNS),
    files=FILES,
    snapshots=(EXEC, MAIN),
    perturbations=(
        Perturbation("exec", "gdb attach", (VirtAddr(0x08048000), VirtAddr(0xF7FFC000)), minor_faults=2),
    ),
    ending=Ending(status=0),
    output=b"hello, world\n",
)


def _fault(page: int, access: Access, kind: FaultKind, area: int, **more: object) -> Fault:
    """Return a user's fault in the area of that number."""
    return Fault(
        0,
        FaultMode.USER,
        VirtAddr(page + 0x24),
        access,
        protection=kind is FaultKind.COPY_ON_WRITE,
        ip=VirtAddr(0x080496D5),
        kind=kind,
        area=VMAS[area],
        **more,  # type: ignore[arg-type]
    )


def pages(start: int, end: int) -> AddressRange:
    return AddressRange(VirtAddr(start), VirtAddr(end))


FAULTS = (
    Fault(0, FaultMode.KERNEL, VirtAddr(0x080ED8E0), Access.WRITE, False, None, FaultKind.FILE_COPY, VMAS[3]),
    _fault(
        0x08049000,
        Access.EXECUTE,
        FaultKind.FILE_READ,
        1,
        symbol="_start",
        mapped=pages(0x08049000, 0x08058000),
        file_offset=FileOffset(0x1000),
    ),
    _fault(0x080EE000, Access.READ, FaultKind.ZERO_PAGE, 4, symbol="__libc_start_call_main+0x6a"),
    _fault(0x080EE000, Access.WRITE, FaultKind.COPY_ON_WRITE, 4, mapped=pages(0x080EE000, 0x080EF000)),
    _fault(0xFFFDC000, Access.WRITE, FaultKind.STACK_GROWTH, 8, symbol="recurse"),
    Fault(0, FaultMode.USER, VirtAddr(0), Access.READ, False, VirtAddr(0x080496E0), FaultKind.REFUSED),
)
CHILD = (replace(FAULTS[1], process=1), replace(FAULTS[3], process=1))
SEGFAULT = Ending(signal="SIGSEGV", code=1, address=VirtAddr(0))


SECTIONS = (
    (".note.gnu.build-id", 7, 2, 0x08048134, 0x134, 0x24),
    (".text", 1, 6, 0x08049000, 0x1000, 0x6D174),
    (".rodata", 1, 2, 0x080B7000, 0x6F000, 0x315FF),
    (".tbss", 8, 0x403, 0x080E9BEC, 0xA0BEC, 0x24),
    (".data", 1, 3, 0x080E9BEC, 0xA0BEC, 0x36CC),
    (".bss", 8, 3, 0x080ED2C0, 0xA42B8, 0x2DF0),
    (".comment", 1, 0, 0, 0xA42B8, 0x27),
)
"""Name, sh_type, sh_flags, sh_addr, sh_offset, sh_size."""


def image() -> ElfImage:
    """Return what the program's file says of itself."""
    segments = (
        ProgramHeader(PT_LOAD, 0, 0x08048000, 0x08048000, 0x1E8, 0x1E8, PF_R, 0x1000),
        ProgramHeader(PT_LOAD, 0x1000, 0x08049000, 0x08049000, 0x6D174, 0x6D174, PF_R | PF_X, 0x1000),
        ProgramHeader(PT_LOAD, 0x6F000, 0x080B7000, 0x080B7000, 0x315FF, 0x315FF, PF_R, 0x1000),
        ProgramHeader(PT_LOAD, 0xA0BEC, 0x080E9BEC, 0x080E9BEC, 0x36CC, 0x64C4, PF_R | PF_W, 0x1000),
        ProgramHeader(PT_GNU_STACK, 0, 0, 0, 0, 0, PF_R | PF_W, 0x10),
    )
    sections = tuple(
        elf.Section(number, name, elf.SectionHeader._make((0, *fields, 0, 0, 1, 0)))
        for number, (name, *fields) in enumerate(SECTIONS, 1)
    )
    return image_of(PATH, new_header(entry=0x08049570, phnum=len(segments)), segments, sections)
