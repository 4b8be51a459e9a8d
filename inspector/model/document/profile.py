"""`inspector.profile/2`: one machine, usable on another."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from inspector.model.address import PAGE_SIZE
from inspector.model.auxv import AuxEntry
from inspector.model.document.codec import DocumentKind
from inspector.model.document.plain_profile import profile_from_plain
from inspector.model.document.processor import ProcessorJson, processor_json
from inspector.model.document.scalars import (
    MAX_NUMBER,
    Bytes16,
    Count,
    Hex,
    Hex32,
    PageHex,
    from_hex,
    to_hex,
    to_hex_or_none,
)
from inspector.model.document.signal_frame import (
    SignalFrameJson,
    check_signal_frame,
    signal_frame_json,
)
from inspector.model.document.snapshot import RegistersJson, registers_json
from inspector.model.profile import (
    AuxConstant,
    LayoutProfile,
    MachineProfile,
    NativeProfile,
    SpecialArea,
    UnclearableTail,
)
from inspector.model.program import Layout

_SMALLEST_TASK = 256 << 20
"""mmap_base() keeps 128 MiB below the top free; half of that again is no machine."""
_MAX_AREA_PAGES = 1 << 12
_LARGEST_FAULT_AROUND = 4 << 20
"""What one page table maps, without PAE."""

AreaPages = Annotated[int, Meta(ge=1, le=_MAX_AREA_PAGES)]
IndexBits = Annotated[int, Meta(ge=1, le=16)]
WholePages = Annotated[int, Meta(ge=0, le=MAX_NUMBER, multiple_of=PAGE_SIZE)]
FaultAround = Annotated[int, Meta(ge=PAGE_SIZE, le=_LARGEST_FAULT_AROUND, multiple_of=PAGE_SIZE)]
WordBytes = Annotated[int, Meta(ge=4, le=8, multiple_of=4)]


class LayoutJson(Struct, frozen=True):
    """Where one address-space layout starts from, with ASLR off."""

    task_size: PageHex
    et_dyn_base: Hex
    bottom_up: bool


class SpecialAreaJson(Struct, frozen=True):
    """An area the kernel adds to every process; in ascending order they lie back to back."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    pages: AreaPages
    perms: Annotated[str, Meta(pattern="^[r-][w-][x-][ps]$")]
    mixedmap: bool = False


class AuxConstantJson(Struct, frozen=True):
    """An entry of the auxv template. `value` null: computed from the program; `name` is for the reader."""

    type: Annotated[int, Meta(ge=1, le=0xFFFF_FFFF)]
    name: str
    value: Hex32 | None


class GeometryJson(Struct, frozen=True):
    """How addresses are cut into indexes of page tables, the top level's first."""

    name: str
    index_bits: Annotated[tuple[IndexBits, ...], Meta(min_length=1, max_length=6)]
    entry_bytes: WordBytes


class ExecRulesJson(Struct, frozen=True):
    """Rules of execve that are not the same in every kernel."""

    program_bss_by_segment: bool
    interpreter_bss_by_segment: bool
    unclearable_tail: UnclearableTail
    program_headers_limit: Count
    heap_label_touches: bool
    refuses_open_for_writing: bool
    static_pie_aligned: bool
    runs_x32: bool | None = None


class BinfmtMiscJson(Struct, frozen=True):
    """A handler of binfmt_misc: for files with `magic`, under `mask`, at `offset`, or with the extension."""

    name: str
    offset: Annotated[int, Meta(ge=0, le=255)]
    magic: Annotated[Bytes16, Meta(max_length=512)]
    mask: Annotated[Bytes16, Meta(max_length=512)]
    extension: str


class GateAreaJson(Struct, frozen=True):
    """An area that belongs to no program but stands in each one's maps."""

    start: PageHex
    pages: AreaPages
    perms: Annotated[str, Meta(pattern="^[r-][w-][x-][ps]$")]
    name: Annotated[str, Meta(min_length=1, max_length=64)]


class NativeJson(Struct, frozen=True):
    """What a 64-bit program's address space starts from, with ASLR off."""

    layout: LayoutJson
    special_areas: Annotated[tuple[SpecialAreaJson, ...], Meta(max_length=16)]
    gate_area: GateAreaJson | None
    auxv_entries: Annotated[int, Meta(ge=1, le=128)]
    platform: Annotated[str, Meta(pattern="^[!-~]*$", max_length=64)]
    moved_brk: PageHex | None


