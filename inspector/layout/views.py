"""Link view beside execution view: every section in its segment, in the area that the kernel makes of it.

Sections are for the linker, segments and areas for the kernel; neither knows the other's. What joins them is
where things lie: a section is in a segment by offset and address (`membership.py`), and in an area by the
addresses that it has once the program is loaded.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inspector.elf.header import (
    EHDR_SIZE,
    EM_386,
    EM_486,
    PHDR_SIZE,
    PT_LOAD,
    ElfHeader,
    parse_program_headers,
)
from inspector.elf.notes import read_notes
from inspector.elf.sections import named_sections
from inspector.errors import InspectorError
from inspector.layout.membership import section_in_segment
from inspector.model.address import PAGE_SIZE, page_down, page_up
from inspector.model.auxv import AuxType
from inspector.model.vma import FileBacking

if TYPE_CHECKING:
    from inspector.elf.file import ExecutableFile
    from inspector.elf.header import ProgramHeader
    from inspector.elf.notes import Note
    from inspector.elf.sections import Section
    from inspector.model.snapshot import Snapshot
    from inspector.model.vma import Vma

_MOST_PHDR_BYTES = 1 << 16
_MOST_PAIRS = 1 << 18
"""Sections times segments; programs have some hundreds."""


@dataclass(frozen=True, slots=True)
class ElfImage:
    """What a file says of its parts."""

    header: ElfHeader
    segments: tuple[ProgramHeader, ...]
    sections: tuple[Section, ...]
    members: tuple[tuple[Section, ...], ...]
    """The sections of each segment, in the order of their headers."""
    notes: tuple[Note, ...] = ()
    """What compiler and linker wrote down beside the program."""

    @property
    def loads(self) -> tuple[int, ...]:
        """The numbers of the segments that the kernel maps."""
        return tuple(number for number, each in enumerate(self.segments) if each.type == PT_LOAD)


@dataclass(frozen=True, slots=True)
class PlacedSection:
    """A section where it ends up."""

    section: Section
    segments: tuple[int, ...]
    """The numbers of all segments that it lies in."""
    load: int | None
    """The one of them that is mapped, the first if there are more. None: it is not loaded."""
    vmas: tuple[Vma, ...]
    """The areas that it reaches into; more than one for .bss, which begins in the file's last page."""


@dataclass(frozen=True, slots=True)
class Saving:
    """What one segment's sections take mapped each by itself, and what they take together."""

    segment: int
    alone_pages: tuple[int, ...]
    """Of each section that takes memory: its size in whole pages, for a page has one protection."""
    together_pages: int
    """From the page of p_vaddr to that of p_vaddr + p_memsz."""

    @property
    def saved_pages(self) -> int:
        """Pages that merging spares; negative where the segment holds hardly more than the file's headers."""
        return sum(self.alone_pages) - self.together_pages


@dataclass(frozen=True, slots=True)
class Views:
    """A program's link view and execution view."""

    image: ElfImage
    placed: tuple[PlacedSection, ...]
    """Every section, in the order of the headers."""
    vmas: tuple[Vma, ...] | None
    """The whole address space at exec. None: there is no process to have one."""
    own: tuple[Vma, ...]
    """Of these the areas that the program's segments became."""
    load_bias: int
    """What is added to the addresses of the file."""
    savings: tuple[Saving, ...]
    """One for each PT_LOAD."""


def read_image(file: ExecutableFile) -> ElfImage:
    """Return header, segments and sections of an i386 ELF file.

    Raises InspectorError for any other file, and where the section headers do not hold together.
    """
    header, segments = read_headers(file)
    image = image_of(file.path, header, segments, named_sections(file))
    return replace(image, notes=read_notes(file, segments))


