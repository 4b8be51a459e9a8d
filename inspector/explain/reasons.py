"""Which rules made an area, and which leave an address without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.elf.header import ET_DYN, PT_GNU_STACK
from inspector.model.address import VirtAddr, page_down, page_up
from inspector.model.vma import Access, FileBacking
from inspector.story.execve import has_interpreter
from inspector.view.areas import AreaKind, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.elf.header import ProgramHeader
    from inspector.layout.views import ElfImage
    from inspector.model.prediction import Prediction
    from inspector.model.vma import Vma
    from inspector.story.evidence import Evidence

_TEXTS_TASK_SIZE = 0xC0000000
_NULL_PAGES_END = 0x10000
"""The default of vm.mmap_min_addr, which root may pass below; null pointers are what it is about."""


def rules_of_area(
    evidence: Evidence, vma: Vma, bias: int, segment: ProgramHeader | None = None
) -> tuple[str, ...]:
    """Return the ids of the rules that made a predicted area, the most telling first.

    `bias` is the program's. `segment`: the one of another file that the area shows.
    """
    return tuple(dict.fromkeys(_rules_of_area(evidence, vma, bias, segment)))


def _rules_of_area(
    evidence: Evidence, vma: Vma, bias: int, segment_of_other: ProgramHeader | None
) -> Iterator[str]:
    kind = kind_of(vma)
    image = evidence.files[-1].image if evidence.files else None
    segments = [] if image is None else _segments_in(image, vma, bias)
    special = {
        AreaKind.VDSO: ("vma.vdso",),
        AreaKind.STACK: ("vma.stack", "layout.task-size"),
        AreaKind.HEAP: ("vma.heap", "layout.brk"),
    }.get(kind)
    if special is not None:
        yield from special
    elif isinstance(vma.backing, FileBacking) and image is not None and _is_program(evidence, vma):
        yield "vma.segment-file"
        if any(_relro_split(segment, vma) for segment in segments):
            yield "vma.relro"
        if any(_clears(segment, vma, bias) for segment in segments):
            yield "elf.padzero"
        yield from _base(image)
        if len(segments) > 1:
            yield "vma.merge"
    elif segments and not isinstance(vma.backing, FileBacking):
        yield "vma.segment-bss"
        if image is not None:
            yield from _base(image)
    else:
        yield from _rules_of_other(vma, segment_of_other, is_interpreter=_is_there_at_exec(evidence, vma))
    if kind is not AreaKind.VDSO and image is not None and _reads_imply_exec(image, vma):
        yield "vma.read-implies-exec"


def _rules_of_other(vma: Vma, segment: ProgramHeader | None, *, is_interpreter: bool) -> Iterator[str]:
    """Yield the rules of what is not the program's: of its interpreter, or mapped since."""
    is_file = isinstance(vma.backing, FileBacking)
    if is_interpreter:
        yield "vma.segment-file" if is_file else "vma.segment-bss"
    else:
        yield "vma.mmap"
    if segment is not None and _relro_split(segment, vma):
        yield "vma.relro"
    if is_interpreter:
        yield "layout.mmap-base"


def _segments_in(image: ElfImage, vma: Vma, bias: int) -> list[ProgramHeader]:
    return [
        segment
        for segment in (image.segments[number] for number in image.loads)
        if segment.memsz
        and page_down(segment.vaddr + bias) < vma.end
        and vma.start < page_up(segment.vaddr + segment.memsz + bias)
    ]


def _is_program(evidence: Evidence, vma: Vma) -> bool:
    return vma.name in (evidence.prediction.program.path, evidence.files[-1].path)


def _relro_split(segment: ProgramHeader, vma: Vma) -> bool:
    """Whether the area is part of a segment that may be written, and may not."""
    return Access.WRITE in segment.access and Access.WRITE not in vma.access


def _clears(segment: ProgramHeader, vma: Vma, bias: int) -> bool:
    """Whether the file's last page of the segment, whose rest is cleared, lies in the area."""
    end = segment.vaddr + segment.filesz + bias
    return segment.memsz > segment.filesz > 0 and end != page_up(end) and page_down(end) in vma.range


def _base(image: ElfImage) -> Iterator[str]:
    if image.header.type != ET_DYN:
        yield "layout.default-base"
    else:
        yield "layout.et-dyn" if has_interpreter(image) else "layout.static-pie"


def _is_there_at_exec(evidence: Evidence, vma: Vma) -> bool:
    """Whether it is an area that execve made, or what mprotect left of one."""
    at_exec = evidence.at_exec
    return any(
        vma.start in each.range and vma.name == each.name
        for each in (at_exec.vmas if at_exec is not None else None) or ()
    )


def _reads_imply_exec(image: ElfImage, vma: Vma) -> bool:
    return Access.EXECUTE in vma.access and all(each.type != PT_GNU_STACK for each in image.segments)


def rules_of_nothing(prediction: Prediction, address: int, floor: int | None) -> tuple[str, ...]:
    """Return the ids of the rules by which an address is in no area, and of what a touch does.

    `floor`: see `stack_floor`.
    """
    if floor is not None and address >= floor:
        return ("fault.stack-growth",)
    layout = prediction.profile.layouts.get(prediction.program.layout.value)
    if layout is not None and address >= layout.task_size:
        return ("layout.kernel-space", "layout.task-size", "fault.refused")
    if address < max(prediction.profile.mmap_min_addr, _NULL_PAGES_END):
        return ("layout.null-page", "fault.refused")
    beyond_the_texts = ("layout.task-size",) if address >= _TEXTS_TASK_SIZE else ()
    below_the_stack = () if floor is None else ("fault.stack-growth",)
    return ("vma.gap", *below_the_stack, *beyond_the_texts, "fault.refused")


def stack_floor(prediction: Prediction, below: Vma | None, above: Vma | None) -> VirtAddr | None:
    """Return the lowest page that a touch would extend the stack down to; None if no stack is next above.

    Its limit counts whole pages, and it keeps away from the next area unless nothing may touch that.
    Source: mm/vma.c:expand_downwards(), acct_stack_growth().
    """
    if above is None or kind_of(above) is not AreaKind.STACK:
        return None
    by_limit = page_up(max(above.end - prediction.program.limits.stack, 0))
    gap = prediction.profile.stack_guard_gap if below is not None and below.access else 0
    by_neighbour = 0 if below is None else below.end + gap
    return VirtAddr(min(max(by_limit, by_neighbour), above.start))
