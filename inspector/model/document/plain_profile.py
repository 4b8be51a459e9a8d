"""A profile from the plain lists and dicts its JSON decodes to, without msgspec.

The cached profile is read at the start of every command, long before most of them need a document.
"""

from __future__ import annotations

from binascii import a2b_base64
from typing import Any

from inspector.model.address import VirtAddr
from inspector.model.profile import (
    AuxConstant,
    ExecRules,
    LayoutProfile,
    MachineProfile,
    PageTableGeometry,
    SpecialArea,
    UnclearableTail,
)
from inspector.model.registers import Registers


def profile_from_plain(plain: dict[str, Any]) -> MachineProfile:
    """Return the profile of a decoded document that is known to be whole; nothing is checked here."""
    return MachineProfile(
        kernel=plain["kernel"],
        machine=plain["machine"],
        boot_id=plain["boot_id"],
        page_size=plain["page_size"],
        layouts={name: _layout(layout) for name, layout in plain["layouts"].items()},
        special_areas=tuple(SpecialArea(**area) for area in plain["special_areas"]),
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
        ram_bytes=plain["ram_bytes"],
        static_pie_moves_brk=plain["static_pie_moves_brk"],
        exec_rules=_exec_rules(plain["exec_rules"]),
    )


def _layout(plain: dict[str, Any]) -> LayoutProfile:
    return LayoutProfile(
        task_size=VirtAddr(int(plain["task_size"], 16)),
        et_dyn_base=VirtAddr(int(plain["et_dyn_base"], 16)),
        bottom_up=plain["bottom_up"],
    )


def _exec_rules(plain: dict[str, Any]) -> ExecRules:
    return ExecRules(**plain | {"unclearable_tail": UnclearableTail(plain["unclearable_tail"])})


def _aux_constant(plain: dict[str, Any]) -> AuxConstant:
    value = plain["value"]
    return AuxConstant(plain["type"], None if value is None else int(value, 16))


def _geometry(plain: dict[str, Any]) -> PageTableGeometry:
    return PageTableGeometry(plain["name"], tuple(plain["index_bits"]), plain["entry_bytes"])
