"""Moodle's Virtual Programming Lab: what vpl_evaluate prints.

    Comment :=>>- a title        Comment :=>> text        Grade :=>> 7.5

Source: https://vpl.dis.ulpgc.es/documentation/vpl-3.4.3+/ ("Automated program assessment"). Only lines that
begin so count, and every line here begins with a word of ours, so that no answer can speak for the grader.
Without a grade line the activity keeps its submission ungraded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.lab.result import decimal
from inspector.report.lab.words import complaints, notes, score_words, total_words

if TYPE_CHECKING:
    from inspector.lab.result import ResultJson


def vpl(result: ResultJson) -> str:
    """Return the lines of one submission."""
    lines = [f"Comment :=>> {total_words(result)}"]
    lines += [f"Comment :=>> {each}" for each in notes(result)]
    for question in result.questions:
        lines.append(f"Comment :=>>- {question.id}: {score_words(question)}")
        lines += [f"Comment :=>> {each}" for each in complaints(question)]
    if result.is_judged:
        lines.append(f"Grade :=>> {decimal(result.earned):g}")
    return "\n".join(lines) + "\n"
