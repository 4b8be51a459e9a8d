"""Sheets filled in from the truth itself, in whole or in part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.lab.draw import Draw, variant_key
from inspector.lab.kinds import Loader
from inspector.lab.kinds.areas import VmaList
from inspector.lab.sheet import LINES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inspector.lab.evidence import Evidence
    from inspector.lab.exercise import Exercise
    from inspector.lab.kinds import Question
    from inspector.lab.table import Row
    from inspector.lab.variant import Variant

SECRET = b"a secret for the tests"


def variant_of(exercise: Exercise, student: str, secret: bytes = SECRET) -> Variant:
    return exercise.variant.make(Draw(variant_key(secret, exercise.name, student)))


def written_row(question: Question, row: Row) -> str:
    """Return a row of the truth as a student would write it."""
    if isinstance(question, VmaList):
        start, end, perms, offset, name = row.cells
        return f"{start:08x}-{end:08x} {perms} {offset:08x} 00:00 0 {name}"
    shown = [
        "-" if cell is None else column.show(cell)
        for column, cell in zip(question.columns(), row.cells, strict=True)
    ]
    return " ".join(shown)


def truth_sheet(
    exercise: Exercise, variant: Variant, evidence: Evidence, *, leave_out: int = 0
) -> dict[str, dict[str, str]]:
    """Return right answers to every question; `leave_out` rows of each, the last ones, are left blank."""
    answers: dict[str, dict[str, str]] = {}
    for question in exercise.questions:
        if isinstance(question, Loader):
            continue
        rows = question.truth(variant, evidence).rows
        rows = rows[: len(rows) - leave_out]
        if question.keys(variant):
            answers[question.id] = {row.key: written_row(question, row) for row in rows}
        else:
            answers[question.id] = {LINES: "\n".join(written_row(question, row) for row in rows)}
    return answers


def as_toml(answers: Mapping[str, Mapping[str, str]]) -> str:
    lines = []
    for question, table in answers.items():
        lines.append(f"[{question}]")
        lines += [f"'{key}' = '''\n{text}'''" for key, text in table.items()]
    return "\n".join(lines) + "\n"
