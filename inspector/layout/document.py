"""The two views as JSON: inspector.layout/1. Addresses are the file's; `load_bias` leads to the process's."""

from typing import TYPE_CHECKING

import msgspec

from inspector.elf.header import segment_name
from inspector.model.document.codec import encode
from inspector.model.document.vma import VmaJson, vma_json

if TYPE_CHECKING:
    from inspector.layout.views import Saving, Views
    from inspector.model.prediction import ExecVerdict


class SegmentJson(msgspec.Struct):
    """One program header and the names of the sections in it, as `readelf -lW` has them."""

    number: int
    type: str
    offset: str
    vaddr: str
    filesz: int
    memsz: int
    perms: str
    sections: list[str]


class SectionJson(msgspec.Struct):
    """One section; `load` is the number of the PT_LOAD it is mapped with, `vmas` where those areas start."""

    number: int
    name: str
    address: str
    offset: str
    size: int
    allocated: bool
    segments: list[int]
    load: int | None
    vmas: list[str]


class SavingJson(msgspec.Struct):
    """Pages that a segment's sections take: each section mapped by itself, and all of them together."""

    segment: int
    alone_pages: list[int]
    together_pages: int
    saved_pages: int


class NoteJson(msgspec.Struct):
    """One note of compiler or linker."""

    owner: str
    kind: str
    text: str


class LayoutJson(msgspec.Struct):
    """Both views of a program."""

    program: str
    execve: str | None
    load_bias: str
    segments: list[SegmentJson]
    sections: list[SectionJson]
    vmas: list[VmaJson] | None
    savings: list[SavingJson]
    saved_pages: int
    notes: list[NoteJson]
    schema: str = "inspector.layout/1"


def layout_json(program: str, verdict: "ExecVerdict | None", views: "Views") -> bytes:
    """Return the views of `program` as one line of JSON."""
    image = views.image
    return encode(
        LayoutJson(
            program=program,
            execve=None if verdict is None else str(verdict),
            load_bias=f"{views.load_bias:#x}",
            segments=[
                SegmentJson(
                    number,
                    segment_name(segment.type),
                    f"{segment.offset:#x}",
                    f"{segment.vaddr:#x}",
                    segment.filesz,
                    segment.memsz,
                    str(segment.access),
                    [section.name for section in image.members[number]],
                )
                for number, segment in enumerate(image.segments)
            ],
            sections=[
                SectionJson(
                    placed.section.number,
                    placed.section.name,
                    f"{placed.section.header.addr:#x}",
                    f"{placed.section.header.offset:#x}",
                    placed.section.header.size,
                    placed.section.is_allocated,
                    list(placed.segments),
                    placed.load,
                    [f"{vma.start:#x}" for vma in placed.vmas],
                )
                for placed in views.placed
            ],
            vmas=None if views.vmas is None else [vma_json(vma) for vma in views.vmas],
            savings=list(map(_saving_json, views.savings)),
            saved_pages=sum(saving.saved_pages for saving in views.savings),
            notes=[NoteJson(note.owner, note.kind, note.text) for note in image.notes],
        )
    )


def _saving_json(saving: "Saving") -> SavingJson:
    return SavingJson(saving.segment, list(saving.alone_pages), saving.together_pages, saving.saved_pages)
