"""A profile from the plain lists and dicts its JSON decodes to, without msgspec.

The cached profile is read at the start of every command, long before most of them need a document.
"""

from __future__ import annotations

from binascii import a2b_base64
from typing import Any

from inspector.model.address import VirtAddr
from inspector.model.processor import CpuidAnswer, OutOfRange, Processor
from inspector.model.profile import (
    AnonVmaMerging,
    AuxConstant,
    BinfmtMisc,
    ExecRules,
    GateArea,
    LayoutProfile,
    MachineProfile,
    NativeProfile,
    PageTableGeometry,
    SpecialArea,
    SystemNames,
    UnclearableTail,
)
from inspector.model.registers import Registers
from inspector.model.signal_frame import FrameImage, SignalFrame


def profile_from_plain(plain: dict[str, Any]) -> MachineProfile:
    """Return the profile of a decoded document that is known to be whole; nothing is checked here."""
    return MachineProfile(
        kernel=plain["kernel"],
        machine=plain["machine"],
        boot_id=plain["boot_id"],
        page_size=plain["page_size"],
        layouts={name: _layout(layout) for name, layout in plain["layouts"].items()},
        special_areas=_areas(plain["special_areas"]),
        vdso=a2b_base64(plain["vdso"], strict_mode=True),
        vdso_sysenter_offset=plain["vdso_sysenter_offset"],
        auxv=tuple(_aux_constant(entry) for entry in plain["auxv"]),
        platform=plain["platform"],
        entry_registers=Registers(
            **{name: int(value, 16) for name, value in plain["entry_registers"].items()}
        ),
        kernel_word_bytes=plain["kernel_word_bytes"],
        stack_guard_gap=plain["stack_guard_gap"],
        page_tables=_geometry(plain["page_tables"]),
        mmap_min_addr=int(plain["mmap_min_addr"], 16),
        mmap_floor=int(plain["mmap_floor"], 16),
        hint_floor=int(plain["hint_floor"], 16),
        ram_bytes=plain["ram_bytes"],
        swap_bytes=plain["swap_bytes"],
        overcommit_memory=plain["overcommit_memory"],
        static_pie_moves_brk=plain["static_pie_moves_brk"],
        exec_rules=_exec_rules(plain["exec_rules"]),
        binfmt_misc=tuple(_binfmt_misc(handler) for handler in plain["binfmt_misc"]),
        processor=_processor(plain["processor"]),
        fault_around_bytes=plain["fault_around_bytes"],
        zap_frees_page_tables=plain["zap_frees_page_tables"],
        anon_vma_merging=AnonVmaMerging(plain["anon_vma_merging"]),
        mprotect_uncharges=plain["mprotect_uncharges"],
        vvar=a2b_base64(plain["vvar"], strict_mode=True),
        vvar_pages=tuple(plain["vvar_pages"]),
        tsc=int(plain["tsc"], 16),
        signal_frame=_signal_frame(plain["signal_frame"]),
        system=None if (names := plain.get("system")) is None else SystemNames(**names),
        cpumask_bytes=plain.get("cpumask_bytes"),
        max_map_count=plain.get("max_map_count"),
        native=_native(plain.get("native")),
    )


def _layout(plain: dict[str, Any]) -> LayoutProfile:
    return LayoutProfile(
        task_size=VirtAddr(int(plain["task_size"], 16)),
        et_dyn_base=VirtAddr(int(plain["et_dyn_base"], 16)),
        bottom_up=plain["bottom_up"],
    )


def _areas(plain: list[dict[str, Any]]) -> tuple[SpecialArea, ...]:
    return tuple(SpecialArea(**area) for area in plain)


def _native(plain: dict[str, Any] | None) -> NativeProfile | None:
    if plain is None:
        return None
    gate = plain["gate_area"]
    return NativeProfile(
        layout=_layout(plain["layout"]),
        special_areas=_areas(plain["special_areas"]),
        gate_area=None if gate is None else GateArea(**gate | {"start": VirtAddr(int(gate["start"], 16))}),
        auxv_entries=plain["auxv_entries"],
        platform=plain["platform"],
        moved_brk=None if plain["moved_brk"] is None else VirtAddr(int(plain["moved_brk"], 16)),
    )


def _exec_rules(plain: dict[str, Any]) -> ExecRules:
    return ExecRules(**plain | {"unclearable_tail": UnclearableTail(plain["unclearable_tail"])})


def _binfmt_misc(plain: dict[str, Any]) -> BinfmtMisc:
    return BinfmtMisc(
        name=plain["name"],
        offset=plain["offset"],
        magic=bytes.fromhex(plain["magic"]),
        mask=bytes.fromhex(plain["mask"]),
        extension=plain["extension"],
    )


def _aux_constant(plain: dict[str, Any]) -> AuxConstant:
    value = plain["value"]
    return AuxConstant(plain["type"], None if value is None else int(value, 16))


def _geometry(plain: dict[str, Any]) -> PageTableGeometry:
    return PageTableGeometry(plain["name"], tuple(plain["index_bits"]), plain["entry_bytes"])


def _processor(plain: dict[str, Any]) -> Processor:
    out_of_range = plain["out_of_range"]
    return Processor(
        cpu=plain["cpu"],
        cpuid=tuple(_cpuid_answer(answer) for answer in plain["cpuid"]),
        out_of_range=None if out_of_range is None else OutOfRange(out_of_range),
        xcr0=int(plain["xcr0"], 16),
        sets_resume_flag=plain["sets_resume_flag"],
    )


def _cpuid_answer(plain: dict[str, Any]) -> CpuidAnswer:
    subleaf = plain["subleaf"]
    return CpuidAnswer(
        leaf=int(plain["leaf"], 16),
        subleaf=None if subleaf is None else int(subleaf, 16),
        eax=int(plain["eax"], 16),
        ebx=int(plain["ebx"], 16),
        ecx=int(plain["ecx"], 16),
        edx=int(plain["edx"], 16),
    )


def _signal_frame(plain: dict[str, Any] | None) -> SignalFrame | None:
    if plain is None:
        return None
    images = {name: _frame_image(plain[name]) for name in ("plain", "rt", "fpstate")}
    return SignalFrame(**plain | images)


def _frame_image(plain: dict[str, Any]) -> FrameImage:
    return FrameImage(
        a2b_base64(plain["contents"], strict_mode=True),
        tuple((span["offset"], span["length"]) for span in plain["untouched"]),
    )
