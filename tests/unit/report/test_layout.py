"""What `inspector layout` prints of a file with more sections than anyone reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from inspector.elf.file import ExecutableFile
from inspector.layout.document import layout_json
from inspector.layout.views import Views, read_image, views_of
from inspector.report.layout import layout_document
from inspector.report.terminal import Style, render
from tests.elfwriter import Phdr
from tests.fuzz.seeds import many_sections
from tests.unit.layout.sectioned import ALLOC, PROGBITS, sectioned

if TYPE_CHECKING:
    from pathlib import Path

SECTIONS = 0xFFFE - 1  # the first header is none
HOLE_BYTES = 1 << 22


@pytest.fixture
def views(tmp_path: Path) -> Views:
    path = tmp_path / "many"
    path.write_bytes(many_sections())
    with path.open("r+b") as file:
        file.truncate(HOLE_BYTES)
    with ExecutableFile(str(path)) as opened:
        return views_of(read_image(opened), None)


def printed(views: Views, *, verbose: bool = False) -> list[str]:
    return list(render(layout_document("many", None, views, verbose=verbose), Style()))


def test_a_table_of_sixty_thousand_sections_is_folded(views: Views) -> None:
    lines = printed(views)
    assert len(lines) < 600
    assert f"   and {SECTIONS - 500} more lines; --verbose shows all {SECTIONS}" in lines
    assert lines.index("Sections by segment") > 500


def test_verbose_shows_them_all_and_json_has_them_all(views: Views) -> None:
    lines = printed(views, verbose=True)
    assert sum(line.startswith("   section ") for line in lines) == SECTIONS + 1  # the titles, too
    assert len(json.loads(layout_json("many", None, views))["sections"]) == SECTIONS


def test_a_segment_with_many_sections_lists_some_and_counts_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "many"
    base = Phdr().vaddr
    fields = [(f".s{number}", PROGBITS, ALLOC, base + number, number, 1) for number in range(300)]
    path.write_bytes(sectioned([Phdr()], fields))
    with ExecutableFile(str(path)) as opened:
        views = views_of(read_image(opened), None)
    text = " ".join(line.strip() for line in printed(views))
    assert ".s199 ... (100 more)" in text
    assert ".s200" not in text.partition("Sections by segment")[2]
    whole = " ".join(line.strip() for line in printed(views, verbose=True))
    assert ".s299" in whole.partition("Sections by segment")[2]
