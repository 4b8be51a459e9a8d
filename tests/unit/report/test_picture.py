"""The SVG: well formed whatever a path holds, self-contained, and every page in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from inspector.model.address import Vpn
from inspector.model.page import PageKind, PageState
from inspector.model.prediction import NotModelledAt
from inspector.model.vma import FileBacking
from inspector.report.judge import Judge
from inspector.report.picture import html_of, picture_of
from inspector.report.svg import Panel, svg_picture
from inspector.report.svg.drawing import WIDTH
from inspector.report.svg.grid import CELL
from tests.golden.report import hello, scenes

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "/tmp/<script>alert('x')</script>&\"\n\x1b[31m\udcff\x00]]>"  # noqa: S108


def parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - our own


def hostile() -> str:
    """Return the picture of a program whose name and path are written to break out of it."""
    vmas = tuple(
        replace(vma, backing=replace(vma.backing, path=HOSTILE))
        if isinstance(vma.backing, FileBacking)
        else vma
        for vma in hello.VMAS
    )
    program = replace(hello.PROGRAM, path=HOSTILE, requested=HOSTILE)
    exec_ = replace(hello.EXEC, vmas=vmas)
    return picture_of(replace(hello.PREDICTION, program=program, snapshots=(exec_,)))


def test_a_hostile_name_stays_text() -> None:
    root = parsed(hostile())
    assert not list(root.iter(f"{SVG}script"))
    assert any("<script>" in (text.text or "") for text in root.iter(f"{SVG}text"))
    assert not any(ord(letter) < 32 and letter != "\n" for letter in hostile())


def test_nothing_is_asked_for_from_elsewhere() -> None:
    picture = picture_of(scenes.agreeing())
    for word in ("href", "url(", "@import", "http://", "https://"):
        assert word not in picture.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_the_view_box_is_as_wide_as_ever_and_holds_everything() -> None:
    for result in (scenes.agreeing(), scenes.differing(), scenes.live(), hello.PREDICTION):
        root = parsed(picture_of(result))
        left, top, width, height = map(float, root.attrib["viewBox"].split())
        assert (left, top, width) == (0, 0, WIDTH)
        for box in root.iter(f"{SVG}rect"):
            assert float(box.get("x", 0)) + float(box.get("width", 0)) <= width
            assert float(box.get("y", 0)) + float(box.get("height", 0)) <= height
        for text in root.iter(f"{SVG}text"):
            assert 0 < float(text.attrib["y"]) <= height


def pages_drawn(picture: str) -> Counter[str]:
    """Return how many pages of each kind there are in the grids."""
    found: Counter[str] = Counter()
    for box in parsed(picture).iter(f"{SVG}rect"):
        if box.get("height") == str(CELL):
            found[box.attrib["class"]] += int(float(box.attrib["width"])) // CELL
    return found


def test_memory_that_no_file_is_behind_has_a_word_for_a_name() -> None:
    assert "080ee000 rw-p    12K anonymous" in picture_of(scenes.agreeing())


def test_every_page_is_drawn_once() -> None:
    drawn = pages_drawn(picture_of(replace(hello.OBSERVATION, snapshots=(hello.MAIN,))))
    kinds = Counter(page.kind for page in hello.MAIN.pages or ())
    assert drawn["file"] == kinds[PageKind.FILE]
    assert drawn["own"] == kinds[PageKind.ANONYMOUS]
    assert (drawn["zero"], drawn["special"], drawn["unknown"]) == (1, 1, 1)


def test_what_differs_stands_out() -> None:
    picture = picture_of(scenes.differing())
    assert pages_drawn(picture)["wrong only-predicted"] == 1
    assert "wrong" not in "".join(pages_drawn(picture_of(scenes.agreeing())))
    boxes = [box.get("class", "") for box in parsed(picture).iter(f"{SVG}rect")]
    assert any(" differs" in kind for kind in boxes)


def test_what_a_rule_explains_does_not_stand_out() -> None:
    boxes = parsed(picture_of(scenes.explained())).iter(f"{SVG}rect")
    assert not any(" differs" in box.get("class", "") for box in boxes)


def test_a_program_without_a_process_has_a_picture_that_says_so() -> None:
    limit = replace(hello.PREDICTION, snapshots=(), verdict=None, not_modelled=NotModelledAt("AVX"))
    assert "There is no process to look at." in picture_of(limit)


def test_a_great_many_pages_are_not_all_drawn() -> None:
    pages = tuple(PageState(Vpn(0x10000 + 2 * number), PageKind.ANONYMOUS) for number in range(40_000))
    area = hello.vma(0x10000000, 0x10000000 + (80_000 << 12), hello.RW, hello.VMAS[4].backing)
    snapshot = replace(hello.EXEC, vmas=(area,), pages=pages)
    picture = svg_picture("many", [Panel(snapshot, None, Judge())])
    assert len(picture) < 300_000
    assert "and 78720 pages more" in picture


@pytest.mark.parametrize("result", [hello.PREDICTION, hello.OBSERVATION, scenes.agreeing()])
def test_a_notebook_shows_how_it_came_out_and_the_last_stop(result: object) -> None:
    html = result._repr_html_()  # type: ignore[attr-defined]
    assert html.startswith("<p><strong>fixtures/build/hello: ")
    assert html.count("<svg ") == 1
    assert len(html) < 30_000


def test_a_notebook_escapes_names() -> None:
    program = replace(hello.PROGRAM, requested=HOSTILE)
    html = html_of(replace(hello.PREDICTION, program=program))
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
