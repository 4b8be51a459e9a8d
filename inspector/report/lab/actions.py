"""A summary for GitHub Actions: Markdown to be appended to the file that $GITHUB_STEP_SUMMARY names.

Source: https://docs.github.com/actions, "Workflow commands", "Adding a job summary". Whatever a submission
says stands in a cell of a table, its markup escaped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inspector.lab.result import ALL_RIGHT, NOT_ALL_RIGHT, NOT_JUDGED
from inspector.report.lab.words import complaints, line, notes, score_words, total_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.lab.result import ResultJson

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&@:-])")
_SIGNS = {ALL_RIGHT: ":white_check_mark:", NOT_ALL_RIGHT: ":x:", NOT_JUDGED: ":grey_question:"}


def actions(results: Sequence[ResultJson]) -> str:
    """Return the summary of some submissions."""
    return "\n".join(each for result in results for each in _summary(result)) + "\n"


def _summary(result: ResultJson) -> Iterator[str]:
    yield f"### {_SIGNS[result.exit_code]} {_plain(result.submission)}: {_plain(total_words(result))}"
    yield ""
    yield from (f"- {_plain(each)}" for each in notes(result))
    yield ""
    yield "| question | score | remarks |"
    yield "| --- | --- | --- |"
    for question in result.questions:
        remarks = "<br>".join(map(_plain, complaints(question)))
        yield f"| {_plain(question.id)} | {_plain(score_words(question))} | {remarks} |"
    yield ""


def _plain(text: str) -> str:
    """Return a text that Markdown and HTML show as it is."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[1])};", line(text))
