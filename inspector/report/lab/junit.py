"""JUnit XML, as CI systems read it: a suite for each submission, a case for each question.

Source: junit-10.xsd of Jenkins. What could not be judged is skipped, neither passed nor failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from inspector.report.lab.words import complaints, line, notes, score_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.lab.result import QuestionJson, ResultJson


def junit(results: Sequence[ResultJson]) -> str:
    """Return the document of some submissions."""
    suites = ET.Element("testsuites", name="inspector lab")
    for result in results:
        cases = [_case(result, question) for question in result.questions]
        suite = ET.SubElement(
            suites,
            "testsuite",
            name=line(result.submission),
            tests=f"{len(cases)}",
            failures=f"{sum(case.find('failure') is not None for case in cases)}",
            errors="0",
            skipped=f"{sum(case.find('skipped') is not None for case in cases)}",
        )
        suite.extend(cases)
        if said := list(notes(result)):
            ET.SubElement(suite, "system-out").text = "\n".join(said)
    for name in ("tests", "failures", "errors"):
        suites.set(name, f"{sum(int(suite.get(name, '0')) for suite in suites)}")
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _case(result: ResultJson, question: QuestionJson) -> ET.Element:
    case = ET.Element("testcase", classname=f"lab.{result.exercise}", name=question.id)
    if question.score is None:
        ET.SubElement(case, "skipped", message=line(f"could not judge: {question.note}"))
    elif not question.is_full:
        failure = ET.SubElement(case, "failure", message=score_words(question), type="lab")
        failure.text = "\n".join(complaints(question))
    return case
