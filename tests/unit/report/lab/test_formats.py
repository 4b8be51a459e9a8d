"""The files of graders: each read by a parser of its format, whatever a submission says."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from inspector.lab.grading import QuestionVerdict
from inspector.lab.result import ResultJson, parse_result, result_of
from inspector.report.lab.actions import actions
from inspector.report.lab.gradescope import gradescope
from inspector.report.lab.junit import junit
from inspector.report.lab.table import check_document, grade_document, results_csv
from inspector.report.lab.tap import tap
from inspector.report.lab.vpl import vpl
from inspector.report.terminal import Style, render
from tests.unit.lab.schema_subset import complaints
from tests.unit.report.lab.lab_results import ALL, EXERCISE, PARTLY, PERFECT, WRONG

IDS = ["perfect", "partly", "empty", "half judged", "refused", "broken", "nasty"]
SUMS = {"perfect": 25, "partly": 5 + 20 / 3, "empty": 0, "refused": 0, "nasty": 6}

# Gradescope, "Autograder Specifications", "Output Format".
VISIBILITY = {"enum": ["hidden", "after_due_date", "after_published", "visible"]}
FORMATS = {"enum": ["text", "html", "simple_format", "md", "ansi"]}
GRADESCOPE: dict[str, Any] = {
    "type": "object",
    "required": ["tests"],
    "additionalProperties": False,
    "properties": {
        "score": {"type": "number"},
        "execution_time": {"type": "number"},
        "output": {"type": "string"},
        "output_format": FORMATS,
        "test_output_format": FORMATS,
        "test_name_format": FORMATS,
        "visibility": VISIBILITY,
        "stdout_visibility": VISIBILITY,
        "extra_data": {"type": "object"},
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "score": {"type": "number"},
                    "max_score": {"type": "number"},
                    "status": {"enum": ["passed", "failed"]},
                    "name": {"type": "string"},
                    "name_format": FORMATS,
                    "number": {"type": "string"},
                    "output": {"type": "string"},
                    "output_format": FORMATS,
                    "tags": {"type": "array"},
                    "visibility": VISIBILITY,
                    "extra_data": {"type": "object"},
                },
            },
        },
    },
}


@pytest.mark.parametrize("result", ALL, ids=IDS)
def test_gradescope_follows_its_schema(result: ResultJson) -> None:
    document = json.loads(gradescope(result))
    assert complaints(document, GRADESCOPE, GRADESCOPE) == []
    scores = [test.get("score") for test in document["tests"]]
    if not result.is_judged:
        assert "score" not in document
        assert set(scores) == {None}
    else:
        assert document["score"] == pytest.approx(SUMS[IDS[ALL.index(result)]], abs=1e-3)
        assert sum(scores) == pytest.approx(document["score"], abs=1e-3)
        assert sum(test["max_score"] for test in document["tests"]) == 25


# junit-10.xsd: what each element may hold.
JUNIT: dict[str, tuple[set[str], set[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "disabled", "errors"}, {"testsuite"}),
    "testsuite": (
        {
            *("name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname"),
            *("id", "package", "file", "log", "url", "version"),
        },
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name", "time", "classname", "group", "file", "line", "assertions", "status"},
        {"skipped", "error", "failure", "system-out", "system-err", "properties"},
    ),
    "failure": ({"type", "message"}, set()),
    "skipped": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}


def test_junit_follows_its_schema_and_counts() -> None:
    root = ET.fromstring(junit(ALL))  # noqa: S314 - written a line above
    for element in root.iter():
        attributes, children = JUNIT[element.tag]
        assert set(element.attrib) <= attributes
        assert {child.tag for child in element} <= children
    assert [suite.get("name", "")[:7] for suite in root] == [
        "perfect",
        "partly",
        "empty",
        "half",
        "\\x1b[2J",
        "broken",
        "\\x1b[2J",
    ]
    for suite, result in zip(root, ALL, strict=True):
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase")) == len(result.questions)
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))
    assert [suite.attrib["failures"] for suite in root] == ["0", "1", "3", "0", "3", "0", "1"]
    assert [suite.attrib["skipped"] for suite in root] == ["0", "0", "0", "1", "0", "3", "0"]
    assert root.attrib["tests"] == "21"


@dataclass
class Tap:
    """A parsed stream of TAP 14: a plan, and (ok, description, directive) of each point."""

    plan: int = -1
    points: list[tuple[bool, str, str]] = field(default_factory=list)
    subtests: list[Tap] = field(default_factory=list)


_POINT = re.compile(r"(not )?ok (\d+) - ((?:[^#\\]|\\.)*?)(?: # (SKIP|TODO)(.*))?")


def parse_tap(lines: list[str], indent: str = "") -> Tap:
    """Parse as the specification says; anything that is no line of TAP is an error."""
    found, inner, diagnostic = Tap(), list[str](), False
    for line in lines:
        assert line.startswith(indent), line
        text = line[len(indent) :]
        if diagnostic:
            assert text.startswith("  "), line
            diagnostic = text != "  ..."
            continue
        if text.startswith("    "):
            inner.append(line)
            continue
        if text == "  ---":
            diagnostic = True
        elif plan := re.fullmatch(r"1\.\.(\d+)", text):
            assert found.plan < 0
            found.plan = int(plan[1])
        elif point := _POINT.fullmatch(text):
            assert int(point[2]) == len(found.points) + 1
            found.points.append((point[1] is None, point[3], point[4] or ""))
            if inner:
                found.subtests.append(parse_tap(inner, f"{indent}    "))
                inner = []
        else:
            assert text.startswith("#") or text == "TAP version 14", line
    assert found.plan == len(found.points)
    assert not inner
    return found


def test_tap_is_tap() -> None:
    text = tap(ALL)
    assert text.startswith("TAP version 14\n")
    stream = parse_tap(text.splitlines())
    assert [ok for ok, _, _ in stream.points] == [True, False, False, True, False, True, False]
    assert [directive for *_, directive in stream.points] == ["", "", "", "SKIP", "", "SKIP", ""]
    assert [len(each.points) for each in stream.subtests] == [3] * 7
    assert stream.subtests[3].points[0][2] == "SKIP"
    assert all(point[2] == "SKIP" for point in stream.subtests[5].points)
    assert [ok for ok, *_ in stream.subtests[1].points] == [False, True, True]


def parse_vpl(text: str) -> tuple[float | None, list[str]]:
    """Return the grade and the comments, as VPL takes them from what an evaluation prints."""
    grades = re.findall(r"^Grade :=>>\s*(\S+)\s*$", text, re.MULTILINE)
    comments = re.findall(r"^Comment :=>>(.*)$", text, re.MULTILINE)
    assert len(grades) + len(comments) == len(text.splitlines())
    assert len(grades) <= 1
    return (float(grades[0]) if grades else None), comments


@pytest.mark.parametrize("result", ALL, ids=IDS)
def test_vpl_has_one_grade_and_that_is_ours(result: ResultJson) -> None:
    grade, comments = parse_vpl(vpl(result))
    if not result.is_judged:
        assert grade is None
        assert any("could not judge" in each for each in comments)
    else:
        assert grade == pytest.approx(SUMS[IDS[ALL.index(result)]], rel=1e-4)
    assert [each for each in comments if each.startswith("-")] == [
        each for each in comments if each.startswith(("- vmas: ", "- stack-pages: ", "- bss-start: "))
    ]
    assert not any(each.startswith(">") for each in comments)


def test_a_summary_for_actions_is_tables_of_three_columns() -> None:
    lines = actions(ALL).splitlines()
    titles = [line for line in lines if line.startswith("### ")]
    assert [re.findall(r":\w+:", line)[0] for line in titles] == [
        *(":white_check_mark:", ":x:", ":x:", ":grey_question:", ":x:", ":grey_question:", ":x:")
    ]
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 7 * 5
    assert {row.count("|") for row in rows} == {4}
    allowed = re.compile(r"### :\w+: .*|\| .* \|\s*|- .*|")
    assert all(allowed.fullmatch(line) for line in lines)
    text = "".join(lines).replace("<br>", "")
    assert "<" not in text
    assert "::" not in text


@pytest.mark.parametrize("count", [40, 4000])
def test_a_summary_for_actions_is_not_larger_than_github_takes(count: int) -> None:
    wrong = QuestionVerdict("vmas", 20, Fraction(0), (WRONG,) * 60)
    big = result_of(EXERCISE, [wrong], submission="x" * 300, student="x")
    text = actions([big] * count)
    assert len(text.encode()) < 1024 << 10
    titles = text.count("\n### ") + 1
    assert titles == count if count < 100 else f"### and {count - titles + 1} more" in text
    assert text.count("| vmas |") > 1


def test_plain_json_comes_back() -> None:
    for result in ALL:
        assert parse_result(result.document()) == result


def test_csv_has_a_row_each_and_no_formula() -> None:
    evil = PERFECT.__class__(**{**_fields(PERFECT), "submission": "=cmd|' /C calc'!A0", "student": "@x"})
    rows = list(csv.reader(io.StringIO(results_csv([*ALL, evil]))))
    assert rows[0] == [
        "submission",
        "student",
        "exercise",
        "earned",
        "points",
        "not judged",
        "vmas",
        "stack-pages",
        "bss-start",
        "remarks",
    ]
    assert len(rows) == 9
    assert {len(row) for row in rows} == {10}
    assert [row[3] for row in rows[1:]] == ["25", "11.67", "0", "", "0", "", "6", "25"]
    assert [row[5] for row in rows[1:]] == ["0", "0", "0", "20", "0", "25", "0", "0"]
    assert rows[4][9].startswith("vmas: could not judge: no ptrace"), "why there is no sum"
    assert rows[8][:2] == ["'=cmd|' /C calc'!A0", "'@x"]


STUDENT_FACING = {
    "gradescope": lambda: "".join(map(gradescope, ALL)),
    "junit": lambda: junit(ALL),
    "tap": lambda: tap(ALL),
    "vpl": lambda: "".join(map(vpl, ALL)),
    "actions": lambda: actions(ALL),
}


@pytest.mark.parametrize("name", STUDENT_FACING)
def test_no_format_gives_the_truth_away_or_passes_on_control_characters(name: str) -> None:
    text = STUDENT_FACING[name]()
    assert "the truth" not in text
    assert "the&#32;truth" not in text
    assert not set(text) & {chr(code) for code in range(32) if code != 10}
    assert not set(text) & {"\u202e", "\ud800"}


def test_a_hidden_question_is_told_in_one_line() -> None:
    hidden = tuple(
        question.__class__(**{**_fields(question), "visibility": "hidden"}) for question in PARTLY.questions
    )
    result = PARTLY.__class__(**{**_fields(PARTLY), "questions": hidden})
    assert "you wrote" in gradescope(PARTLY)
    for text in (gradescope(result), junit([result]), tap([result]), vpl(result), actions([result])):
        assert "you wrote" not in text
    assert {test["visibility"] for test in json.loads(gradescope(result))["tests"]} == {"hidden"}


def _fields(struct: Any) -> dict[str, Any]:  # noqa: ANN401
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


@pytest.mark.parametrize("width", [72, 80, 140])
def test_reports_for_people_fit_and_hold_no_escapes(width: int) -> None:
    documents = [grade_document(ALL, verbose=verbose) for verbose in (False, True)]
    documents += [
        check_document(each, {"vmas": ["a hint"]}, truth=truth) for each in ALL for truth in (False, True)
    ]
    for document in documents:
        for line in render(document, Style(width=width)):
            assert line.isprintable()
            assert len(line) <= width


def test_a_check_does_not_give_the_truth_away_and_a_teacher_sees_it() -> None:
    def shown(*, truth: bool) -> str:
        return "\n".join(render(check_document(PARTLY, {}, truth=truth), Style(width=200)))

    assert "the truth" not in shown(truth=False)
    assert "the truth" in shown(truth=True)
    assert "the reason" in shown(truth=True)
    assert "the truth" in "\n".join(render(grade_document([PARTLY], verbose=True), Style(width=200)))


def test_standings_are_told() -> None:
    lines = list(render(grade_document(ALL, verbose=False), Style(width=100)))
    assert lines[0] == "7 submissions, 2 of which could not be judged in whole"
    assert [line[0] for line in lines[2:9]] == ["✓", "✗", "✗", "?", "✗", "?", "✗"]
    assert lines[7].split()[:4] == ["?", "broken", "this", "machine"], "nothing of nothing is no zero"
    assert [result.exit_code for result in ALL] == [0, 1, 1, 3, 1, 3, 1]
