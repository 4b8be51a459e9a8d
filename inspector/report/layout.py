"""Link view beside execution view: a program's sections, and on their right the areas that they are in."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from inspector.elf.header import segment_name
from inspector.language import N_, tr
from inspector.model.address import PAGE_SIZE
from inspector.model.prediction import Outcome
from inspector.model.vma import FileBacking
from inspector.report.document import Column, Document, Fact, Facts, Paragraph, Row, Section, Table
from inspector.report.program import verdict_text
from inspector.report.text import counted, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from inspector.layout.views import PlacedSection, Saving, Views
    from inspector.model.prediction import ExecVerdict
    from inspector.model.vma import Vma

_COLUMNS = (
    Column("section", flexible=True),
    Column("address"),
    Column("size", right=True),
    Column("segment"),
    Column("area (VMA) at exec"),
    Column("pages", right=True, optional=True),
)
_SAME = "|"
"""In the place of an area: still the one above."""
_MOST_ROWS = 500
"""Of a table, unless all are asked for: a file of some hundred bytes and a hole has 65,000 sections."""
_MOST_LISTED = 200


def layout_document(
    name: str, verdict: ExecVerdict | None, views: Views, *, verbose: bool = False
) -> Document:
    """Return both views of the program that the user called `name`; `verbose` folds nothing, however long."""
    blocks: list[Table | Paragraph] = []
    if verdict is None or verdict.outcome is not Outcome.RUNS:
        what = (
            tr("execve is not predicted") if verdict is None else f"execve{tr(': ')}{verdict_text(verdict)}"
        )
        said = tr("There is no execution view ({reason}): nothing is mapped.")
        blocks.append(Paragraph(said.format(reason=what)))
    if views.load_bias:
        said = tr("The file's addresses count from 0; it is loaded at {address:#x}.")
        blocks.append(Paragraph(said.format(address=views.load_bias)))
    if not views.image.sections:
        blocks.append(Paragraph("It has no section headers: the kernel needs none."))
    rows = list(_rows(views))
    shown = rows if verbose else rows[:_MOST_ROWS]
    blocks.append(Table(_COLUMNS, tuple(row() for row in shown)))
    if len(shown) < len(rows):
        said = tr("and {more} more lines; --verbose shows all {count}")
        blocks.append(Paragraph(said.format(more=len(rows) - len(shown), count=len(rows))))
    return Document(
        tr("{program}: link view beside execution view").format(program=name),
        tuple(
            section
            for section in (
                Section("", tuple(blocks)),
                _segments(views, verbose=verbose),
                _saving(views, verbose=verbose),
                _notes(views),
            )
            if section is not None
        ),
    )


def _rows(views: Views) -> Iterator[Callable[[], Row]]:
    """Yield the sections by area, areas without any in their order, then what is not loaded.

    Of each what makes its row: those past the ones that are shown are not made.
    """
    inside = defaultdict(list)
    for placed in views.placed:
        for vma in placed.vmas:
            inside[vma.start].append(placed)
    for vma in views.vmas or ():
        here = sorted(inside[vma.start], key=lambda placed: placed.section.header.addr)
        for number, placed in enumerate(here):
            begun = placed.vmas[0] is not vma
            yield partial(_row, views, placed, vma if number == 0 else None, rest=begun)
        if not here:
            yield partial(_row_without_section, views, vma)
    for placed in views.placed:
        if not placed.vmas:
            yield partial(_row_without_area, views, placed)


def _row_without_section(views: Views, vma: Vma) -> Row:
    return Row((_what_else(vma, views), "", "", "", *_area(vma)))


def _row_without_area(views: Views, placed: PlacedSection) -> Row:
    return Row((*_row(views, placed, None).cells[:4], _why_not_loaded(placed), ""))


def _row(views: Views, placed: PlacedSection, vma: Vma | None, *, rest: bool = False) -> Row:
    header, name = (
        placed.section.header,
        placed.section.name or tr("section {number}").format(number=placed.section.number),
    )
    if rest:
        return Row(
            (
                tr("{section}, the rest").format(section=name),
                "",
                "",
                _segment(views, placed.load),
                *_area(vma),
            )
        )
    address = f"{header.addr + views.load_bias:08x}" if placed.section.is_allocated else ""
    return Row((name, address, f"{header.size:#x}", _segment(views, placed.load), *_area(vma)))


def _segment(views: Views, number: int | None) -> str:
    return "" if number is None else f"{number:02} {views.image.segments[number].access}"


def _area(vma: Vma | None) -> tuple[str, str]:
    if vma is None:
        return _SAME, ""
    return f"{vma.start:08x}-{vma.end:08x} {vma.perms}", str(vma.range.size_bytes // PAGE_SIZE)


def _what_else(vma: Vma, views: Views) -> str:
    """Say what an area without a section is: `[stack]`, `ld-linux.so.2`."""
    if vma in views.own:
        return tr("(no section)")
    if isinstance(vma.backing, FileBacking):
        return f"({vma.name.rpartition('/')[2]})"
    return vma.name or tr("(anonymous)")


def _why_not_loaded(placed: PlacedSection) -> str:
    if placed.section.is_tbss:
        return tr("not loaded: per thread")
    return tr("not loaded") if placed.load is None else tr("not mapped")


def _listed(texts: Sequence[str], separator: str, *, verbose: bool) -> str:
    more = 0 if verbose else len(texts) - _MOST_LISTED
    if more <= 0:
        return separator.join(texts)
    rest = tr("... ({count} more)").format(count=more)
    return f"{separator.join(texts[:_MOST_LISTED])}{separator}{rest}"


def _segments(views: Views, *, verbose: bool) -> Section | None:
    """Return every program header with the sections in it, in the words of `readelf -l`."""
    if not views.image.segments:
        return None
    facts = tuple(
        Fact(
            f"{number:02} {segment_name(segment.type)} {segment.access}",
            _listed([section.name for section in views.image.members[number]], " ", verbose=verbose)
            or tr("no section"),
        )
        for number, segment in enumerate(views.image.segments)
    )
    return Section("Sections by segment", (Facts(facts),))


def _notes(views: Views) -> Section | None:
    if not views.image.notes:
        return None
    facts = tuple(Fact(f"{note.owner} {note.kind}", note.text) for note in views.image.notes)
    return Section("Notes of compiler and linker", (Facts(facts),))


def _saving(views: Views, *, verbose: bool) -> Section | None:
    if not views.savings or not views.image.sections:
        return None
    columns = (
        Column("segment"),
        Column("sections", right=True),
        Column("each by itself", flexible=True),
        Column("together", right=True),
        Column("saved", right=True),
    )
    rows = [
        Row(
            (
                _segment(views, saving.segment),
                str(len(saving.alone_pages)),
                _sum(saving, verbose=verbose),
                str(saving.together_pages),
                str(saving.saved_pages),
            )
        )
        for saving in views.savings
    ]
    sections = sum(len(saving.alone_pages) for saving in views.savings)
    alone = sum(sum(saving.alone_pages) for saving in views.savings)
    together = sum(saving.together_pages for saving in views.savings)
    rows.append(Row((tr("all"), str(sections), str(alone), str(together), str(alone - together))))
    said = (
        N_(
            "Mapped by itself, a section would take its size in whole pages of {size} bytes, and {sections} "
            "{alone} of them. As {segments} of one permission each, from the page of p_vaddr to that of "
            "p_vaddr + p_memsz, they take {together}: merging saves {pages}."
        )
        if alone >= together
        else N_(
            "Mapped by itself, a section would take its size in whole pages of {size} bytes, and {sections} "
            "{alone} of them. As {segments} of one permission each, from the page of p_vaddr to that of "
            "p_vaddr + p_memsz, they take {together}: merging costs {pages}."
        )
    )
    words = tr(said).format(
        size=PAGE_SIZE,
        sections=counted(sections, "section"),
        alone=alone,
        segments=counted(len(views.savings), "segment"),
        together=together,
        pages=counted(abs(alone - together), "page"),
    )
    if alone < together:
        words = joined(
            words,
            tr(
                "A segment has the file's headers with it, or begins inside a page and so reaches one "
                "further."
            ),
        )
    blocks = (Table(columns, tuple(rows)), Paragraph(words))
    return Section("What merging by permission saves, in pages", blocks)


def _sum(saving: Saving, *, verbose: bool) -> str:
    pages = saving.alone_pages
    if len(pages) < 2:  # noqa: PLR2004 - a sum of several
        return str(sum(pages))
    return f"{_listed([str(each) for each in pages], '+', verbose=verbose)} = {sum(pages)}"
