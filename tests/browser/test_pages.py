"""The pages in a real browser: what they say, what they do, and for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inspector.model.fault import FaultKind
from inspector.report.html.faults import mapped_pages, pages_before_faults
from inspector.view.tables import entry_of, way_to
from tests.browser import chromium, reports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inspector.reconcile import Reconciliation
    from tests.browser.conftest import Opened

pytestmark = pytest.mark.live
NARROW = {"viewport": {"width": 360, "height": 740}}
every_page = pytest.mark.parametrize("name", reports.NAMES)

MOMENT = """() => {
  const text = (selector) => document.querySelector(selector)?.textContent ?? "";
  const texts = (selector) => [...document.querySelectorAll(selector)].map((each) => each.textContent);
  const filled = [...document.querySelectorAll("#fault-grid path:not(.c-absent, .c-fresh)")];
  return {
    title: text("#fault h3"), kind: text(".kind-name"), text: text("#fault"),
    way: texts(".level"), says: text(".entries tr:last-child td"),
    current: texts("#fault-rows tr[aria-current] th"),
    resident: filled.reduce((sum, path) => sum + path.getAttribute("d").split("M").length - 1, 0),
  };
}"""
"""What is shown of the fault, and how many pages are filled in the grid; none of its rows is folded."""
CLICK_BACK = "document.getElementById('go-back').click()"
WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
RULES = "axe.run(document, {resultTypes: ['violations']})"


FOCUSED = "[document.activeElement.id, document.activeElement.textContent.trim()]"


def has_focus(opened: Opened, wanted: str) -> bool:
    """Whether the focus is on what has this id or this text."""
    return wanted in opened.page.evaluate(FOCUSED)


@every_page
def test_a_page_opens_and_says_what_it_is_about(
    name: str, page_file: Callable[[str], Path], opened: Callable[..., Opened]
) -> None:
    page = opened(page_file(name))
    lead = page.text(".lead")
    expected = "differ" if name == "made_up_difference" else "agree"
    assert lead.endswith(f"prediction and kernel {expected}")
    assert page.count("h1") == 1
    assert page.count(".grid-area") > 9
    assert page.text("#place").startswith("1 of ")


@every_page
def test_each_step_shows_what_the_fault_did(
    name: str,
    page_file: Callable[[str], Path],
    opened: Callable[..., Opened],
    checked: Callable[[str], Reconciliation],
) -> None:
    """Grid and table entries are held against what the prediction says of each fault."""
    page = opened(page_file(name))
    prediction = checked(name).prediction
    faults = list(prediction.faults or ())
    geometry = prediction.profile.page_tables
    resident = set(pages_before_faults(prediction, faults))
    for number, fault in enumerate(faults):
        if fault.process == 0:
            resident |= set(mapped_pages(fault))
        now = page.page.evaluate(MOMENT)
        assert now["resident"] == len(resident), number
        assert now["title"].startswith(f"Fault {number + 1}")
        assert now["current"] == [str(number + 1)]
        entry = entry_of(fault, geometry)
        if entry is None:
            assert "Nothing is written." in now["text"]
        else:
            assert now["way"] == [f"{step.level}{step.index}" for step in way_to(fault.address, geometry)]
            assert now["says"].startswith(", ".join(entry.words))
        if fault.file_offset is not None:
            assert f"{fault.file_offset:#x}" in now["text"]
        if fault.kind is not None:
            assert now["kind"] == fault.kind.value
        page.page.click("#go-on")
    assert page.text("#place") == f"{len(faults)} of {len(faults)}"
    page.page.evaluate(f"for (let step = 1; step < {len(faults)}; step++) {CLICK_BACK}")
    assert page.text("#place").startswith("1 of ")
    first = set(pages_before_faults(prediction, faults)) | set(mapped_pages(faults[0]))
    assert page.page.evaluate(MOMENT)["resident"] == len(first)


def test_a_refused_fault_finds_no_area(
    page_file: Callable[[str], Path],
    opened: Callable[..., Opened],
    checked: Callable[[str], Reconciliation],
) -> None:
    last = (checked("null_read").prediction.faults or ())[-1]
    assert (last.kind, last.address) == (FaultKind.REFUSED, 0)
    page = opened(page_file("null_read"))
    page.page.click("#go-last")
    assert "No area holds the address." in page.text("#fault")
    assert page.text(".sentence").startswith("The program reads 0x0, on a page that is not there")


def test_what_differs_stands_out_in_every_figure(
    page_file: Callable[[str], Path], opened: Callable[..., Opened]
) -> None:
    page = opened(page_file("made_up_difference"))
    assert page.count(".bar.wrong") > 0
    assert page.count("[data-grid='0'] .c-predicted-only") == 1
    assert "differs" in page.text("#fault-rows tr[data-at='2'] .sign")
    page.page.locator("#fault-rows tr[data-at='2']").click()
    assert page.text("#fault .fate") == "differs"
    assert "Observed:" in page.text("#fault .block >> nth=0")
    assert "difference" in page.text("#compared")


def test_a_hostile_path_is_shown_as_text(
    page_file: Callable[[str], Path], opened: Callable[..., Opened]
) -> None:
    page = opened(page_file("hostile_path"))
    shown = page.text(".top dd >> nth=0")
    assert '<script>alert("1")</script>\'\\n<b>&amp;"/hello' in shown
    assert page.count("b, script") == page.count(".level b") + 2


@every_page
def test_nothing_is_wider_than_a_phone(
    name: str, page_file: Callable[[str], Path], opened: Callable[..., Opened]
) -> None:
    page = opened(page_file(name), **NARROW)
    page.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    width, room = page.page.evaluate(WIDTHS)
    assert width == room == 360


@pytest.mark.parametrize(
    ("name", "scheme"), [*((name, "light") for name in reports.NAMES), ("made_up_difference", "dark")]
)
def test_axe_finds_nothing_serious(
    name: str, scheme: str, page_file: Callable[[str], Path], opened: Callable[..., Opened]
) -> None:
    page = opened(page_file(name), color_scheme=scheme)
    assert grave(page) == []


def grave(page: Opened) -> list[tuple[str, str]]:
    """Return the serious and critical violations. The page's policy would not let axe in as a script."""
    page.page.evaluate(chromium.axe() + "; null")
    found: dict[str, Any] = page.page.evaluate(RULES)
    return [
        (violation["id"], node["html"])
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def test_the_system_decides_between_light_and_dark(
    page_file: Callable[[str], Path], opened: Callable[..., Opened]
) -> None:
    def brightness(scheme: str) -> int:
        page = opened(page_file("hello"), color_scheme=scheme)
        colour = page.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return sum(int(part) for part in colour.strip("rgb()").split(",")[:3])

    assert brightness("dark") < 150
    assert brightness("light") > 700


def test_everything_can_be_done_with_the_keyboard(
    page_file: Callable[[str], Path], opened: Callable[..., Opened]
) -> None:
    page = opened(page_file("hello"))
    keys = page.page.keyboard
    keys.press("Tab")
    assert has_focus(page, "Skip to the report")
    # A stop is a tab, and arrows lead from one to the next; all figures follow.
    reach(page, "At exec")
    keys.press("ArrowRight")
    assert has_focus(page, "At main")
    assert (
        page.page.locator(".stop:visible").evaluate_all("all => all.map(each => each.dataset.stop)")
        == ["1"] * 2
    )
    # A section lights its segment and area up, and Enter holds it.
    reach(page, ".text")
    assert "in segment" in page.text("#linked-words")
    assert page.count("tr.lit") >= 3
    keys.press("Enter")
    assert page.page.locator(".pin[aria-pressed=true]").all_inner_texts() == [".text"]
    reach(page, "go-first")
    assert page.text("#linked-words").startswith(".text: ")
    keys.press("Escape")
    assert page.count("tr.lit") == 0
    # The timeline, from wherever the focus is in it.
    for key, place in (("ArrowRight", 2), ("PageDown", 12), ("ArrowLeft", 11), ("Home", 1)):
        keys.press(key)
        assert page.text("#place").startswith(f"{place} of ")
    assert page.text("#said").startswith("Fault 1: The kernel, at work for the program, writes to 0x")
    reach(page, "fault-rows")
    keys.press("ArrowDown")
    assert page.text("#place").startswith("2 of ")
    keys.press("End")
    count = page.text("#place").split(" of ")[1]
    assert page.text("#place") == f"{count} of {count}"


def reach(page: Opened, wanted: str) -> None:
    """Press Tab until something has the focus. Fails where nothing leads to it."""
    for _ in range(150):
        page.page.keyboard.press("Tab")
        if has_focus(page, wanted):
            return
    pytest.fail(f"Tab does not lead to {wanted}")


def test_it_plays_and_stops(page_file: Callable[[str], Path], opened: Callable[..., Opened]) -> None:
    page = opened(page_file("hello"))
    page.page.select_option("#speed", "20")
    page.page.focus("#go-on")
    page.page.keyboard.press("p")
    page.page.locator("#place:text-matches('^[5-9] of ')").wait_for()
    assert page.page.get_attribute("#play", "aria-pressed") == "true"
    page.page.click("#go-back")
    assert page.page.get_attribute("#play", "aria-pressed") == "false"


def test_pointing_at_a_section_lights_up_what_shares_its_addresses(
    page_file: Callable[[str], Path], opened: Callable[..., Opened]
) -> None:
    page = opened(page_file("hello"))
    page.page.locator(".pin", has_text=".bss").first.hover()
    lit = page.page.locator("tr.lit").evaluate_all("all => all.map(each => each.dataset.words.split(':')[0])")
    assert ".bss" in lit
    assert "03 LOAD" in lit
    # It begins in the last page of the file's area, and goes on in an anonymous one.
    assert sum(len(words) == 8 for words in lit) == 2
    assert page.count(".bar.lit") > 0
    page.page.locator("h1").hover()
    assert page.count(".lit") == 0


def test_in_print_every_stop_is_shown_and_no_control(
    page_file: Callable[[str], Path], opened: Callable[..., Opened]
) -> None:
    page = opened(page_file("hello"))
    assert page.page.locator(".stop:visible").count() == 2
    page.page.emulate_media(media="print")
    assert page.page.locator(".stop:visible").count() == 6
    assert page.page.locator(".controls:visible, nav:visible, .tabs:visible").count() == 0


def test_without_scripts_all_but_the_stepping_is_there(
    page_file: Callable[[str], Path], opened: Callable[..., Opened]
) -> None:
    page = opened(page_file("hello"), java_script_enabled=False)
    assert page.page.locator(".stop:visible").count() == 6
    assert page.page.locator("#timeline:visible").count() == 0
    assert page.page.locator(".noscript:visible").count() == 4
    assert page.page.locator("#stack tbody tr").count() > 30
