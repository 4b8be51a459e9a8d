from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inspector.model.address import Vpn
from inspector.report.document import (
    Column,
    Document,
    Fact,
    Facts,
    Grid,
    GridArea,
    Mark,
    Paragraph,
    Row,
    Section,
    Table,
)
from inspector.report.terminal import Style, render
from inspector.view.areas import AreaKind
from inspector.view.pages import Cell, PageRun

if TYPE_CHECKING:
    from collections.abc import Sequence


def lines_of(*blocks: Table | Facts | Paragraph | Grid, style: Style | None = None) -> list[str]:
    return list(render(Document("title", (Section("", blocks),)), style or Style()))[1:]


def test_a_row_must_fill_its_columns() -> None:
    with pytest.raises(ValueError, match="does not have 2 cells"):
        Table((Column("one"), Column("two")), (Row(("alone",)),))


def test_columns_are_aligned_and_marks_stand_in_the_margin() -> None:
    table = Table(
        (Column("name"), Column("size", right=True)), (Row(("a", "1"), Mark.GOOD), Row(("long", "1000")))
    )
    assert lines_of(table) == [
        "   name  size",
        "✓  a        1",
        "   long  1000",
    ]


def test_cells_keep_what_looks_like_a_number_as_it_is() -> None:
    assert lines_of(Table((Column("a"),), (Row(("0x10",)), Row(("1e5",)), Row(("007",))))) == [
        "   a",
        "   0x10",
        "   1e5",
        "   007",
    ]


def test_a_table_without_titles_has_no_line_for_them() -> None:
    assert lines_of(Table((Column(""), Column("")), (Row(("a", "b")),))) == ["   a  b"]


def test_the_flexible_column_gives_way_first_then_the_last_optional_one() -> None:
    columns = (Column("key"), Column("extra", optional=True), Column("path", flexible=True))
    table = Table(columns, (Row(("k" * 10, "e" * 10, "/a/rather/long/path/to/a/file")),))
    roomy = lines_of(table, style=Style(width=50))
    assert roomy[1].split() == ["k" * 10, "e" * 10, "/a/rath…/path/to/a/file"]
    assert lines_of(table, style=Style(width=32))[1].split() == ["k" * 10, "/a/ra…h/to/a/file"]


def test_a_long_value_continues_below_itself() -> None:
    facts = Facts((Fact("label", "some words that go on and on", Mark.UNKNOWN), Fact("other", "")))
    assert lines_of(facts, style=Style(width=24)) == [
        "?  label  some words",
        "          that go on and",
        "          on",
        "   other",
    ]


def test_the_legend_names_the_marks_that_occur() -> None:
    legend = ((Mark.GOOD, "good"), (Mark.BAD, "bad"), (Mark.UNKNOWN, "who knows"))
    document = Document("title", (Section("part", (Paragraph("text", Mark.BAD),)),), Mark.GOOD, legend)
    assert list(render(document, Style())) == [
        "✓ title",
        "",
        "part",
        "✗  text",
        "",
        "✓ good   ✗ bad",
    ]


def test_an_ascii_terminal_gets_ascii() -> None:
    shown = lines_of(Paragraph("naïve … \udcff", Mark.GOOD), style=Style(unicode=False))
    assert shown == ["ok na\\xefve ... \\xff"]


def test_colour_is_used_only_where_allowed() -> None:
    document = Document("title", (Section("", (Paragraph("text", Mark.BAD),)),), Mark.BAD)
    assert "\x1b" not in "".join(render(document, Style()))
    assert "\x1b[31m✗\x1b[0m  text" in list(render(document, Style(colour=True)))


def test_nothing_a_program_chose_reaches_the_terminal_raw() -> None:
    table = Table((Column("name", flexible=True),), (Row(("/\x1b]0;owned\x07\n\u202e",)),))
    document = Document("\x1b[2J", (Section("", (table, Facts((Fact("k", "\x1b[2J\r"),)))),))
    assert "\x1b" not in "".join(render(document, Style()))


def grid_of(*areas: tuple[str, AreaKind | None, Sequence[PageRun]]) -> Grid:
    return Grid(tuple(GridArea(label, kind, "1/2", tuple(runs)) for label, kind, runs in areas))


def test_a_grid_has_a_letter_for_every_page_in_the_column_of_its_number() -> None:
    runs = [PageRun(Cell.FILE, Vpn(0x8048), 1), PageRun(Cell.PREDICTED_ONLY, Vpn(0x8049), 24)]
    assert lines_of(grid_of(("it", AreaKind.CODE, runs))) == [
        "   address   kind    resident  pages, 16 by 16                    area",
        "   08048000  code         1/2          f------- ----------------  it",
        "   08060000                    -",
    ]


def test_rows_that_are_alike_are_said_not_drawn() -> None:
    runs = [PageRun(Cell.ABSENT, Vpn(0x1000), 4096), PageRun(Cell.ZERO, Vpn(0x2000), 1)]
    _, first, second = lines_of(grid_of(("", None, runs)))
    assert first == "   01000000               1/2  . … 4096 pages absent"
    assert second == "   02000000                    z"


def test_a_wide_terminal_has_more_pages_in_a_row() -> None:
    lines = lines_of(
        grid_of(("it", AreaKind.HEAP, [PageRun(Cell.ANONYMOUS, Vpn(0), 64)])), style=Style(width=132)
    )
    assert lines[1].endswith("  " + " ".join(["a" * 16] * 4) + "  it")


def test_the_legend_names_the_pages_and_areas_that_occur() -> None:
    legend = ((Mark.GOOD, "good"), (AreaKind.CODE, "runs"), (AreaKind.HEAP, "brk"), (Cell.ZERO, "zeros"))
    grid = grid_of(("it", AreaKind.CODE, [PageRun(Cell.ZERO, Vpn(0), 1)]))
    document = Document("title", (Section("part", (grid,)),), Mark.GOOD, legend)
    assert list(render(document, Style()))[-4:] == ["", "✓ good", "code: runs", "z zeros"]


def test_a_row_about_an_area_has_the_colour_of_its_kind() -> None:
    table = Table((Column(""),), (Row(("text",), Mark.GOOD, AreaKind.STACK),))
    assert lines_of(table, style=Style(colour=True)) == ["\x1b[32m✓\x1b[0m  \x1b[33mtext\x1b[0m"]
