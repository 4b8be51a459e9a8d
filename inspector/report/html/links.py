"""Sections, segments and areas side by side: three lists that a page joins by the addresses they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.elf.header import PT_GNU_STACK, segment_name
from inspector.language import tr
from inspector.model.vma import FileBacking
from inspector.report.html.words import area_name
from inspector.report.text import joined, short_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.layout.views import PlacedSection, Views
    from inspector.model.vma import Vma


@dataclass(frozen=True, slots=True)
class Linked:
    """A line of one list; `start` and `end` are None for what has no place in memory."""

    start: int | None
    end: int | None
    name: str
    cells: tuple[str, ...]
    partners: str
    """What it is joined with, in words: for who does not see lines light up."""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Links:
    """The three lists."""

    sections: tuple[Linked, ...]
    segments: tuple[Linked, ...]
    areas: tuple[Linked, ...]
    not_loaded: tuple[str, ...]
    """The sections that have no place in memory."""
    note: str


def links_of(views: Views, kinds: Sequence[tuple[Vma, str]]) -> Links:
    """Return the lists of a program; `kinds` are its areas at exec, with what each is for."""
    bias = views.load_bias
    notes = []
    if bias:
        loaded = tr("The file's addresses count from 0; it is loaded at {address:#x}, which is added here.")
        notes.append(loaded.format(address=bias))
    if not views.image.sections:
        notes.append(tr("The file has no section headers: the kernel needs none."))
    return Links(
        tuple(_sections(views)),
        tuple(_segments(views)),
        tuple(_areas(views, kinds)),
        tuple(
            tr("{section} (each thread makes its own)").format(section=_section_name(placed))
            if placed.section.is_tbss
            else _section_name(placed)
            for placed in views.placed
            if placed.load is None
        ),
        joined(*notes),
    )


def _section_name(placed: PlacedSection) -> str:
    return placed.section.name or tr("section {number}").format(number=placed.section.number)


def _sections(views: Views) -> list[Linked]:
    lines = []
    for placed in views.placed:
        if placed.load is None:
            continue
        start = placed.section.header.addr + views.load_bias
        size = placed.section.header.size
        areas = tr(", ").join(f"{vma.start:08x}" for vma in placed.vmas)
        words = (
            tr("in segment {segment}, in area {areas}")
            if areas
            else tr("in segment {segment}, in area of none")
        )
        lines.append(
            Linked(
                start,
                start + size,
                _section_name(placed),
                (f"{start:08x}", short_size(size)),
                words.format(segment=f"{placed.load:02}", areas=areas),
            )
        )
    return lines


def _segments(views: Views) -> list[Linked]:
    lines = []
    for number, segment in enumerate(views.image.segments):
        is_placed = bool(segment.memsz) and segment.type != PT_GNU_STACK
        start = segment.vaddr + views.load_bias if is_placed else None
        end = None if start is None else start + segment.memsz
        names = [section.name for section in views.image.members[number]]
        lines.append(
            Linked(
                start,
                end,
                f"{number:02} {segment_name(segment.type)}",
                (
                    str(segment.access),
                    f"{start:08x}" if start is not None else "",
                    short_size(segment.filesz),
                    short_size(segment.memsz),
                ),
                _sections_words(names),
            )
        )
    return lines


def _areas(views: Views, kinds: Sequence[tuple[Vma, str]]) -> list[Linked]:
    lines = []
    for vma, kind in kinds:
        inside = [placed.section.name for placed in views.placed if vma in placed.vmas]
        offset = f"{vma.offset:#x}" if isinstance(vma.backing, FileBacking) else ""
        lines.append(
            Linked(
                vma.start,
                vma.end,
                f"{vma.start:08x}",
                (vma.perms, offset, short_size(vma.range.size_bytes), area_name(vma, 20)),
                _sections_words(inside),
                kind,
            )
        )
    return lines


def _sections_words(names: Sequence[str]) -> str:
    return tr("sections {names}").format(names=tr(", ").join(names)) if names else tr("no sections")