class SystemNamesJson(Struct, frozen=True):
    """What uname tells beside release and machine."""

    node: str
    version: str
    domain: str


class ProfileJson(Struct, frozen=True):
    """What a prediction may know of the machine it predicts for.

    `vdso` is the image; `kernel` is for the reader, no rule is keyed on it. `vvar` are the pages before
    it at the time of the probe, those that `vvar_pages` numbers have contents; `tsc` was read behind them.
    """

    schema: Literal["inspector.profile/2"]
    kernel: str
    machine: str
    boot_id: str
    page_size: Annotated[int, Meta(ge=PAGE_SIZE, le=PAGE_SIZE)]
    layouts: dict[str, LayoutJson]
    special_areas: Annotated[tuple[SpecialAreaJson, ...], Meta(max_length=16)]
    vdso: bytes
    vdso_sysenter_offset: Count
    auxv: Annotated[tuple[AuxConstantJson, ...], Meta(max_length=128)]
    platform: Annotated[str, Meta(pattern="^[!-~]*$", max_length=64)]
    entry_registers: RegistersJson
    kernel_word_bytes: WordBytes
    stack_guard_gap: WholePages
    page_tables: GeometryJson
    mmap_min_addr: Hex32
    mmap_floor: PageHex
    hint_floor: PageHex
    ram_bytes: Count
    swap_bytes: Count
    overcommit_memory: Annotated[int, Meta(ge=0, le=2)] | None
    static_pie_moves_brk: bool
    exec_rules: ExecRulesJson
    binfmt_misc: Annotated[tuple[BinfmtMiscJson, ...], Meta(max_length=1024)]
    processor: ProcessorJson
    fault_around_bytes: FaultAround
    zap_frees_page_tables: bool
    anon_vma_merging: Literal["either", "neighbours", "above first"]
    mprotect_uncharges: bool
    vvar: bytes
    vvar_pages: Annotated[tuple[Count, ...], Meta(max_length=16 * _MAX_AREA_PAGES)]
    tsc: Hex
    signal_frame: SignalFrameJson | None
    system: SystemNamesJson | None = None
    cpumask_bytes: Annotated[int, Meta(ge=1, le=8192)] | None = None
    max_map_count: Annotated[int, Meta(ge=0, le=0x7FFF_FFFF)] | None = None
    native: NativeJson | None = None


KIND = DocumentKind("profile", 2, ProfileJson, "`inspector profile -o FILE`")


def profile_json(profile: MachineProfile) -> ProfileJson:
    """Return the JSON type of `profile`."""
    geometry, rules, names = profile.page_tables, profile.exec_rules, profile.system
    return ProfileJson(
        schema="inspector.profile/2",
        kernel=profile.kernel,
        machine=profile.machine,
        boot_id=profile.boot_id,
        page_size=profile.page_size,
        layouts={name: _layout_json(layout) for name, layout in profile.layouts.items()},
        special_areas=_areas_json(profile.special_areas),
        vdso=profile.vdso,
        vdso_sysenter_offset=profile.vdso_sysenter_offset,
        auxv=tuple(_aux_constant_json(constant) for constant in profile.auxv),
        platform=profile.platform,
        entry_registers=registers_json(profile.entry_registers),
        kernel_word_bytes=profile.kernel_word_bytes,
        stack_guard_gap=profile.stack_guard_gap,
        page_tables=GeometryJson(geometry.name, geometry.index_bits, geometry.entry_bytes),
        mmap_min_addr=to_hex(profile.mmap_min_addr),
        mmap_floor=to_hex(profile.mmap_floor),
        hint_floor=to_hex(profile.hint_floor),
        ram_bytes=profile.ram_bytes,
        swap_bytes=profile.swap_bytes,
        overcommit_memory=profile.overcommit_memory,
        static_pie_moves_brk=profile.static_pie_moves_brk,
        exec_rules=ExecRulesJson(
            program_bss_by_segment=rules.program_bss_by_segment,
            interpreter_bss_by_segment=rules.interpreter_bss_by_segment,
            unclearable_tail=rules.unclearable_tail,
            program_headers_limit=rules.program_headers_limit,
            heap_label_touches=rules.heap_label_touches,
            refuses_open_for_writing=rules.refuses_open_for_writing,
            static_pie_aligned=rules.static_pie_aligned,
            runs_x32=rules.runs_x32,
        ),
        binfmt_misc=tuple(
            BinfmtMiscJson(each.name, each.offset, each.magic.hex(), each.mask.hex(), each.extension)
            for each in profile.binfmt_misc
        ),
        processor=processor_json(profile.processor),
        fault_around_bytes=profile.fault_around_bytes,
        zap_frees_page_tables=profile.zap_frees_page_tables,
        anon_vma_merging=profile.anon_vma_merging.value,
        mprotect_uncharges=profile.mprotect_uncharges,
        vvar=profile.vvar,
        vvar_pages=profile.vvar_pages,
        tsc=to_hex(profile.tsc),
        signal_frame=None if profile.signal_frame is None else signal_frame_json(profile.signal_frame),
        system=None if names is None else SystemNamesJson(names.node, names.version, names.domain),
        cpumask_bytes=profile.cpumask_bytes,
        max_map_count=profile.max_map_count,
        native=None if profile.native is None else _native_json(profile.native),
    )


