"""Gradescope's results.json.

Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/ ("Output Format"): a `score` for each
test, or one for all; `visibility` is hidden, after_due_date, after_published or visible; `status` is passed
or failed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from inspector.lab.result import decimal
from inspector.report.lab.words import complaints, notes, score_words, total_words

if TYPE_CHECKING:
    from inspector.lab.result import QuestionJson, ResultJson


def gradescope(result: ResultJson) -> str:
    """Return the document of one submission. While something could not be judged it holds no score at all."""
    document: dict[str, Any] = {
        "output": "\n".join([total_words(result), *notes(result)]),
        "output_format": "text",
        "stdout_visibility": "hidden",
        "tests": [_test(question, judged=result.is_judged) for question in result.questions],
    }
    if result.is_judged:
        document["score"] = decimal(result.earned)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _test(question: QuestionJson, *, judged: bool) -> dict[str, Any]:
    test: dict[str, Any] = {
        "name": question.id,
        "output": "\n".join([question.ask, score_words(question), *complaints(question)]),
        "output_format": "text",
        "visibility": question.visibility,
    }
    if question.score is not None:
        test["status"] = "passed" if question.is_full else "failed"
        if judged:
            test |= {"score": decimal(question.score), "max_score": question.points}
    return test
