"""A summary for GitHub Actions: Markdown to be appended to the file that $GITHUB_STEP_SUMMARY names.

Source: https://docs.github.com/actions, "Workflow commands", "Adding a job summary". Whatever a submission
says stands in a cell of a table, its markup escaped. A step's summary of more than 1024 KiB is not shown at
all: submissions beyond that are told in a line, or counted.
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


_MOST_BYTES = 1000 << 10
_DETAILS_BYTES = 800 << 10


def actions(results: Sequence[ResultJson]) -> str:
    """Return the summary of some submissions, of a size that GitHub takes."""
    parts: list[str] = []
    size = 0
    for number, result in enumerate(results):
        title = _title(result)
        part = "\n".join([title, *_details(result)]) + "\n"
        if size + len(part.encode()) > _DETAILS_BYTES:
            part = f"{title}\n\n"
        size += len(part.encode())
        if size > _MOST_BYTES:
            parts.append(f"### and {len(results) - number} more\n")
            break
        parts.append(part)
    return "".join(parts)


def _title(result: ResultJson) -> str:
    return f"### {_SIGNS[result.exit_code]} {_plain(result.submission)}: {_plain(total_words(result))}"


def _details(result: ResultJson) -> Iterator[str]:
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