def _layout_json(layout: LayoutProfile) -> LayoutJson:
    return LayoutJson(to_hex(layout.task_size), to_hex(layout.et_dyn_base), layout.bottom_up)


def _areas_json(areas: tuple[SpecialArea, ...]) -> tuple[SpecialAreaJson, ...]:
    return tuple(SpecialAreaJson(area.name, area.pages, area.perms, area.mixedmap) for area in areas)


def _native_json(native: NativeProfile) -> NativeJson:
    gate = native.gate_area
    return NativeJson(
        layout=_layout_json(native.layout),
        special_areas=_areas_json(native.special_areas),
        gate_area=None
        if gate is None
        else GateAreaJson(to_hex(gate.start), gate.pages, gate.perms, gate.name),
        auxv_entries=native.auxv_entries,
        platform=native.platform,
        moved_brk=to_hex_or_none(native.moved_brk),
    )


def profile_of(json: ProfileJson) -> MachineProfile:
    """Undo `profile_json`. Raises ValueError for a machine on which no program could be laid out."""
    for layout in Layout:
        if layout.value not in json.layouts:
            raise ValueError(f"it lacks the layout {layout.value!r}")
    bounds_of = dict(json.layouts)
    if json.native is not None:
        bounds_of["native"] = json.native.layout
    for name, bounds in bounds_of.items():
        task_size = from_hex(bounds.task_size)
        if not from_hex(bounds.et_dyn_base) < task_size or task_size < _SMALLEST_TASK:
            raise ValueError(f"the layout {name!r} leaves programs no room")
    if any(len(handler.magic) != len(handler.mask) for handler in json.binfmt_misc):
        raise ValueError("a binfmt_misc handler has a mask of another length than its magic")
    _check_vdso(json)
    if json.signal_frame is not None:
        check_signal_frame(json.signal_frame)
    return profile_from_plain(msgspec.to_builtins(json))


def _check_vdso(json: ProfileJson) -> None:
    vdso_pages = sum(area.pages for area in json.special_areas if area.name == "[vdso]")
    if len(json.vdso) != vdso_pages * PAGE_SIZE:
        raise ValueError(f"[vdso] has {vdso_pages} pages, but its image {len(json.vdso)} bytes")
    if json.vdso_sysenter_offset > len(json.vdso):
        raise ValueError("the vdso's entry lies outside its image")
    other_pages = sum(area.pages for area in json.special_areas) - vdso_pages
    if len(json.vvar) not in {0, other_pages * PAGE_SIZE}:
        raise ValueError(f"the areas before [vdso] have {other_pages} pages, but vvar {len(json.vvar)} bytes")
    if any(page >= len(json.vvar) // PAGE_SIZE for page in json.vvar_pages):
        raise ValueError("vvar_pages names a page that vvar does not have")


def _aux_constant_json(constant: AuxConstant) -> AuxConstantJson:
    name = AuxEntry(constant.type, 0).name
    return AuxConstantJson(constant.type, name, to_hex_or_none(constant.value))
