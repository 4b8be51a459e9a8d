"""A machine for tests that need none in particular: Linux 6.18 on an x86-64 with IA32 emulation."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from inspector.model.address import VirtAddr
from inspector.model.auxv import AuxType
from inspector.model.processor import CpuidAnswer, OutOfRange, Processor
from inspector.model.profile import (
    AnonVmaMerging,
    AuxConstant,
    ExecRules,
    GateArea,
    LayoutProfile,
    MachineProfile,
    NativeProfile,
    PageTableGeometry,
    SpecialArea,
    UnclearableTail,
)
from inspector.model.program import (
    BASE_ENVIRONMENT,
    CAP_DAC_OVERRIDE,
    CAP_SYS_RAWIO,
    Credentials,
    Layout,
    Limits,
    Program,
)
from inspector.model.registers import Registers
from inspector.model.signal_frame import FrameImage, SignalFrame

if TYPE_CHECKING:
    from pathlib import Path

X86_64 = PageTableGeometry("x86-64", (9, 9, 9, 9), 8)
PAE = PageTableGeometry("i386 PAE", (2, 9, 9), 8)
I386 = PageTableGeometry("i386", (10, 10), 4)

CAPABILITIES = CAP_DAC_OVERRIDE | CAP_SYS_RAWIO if os.geteuid() == 0 else 0
USER = Credentials(1000, 1000, 1000, 1000, (1000,))

ENTRY_REGISTERS = Registers(
    eax=0, ebx=0, ecx=0, edx=0, esi=0, edi=0, ebp=0, esp=0, eip=0,
    eflags=0x202, cs=0x23, ss=0x2B, ds=0x2B, es=0x2B, fs=0, gs=0,
)  # fmt: skip

PROCESSOR = Processor(
    cpu=0,
    cpuid=(
        CpuidAnswer(0, None, 0xD, 0x68747541, 0x444D4163, 0x69746E65),
        CpuidAnswer(1, None, 0xB00F21, 0x20800, 0xFFFA3203, 0x178BFBFF),
        CpuidAnswer(7, 0, 1, 0xF1BF07AB, 0x405FC6, 0x110),
        CpuidAnswer(7, 1, 0x30, 0, 0, 0),
        CpuidAnswer(0xD, 0, 0xE7, 0x980, 0x980, 0),
        CpuidAnswer(0xD, 1, 0xF, 0x9A8, 0x1800, 0),
        CpuidAnswer(0xD, 2, 0x100, 0x240, 0, 0),
        CpuidAnswer(0x80000000, None, 0x80000001, 0, 0, 0),
        CpuidAnswer(0x80000001, None, 0xB00F21, 0, 0x4003F3, 0x2FD3FBFF),
    ),
    out_of_range=OutOfRange.ZEROS,
    xcr0=0xE7,
    sets_resume_flag=True,
)

SPECIAL_AREAS = (
    SpecialArea("[vvar]", 4, "r--p"),
    SpecialArea("[vvar_vclock]", 2, "r--p"),
    SpecialArea("[vdso]", 2, "r-xp"),
)

NATIVE = NativeProfile(
    layout=LayoutProfile(VirtAddr(0x7FFFFFFFF000), VirtAddr(0x555555554AAA), bottom_up=False),
    special_areas=SPECIAL_AREAS,
    gate_area=GateArea(VirtAddr(0xFFFFFFFFFF600000), 1, "--xp", "[vsyscall]"),
    auxv_entries=23,
    platform="x86_64",
    moved_brk=VirtAddr(0x555555555000),
)

PROFILE = MachineProfile(
    kernel="6.18.0-test",
    machine="x86_64",
    boot_id="00000000-0000-0000-0000-000000000000",
    page_size=4096,
    layouts={
        "default": LayoutProfile(VirtAddr(0xFFFFE000), VirtAddr(0x56555000), bottom_up=False),
        "3gb": LayoutProfile(VirtAddr(0xC0000000), VirtAddr(0x41000000), bottom_up=False),
    },
    special_areas=SPECIAL_AREAS,
    vdso=bytes(8192),
    vdso_sysenter_offset=0x5E0,
    auxv=(
        AuxConstant(AuxType.AT_SYSINFO),
        AuxConstant(AuxType.AT_SYSINFO_EHDR),
        AuxConstant(AuxType.AT_HWCAP, 0x178BFBFF),
        AuxConstant(AuxType.AT_PAGESZ, 4096),
        AuxConstant(AuxType.AT_CLKTCK, 100),
        AuxConstant(AuxType.AT_PHDR),
        AuxConstant(AuxType.AT_PHENT, 32),
        AuxConstant(AuxType.AT_PHNUM),
        AuxConstant(AuxType.AT_BASE),
        AuxConstant(AuxType.AT_FLAGS, 0),
        AuxConstant(AuxType.AT_ENTRY),
        AuxConstant(AuxType.AT_UID),
        AuxConstant(AuxType.AT_EUID),
        AuxConstant(AuxType.AT_GID),
        AuxConstant(AuxType.AT_EGID),
        AuxConstant(AuxType.AT_SECURE, 0),
        AuxConstant(AuxType.AT_RANDOM),
        AuxConstant(AuxType.AT_EXECFN),
        AuxConstant(AuxType.AT_PLATFORM),
    ),
    platform="i686",
    entry_registers=ENTRY_REGISTERS,
    kernel_word_bytes=8,
    stack_guard_gap=256 * 4096,
    page_tables=X86_64,
    mmap_min_addr=4096,
    mmap_floor=65536,
    hint_floor=65536,
    ram_bytes=8 << 30,
    swap_bytes=0,
    overcommit_memory=0,
    max_map_count=65530,
    static_pie_moves_brk=True,
    exec_rules=ExecRules(
        program_bss_by_segment=True,
        interpreter_bss_by_segment=True,
        unclearable_tail=UnclearableTail.KILLS_IF_WRITABLE,
        program_headers_limit=65536,
        heap_label_touches=False,
        refuses_open_for_writing=True,
        static_pie_aligned=True,
        runs_x32=False,
    ),
    binfmt_misc=(),
    processor=PROCESSOR,
    fault_around_bytes=65536,
    zap_frees_page_tables=True,
    anon_vma_merging=AnonVmaMerging.EITHER,
    mprotect_uncharges=True,
    vvar=bytes(6 * 4096),
    vvar_pages=(0, 2),
    tsc=0x123456789A,
    signal_frame=SignalFrame(
        plain=FrameImage(bytes(740), ((96, 624), (732, 8))),
        rt=FrameImage(bytes(276), ((268, 8),)),
        fpstate=FrameImage(bytes(2548), ((528, 48),)),
        fxsave_offset=112,
        sigreturn_offset=0x600,
        rt_sigreturn_offset=0x610,
        keeps_null_selectors=True,
    ),
    native=NATIVE,
)


class Zeros:
    """A file's contents, all of them zero."""

    def read(self, _offset: int, size: int) -> bytes:
        return bytes(size)


def write_program(
    directory: Path,
    image: bytes,
    *,
    argv: tuple[str, ...] | None = None,
    envp: tuple[str, ...] = BASE_ENVIRONMENT,
    layout: Layout = Layout.DEFAULT,
    limits: Limits | None = None,
    mode: int = 0o755,
    name: str = "program",
) -> Program:
    """Write `image` to an executable file and return the program that runs it."""
    path = directory / name
    path.write_bytes(image)
    path.chmod(mode)
    return Program(
        path=str(path),
        argv=(str(path),) if argv is None else argv,
        envp=envp,
        requested=str(path),
        credentials=Credentials(
            os.getuid(), os.geteuid(), os.getgid(), os.getegid(), tuple(os.getgroups()), CAPABILITIES
        ),
        cwd=str(directory),
        limits=limits or Limits(),
        layout=layout,
    )
