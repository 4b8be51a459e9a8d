"""Pages of many faults, and of many programs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.model.address import VirtAddr
from inspector.model.fault import FaultKind
from inspector.report.check import check_document, prediction_document
from inspector.report.html import Entry, Subject, index_page, page
from inspector.report.summary import Line, Standing
from tests.browser.test_pages import NARROW, WIDTHS, grave
from tests.golden.report import hello
from tests.unit.report.html.hostile import HOSTILE, hostile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.browser.conftest import Opened

FIRST = 0x10000000


def faulting(count: int) -> bytes:
    """Return the page of a program that writes to so many pages of its own, one after the other."""
    area = hello.vma(FIRST, FIRST + (count << 12), hello.RW, hello.VMAS[4].backing)
    fault = replace(hello.FAULTS[2], kind=FaultKind.ANONYMOUS, area=area)
    faults = tuple(replace(fault, address=VirtAddr(FIRST + (number << 12))) for number in range(count))
    prediction = replace(hello.PREDICTION, faults=faults)
    return page(Subject(prediction, None, (), prediction_document(replace(prediction, faults=None))))


def test_fifty_thousand_faults_are_stepped_through(tmp_path: Path, opened: Callable[..., Opened]) -> None:
    file = tmp_path / "many.html"
    file.write_bytes(faulting(50_000))
    many = opened(file)
    assert many.text("#place") == "1 of 50,000"
    # What is not in sight is not in the page.
    assert many.count("#fault-rows tr") < 80
    many.page.click("#go-last")
    assert many.text("#place") == "50,000 of 50,000"
    assert many.text("#fault-rows tr[aria-current] th") == "50000"
    assert "50,000 of 50,000 pages" in many.text("#fault-grid")
    many.page.click("#go-back")
    assert "49,999 of 50,000 pages" in many.text("#fault-grid")
    assert many.count("#fault-grid path") < 200
    many.page.locator("#fault-rows").evaluate("node => node.scrollTop = 25000 * 28")
    many.page.locator("#fault-rows tr[data-at='25000']").click()
    assert many.text("#place") == "25,001 of 50,000"
    assert "25,001 of 50,000 pages" in many.text("#fault-grid")
    assert f"{FIRST + (25_000 << 12):#x}" in many.text(".sentence")


def test_of_more_than_two_hundred_thousand_it_is_said_what_is_left_out(
    tmp_path: Path, opened: Callable[..., Opened]
) -> None:
    file = tmp_path / "most.html"
    file.write_bytes(faulting(200_001))
    most = opened(file)
    assert most.text("#place") == "1 of 200,000"
    assert most.text(".left-out").startswith("These are the first 200,000 of 200,001 faults.")


def test_the_names_in_an_index_are_read_in_lines_on_a_phone_too(
    tmp_path: Path, opened: Callable[..., Opened]
) -> None:
    (tmp_path / "index.html").write_bytes(
        index_page(
            [Entry(Line("fixtures/build/hello", Standing.AGREES, f"runs: {'11 VMAs, ' * 9}"), "1-hello.html")]
        )
    )
    index = opened(tmp_path / "index.html", **NARROW)
    lines = "node => { const all = document.createRange(); all.selectNodeContents(node);"
    lines += " return new Set([...all.getClientRects()].map((line) => line.top)).size; }"
    assert index.page.locator(".index tbody th a").evaluate(lines) <= 2
    scrolled = index.page.locator(".scroll")
    assert scrolled.evaluate("node => node.scrollWidth") == scrolled.evaluate("node => node.clientWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_index_leads_to_every_page_and_back(
    scheme: str, tmp_path: Path, opened: Callable[..., Opened]
) -> None:
    both = hostile()
    entries = [
        Entry(Line("fixtures/build/hello", Standing.AGREES, "runs: 11 VMAs, 164 pages at exit"), ""),
        Entry(Line(HOSTILE, Standing.DIFFERS, "1 difference: VMAs"), "2-hello.html"),
    ]
    subject = Subject(both.prediction, both.observation, both.findings, check_document(both))
    (tmp_path / "2-hello.html").write_bytes(page(subject, home="index.html"))
    (tmp_path / "index.html").write_bytes(index_page(entries))
    index = opened(tmp_path / "index.html", color_scheme=scheme, **NARROW)
    assert index.page.evaluate(WIDTHS) == [360, 360]
    assert grave(index) == []
    index.page.click("tbody a")
    assert '<script>alert("1")</script>\\n' in index.text(".top dd >> nth=0")
    index.page.click(".kind a")
    assert index.text("h1") == "2 programs, predicted and observed"
    index.requests.clear()
