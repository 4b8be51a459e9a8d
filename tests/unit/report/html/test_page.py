from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest

from inspector.language import choose
from inspector.report.check import check_document, prediction_document
from inspector.report.html import Entry, Subject, index_page, page
from inspector.report.summary import Line, Standing
from tests.golden.report import hello, scenes
from tests.unit.report.html.hostile import HOSTILE, hostile

SCENES = {
    "agreeing": scenes.agreeing,
    "differing": scenes.differing,
    "explained": scenes.explained,
    "faulting": scenes.faulting,
    "faulting_otherwise": scenes.faulting_otherwise,
    "barely_faulting": scenes.barely_faulting,
    "blind": scenes.blind,
    "refused": scenes.refused,
    "not_modelled": scenes.not_modelled,
    "two_runs": scenes.two_runs,
    "unreached": scenes.unreached,
    "wrongly_refused": scenes.wrongly_refused,
    "hostile": hostile,
}


def page_of(name: str) -> str:
    both = SCENES[name]()
    observation = both.observation if both.of_one_run else None
    return page(
        Subject(both.prediction, observation, both.findings, check_document(both), hello.image())
    ).decode()


def data_of(html: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    data: dict[str, Any] = json.loads(text)
    return data


@pytest.mark.parametrize("name", SCENES)
def test_every_kind_of_report_is_a_page(name: str) -> None:
    html = page_of(name)
    assert html.startswith("<!DOCTYPE html>")
    assert html.count("<main") == html.count("<h1") == 1
    assert "stops" in data_of(html)


@pytest.mark.parametrize("name", SCENES)
def test_styles_and_scripts_are_those_that_the_policy_names(name: str) -> None:
    html = page_of(name)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind, text in (("style", style), ("script", script)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


@pytest.mark.parametrize("name", SCENES)
def test_nothing_is_fetched_and_nothing_is_styled_or_run_inline(name: str) -> None:
    html = re.sub(r"<(script|style)\b.*?</\1>", "", page_of(name), flags=re.DOTALL)
    assert not re.findall(r'\s(?:src|style|on\w+|action)\s*=\s*"', html)
    assert all(link.startswith("#") for link in re.findall(r'href="([^"]*)"', html))


def test_a_hostile_name_is_text_wherever_it_stands() -> None:
    html = page_of("hostile")
    assert HOSTILE not in html
    assert "<script>alert" not in html
    assert "<b>" not in html
    # As text it is there, its newline spelt out.
    assert "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;\\n" in html
    names = data_of(html)["timeline"]["areas"]["names"]
    assert any("<script>" in name for name in names)


def test_a_control_character_or_a_byte_that_is_no_text_is_spelt_out() -> None:
    html = page_of("not_modelled")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", html)
    assert "\\udcff" not in html.split('id="data"')[0]
    assert "\\xffhello" in html


def test_a_difference_is_told_and_drawn() -> None:
    html = page_of("differing")
    assert '<span class="mark bad"' in html
    assert 'class="bar k-data wrong"' in html
    cells = {number for area in data_of(html)["stops"][0]["areas"] for number in area["runs"][::2]}
    assert {data_of(html)["cells"][number] for number in cells} > {"absent", "predicted only"}


def test_of_two_runs_nothing_is_shown_side_by_side() -> None:
    html = page_of("two_runs")
    assert "not compared, for these are two different runs" in html
    assert ">observed</text>" not in html


def test_a_prediction_alone_is_a_page() -> None:
    document = prediction_document(hello.PREDICTION)
    html = page(Subject(hello.PREDICTION, None, (), document)).decode()
    assert ">predicted</text>" in html
    assert ">observed</text>" not in html
    assert 'id="links"' not in html


def test_why_nothing_was_observed_is_said() -> None:
    document = prediction_document(hello.PREDICTION)
    reason = "ptrace is not allowed <here>"
    html = page(Subject(hello.PREDICTION, None, (), document, unobserved=reason)).decode()
    assert "not observed: ptrace is not allowed &lt;here&gt;" in html


def test_what_is_left_out_of_many_faults_is_said() -> None:
    both = scenes.faulting()
    html = page(
        Subject(both.prediction, both.observation, both.findings, check_document(both)), most_faults=3
    ).decode()
    assert "These are the first 3 of 8 faults." in html


def test_an_index_leads_to_the_pages_and_names_what_has_none() -> None:
    html = index_page(
        [
            Entry(Line("a/hello", Standing.AGREES, "runs: 9 VMAs"), "1-hello.html"),
            Entry(Line(HOSTILE, Standing.DIFFERS, "1 difference: VMAs"), "2-program.html"),
            Entry(Line("b", Standing.FAILED, "killed"), ""),
        ]
    ).decode()
    assert '<a href="1-hello.html">a/hello</a>' in html
    assert HOSTILE not in html
    assert html.count("<a href") == 2
    assert "1 agree, 1 differ, 0 could not be observed, 1 failed" in html
    assert "script-src 'none'" in html


def test_a_sentence_with_a_colon_is_kept_whole() -> None:
    html = page_of("not_modelled")
    assert "not modelled: 64-bit program</p>" in html


def test_the_registers_have_no_headings_that_say_nothing() -> None:
    html = page_of("faulting")
    tables = re.findall(r"<table>.*?</table>", html, re.DOTALL)
    registers = next(table for table in tables if ">esp 0x" in table)
    assert "<th" not in registers
    assert registers.count("<td>") == 16


def test_a_line_may_break_between_the_sections_that_are_not_loaded() -> None:
    choose("zh")
    try:
        html = page_of("faulting")
    finally:
        choose("en")
    (names,) = re.findall(r'<p class="note">未装载：(.*?)。</p>', html)  # noqa: RUF001
    assert names.count("，<wbr>") == names.count("，") == 1  # noqa: RUF001
