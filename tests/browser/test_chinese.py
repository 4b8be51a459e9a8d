"""A page in Chinese: all that it says, shows to who points, and tells a reader of screens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from inspector.language import choose
from tests.browser import reports
from tests.browser.test_pages import NARROW, WIDTHS, grave

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inspector.reconcile import Reconciliation
    from tests.browser.conftest import Opened

pytestmark = pytest.mark.live

NOT_SAID = "script, style, kbd, #machine *, #compared dd, #fault code"
SAID = """(unsaid) => {
  const elements = [...document.querySelectorAll(`body *:not(${unsaid})`)];
  const isText = (node) => node.nodeType === Node.TEXT_NODE;
  const texts = (each) => [...each.childNodes].filter(isText).map((node) => node.data);
  const told = ["title", "aria-label", "aria-valuetext", "data-words"];
  const all = elements.flatMap((each) => [...texts(each), ...told.map((name) => each.getAttribute(name))]);
  return [...new Set(all.filter(Boolean))];
}"""
"""Every text of the page, and every attribute that is shown or read aloud.

But for the names of keys, the profile, and the faults of a finding, which stand as its document has them.
"""
NAMES = re.compile(r"fault-around|\b[a-z]+\.[a-z0-9-]+\b|[A-Z_]+=\S*|/\S+|inspector check --html")
"""Of a mechanism of Linux, of rules, variables and files."""
ENGLISH = re.compile(
    r"\b(?:the|is|are|of|in|which|when|and|not|no|at|by|with|from|to|pages?|areas?|faults?|frames?|entry)\b"
    r"|\b(?:reads?|writes?|executes?|predicted|observed|agrees?|differs?|runs?|bytes?|anonymous|none)\b",
    re.IGNORECASE,
)
CUT = """() => {
  const cut = [];
  for (const map of document.querySelectorAll(".map > svg")) {
    const { left, right } = map.getBoundingClientRect();
    for (const text of map.querySelectorAll("text")) {
      const box = text.getBoundingClientRect();
      if (box.width && (box.right > right + 0.5 || box.left < left - 0.5)) cut.push(text.textContent);
    }
  }
  return cut;
}"""
"""What stands in a map and does not wholly lie in it."""
LENGTHEN = """() => {
  for (const text of document.querySelectorAll(".map .label text")) {
    text.lastChild.data = " r-xp 1028K \u2248 " + "m".repeat(22);
  }
}"""
"""The longest label that a map can have."""


@pytest.fixture(scope="module")
def chinese(
    checked: Callable[[str], Reconciliation], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Return what writes the Chinese page of one of `reports.NAMES`."""
    directory = tmp_path_factory.mktemp("chinese")

    def write(name: str) -> Path:
        path = directory / f"{name}.html"
        result = checked(name)
        choose("zh")
        try:
            path.write_bytes(reports.page_of(result))
        finally:
            choose("en")
        return path

    return write


@pytest.mark.parametrize("name", ["hello", "cow_after_fork", "null_read", "made_up_difference"])
def test_no_english_is_left(name: str, chinese: Callable[[str], Path], opened: Callable[..., Opened]) -> None:
    page = opened(chinese(name))
    assert page.page.get_attribute("html", "lang") == "zh-Hans"
    assert page.page.locator(".lead >> nth=0").inner_text().count("预测与内核") == 1
    said = set(page.page.evaluate(SAID, NOT_SAID))
    page.page.click("#play")
    said |= set(page.page.evaluate(SAID, NOT_SAID))
    page.page.click("#play")
    page.page.click("#go-first")
    for _ in range(int(page.page.get_attribute("#slide", "max") or 0)):
        said |= set(page.page.evaluate(SAID, NOT_SAID))
        page.page.click("#go-on")
    assert len(said) > 300
    assert {text for text in said if ENGLISH.search(NAMES.sub("", text))} == set()


def test_a_fault_is_told_in_sentences(chinese: Callable[[str], Path], opened: Callable[..., Opened]) -> None:
    page = opened(chinese("hello"))
    assert page.text("#place").startswith("1 / ")
    assert re.fullmatch("内核为程序工作时写 0x[0-9a-f]+.该页不在。", page.text(".sentence"))
    page.page.click("#go-on")
    assert "的指令引起。" in page.text("#said")
    assert page.text("#play") == "播放"


def test_the_chinese_page_is_for_everyone(
    chinese: Callable[[str], Path], opened: Callable[..., Opened]
) -> None:
    page = opened(chinese("made_up_difference"))
    assert grave(page) == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_label_of_the_map_is_cut_on_a_phone(
    language: str,
    page_file: Callable[[str], Path],
    chinese: Callable[[str], Path],
    opened: Callable[..., Opened],
) -> None:
    page = opened((chinese if language == "zh" else page_file)("made_up_difference"), **NARROW)
    page.page.evaluate(LENGTHEN)
    assert page.page.evaluate(CUT) == []
    assert page.page.evaluate(WIDTHS) == [360, 360]
