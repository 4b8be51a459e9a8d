"""TAP 14, the Test Anything Protocol: a subtest for each submission, a test point for each question.

Source: https://testanything.org/tap-version-14-specification.html. What could not be judged is a SKIP; the
diagnostics are YAML, every string of it in double quotes with JSON's escapes, which are YAML's too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from inspector.lab.result import ALL_RIGHT
from inspector.report.lab.words import complaints, line, notes, score_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.lab.result import QuestionJson, ResultJson

_INDENT = "    "


def tap(results: Sequence[ResultJson]) -> str:
    """Return the stream of some submissions."""
    lines = ["TAP version 14", f"1..{len(results)}"]
    for number, result in enumerate(results, 1):
        name = _description(result.submission)
        lines.append(f"# Subtest: {name}")
        lines += [_INDENT + each for each in _subtest(result)]
        lines.append(_point(number, name, result))
    return "\n".join(lines) + "\n"


def _point(number: int, name: str, result: ResultJson) -> str:
    if not result.is_judged:
        return f"ok {number} - {name} # SKIP could not judge all of it"
    return f"{'ok' if result.exit_code == ALL_RIGHT else 'not ok'} {number} - {name}"


def _subtest(result: ResultJson) -> Iterator[str]:
    yield f"1..{len(result.questions)}"
    yield from (f"# {each}" for each in notes(result))
    for number, question in enumerate(result.questions, 1):
        yield from _question(number, question)


def _question(number: int, question: QuestionJson) -> Iterator[str]:
    name = _description(question.id)
    if question.score is None:
        yield f"ok {number} - {name} # SKIP could not judge: {_description(question.note)}"
        return
    yield f"{'ok' if question.is_full else 'not ok'} {number} - {name}"
    yield "  ---"
    yield f"  score: {json.dumps(score_words(question))}"
    if rows := list(complaints(question)):
        yield "  message:"
        yield from (f"    - {json.dumps(row)}" for row in rows)
    yield "  ..."


def _description(text: str) -> str:
    r"""Return a text with `\` and `#` escaped, which would start a directive."""
    return line(text).replace("\\", "\\\\").replace("#", "\\#")