def read_headers(file: ExecutableFile) -> tuple[ElfHeader, tuple[ProgramHeader, ...]]:
    """Return header and segments of an i386 ELF file. Raises InspectorError for any other file.

    Of program headers that no kernel reads, for their size or their number, there are none
    (fs/binfmt_elf.c:load_elf_phdrs(); older kernels have a lower limit).
    """
    header = ElfHeader.parse(file.read(0, EHDR_SIZE))
    if header.machine not in (EM_386, EM_486):
        raise InspectorError(
            f"{file.path}: its e_machine is {header.machine}, not that of an i386 program",
            help="compile it with -m32",
        )
    size = header.phnum * PHDR_SIZE
    is_read = header.phentsize == PHDR_SIZE and size <= _MOST_PHDR_BYTES
    return header, parse_program_headers(file.read(header.phoff, size) if is_read else b"")


def image_of(
    path: str, header: ElfHeader, segments: tuple[ProgramHeader, ...], sections: tuple[Section, ...]
) -> ElfImage:
    """Find out which sections lie in which segments. Raises InspectorError where there are too many."""
    if len(segments) * len(sections) > _MOST_PAIRS:
        raise InspectorError(
            f"{path}: {len(sections)} sections and {len(segments)} segments are too many to be told apart",
            help="inspector predict --until exec shows what the kernel maps",
        )
    members = tuple(
        tuple(section for section in sections if section_in_segment(section, segment)) for segment in segments
    )
    return ElfImage(header, segments, sections, members)


def views_of(image: ElfImage, snapshot: Snapshot | None) -> Views:
    """Join `image` with the address space at exec; None where execve does not get that far."""
    vmas = None if snapshot is None else snapshot.vmas
    bias = 0 if snapshot is None else load_bias(image, snapshot)
    inside: dict[int, list[int]] = {section.number: [] for section in image.sections}
    for number, members in enumerate(image.members):
        for section in members:
            inside[section.number].append(number)
    placed = tuple(
        _placed(image, section, tuple(inside[section.number]), vmas or (), bias) for section in image.sections
    )
    return Views(
        image,
        placed,
        vmas,
        tuple(vma for vma in vmas or () if _is_of(image, vma, bias)),
        bias,
        tuple(_saving(image, number) for number in image.loads),
    )


def load_bias(image: ElfImage, snapshot: Snapshot) -> int:
    """Return what was added to the file's addresses: AT_ENTRY tells. 0 where it does not."""
    entry = next((each.value for each in snapshot.auxv or () if each.type == AuxType.AT_ENTRY), None)
    return 0 if entry is None else entry - image.header.entry


def _placed(
    image: ElfImage, section: Section, segments: tuple[int, ...], vmas: tuple[Vma, ...], bias: int
) -> PlacedSection:
    load = next((number for number in segments if image.segments[number].type == PT_LOAD), None)
    start, end = section.header.addr + bias, max(section.end, section.header.addr + 1) + bias
    if load is None:
        return PlacedSection(section, segments, load, ())
    first = bisect_right(vmas, start, key=lambda vma: vma.end)
    behind = bisect_left(vmas, end, key=lambda vma: vma.start)
    return PlacedSection(section, segments, load, vmas[first:behind])


def _is_of(image: ElfImage, vma: Vma, bias: int) -> bool:
    """Whether the area is a segment's: it lies where one of them was mapped."""
    if isinstance(vma.backing, FileBacking) or not vma.name:
        for number in image.loads:
            segment = image.segments[number]
            start, end = page_down(segment.vaddr + bias), page_up(segment.vaddr + segment.memsz + bias)
            if vma.start < end and start < vma.end:
                return True
    return False


def _saving(image: ElfImage, number: int) -> Saving:
    segment = image.segments[number]
    alone = tuple(
        page_up(each.header.size) // PAGE_SIZE for each in image.members[number] if each.header.size
    )
    together = page_up(segment.vaddr + segment.memsz) - page_down(segment.vaddr) if segment.memsz else 0
    return Saving(number, alone, together // PAGE_SIZE)
