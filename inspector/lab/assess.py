"""One submission from its written answers to its verdicts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from inspector.errors import CannotObserve
from inspector.lab.grading import QuestionVerdict, apply_needs, grade
from inspector.lab.kinds import Loader
from inspector.lab.needs import NotTold
from inspector.lab.sheet import answer_words
from inspector.lab.table import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.lab.evidence import Evidence
    from inspector.lab.exercise import Exercise
    from inspector.lab.kinds import Question
    from inspector.lab.sheet import Written
    from inspector.lab.variant import Variant


class CannotRun(CannotObserve):
    """A student's program is not run here: there is no sandbox that works. No one's marks suffer."""


class LoaderRunner(Protocol):
    """Whoever runs a student's loader."""

    def run(self, question: Loader, command: Sequence[str], variant: Variant) -> tuple[Answer, Sequence[str]]:
        """Return what it predicts of all files, and what is to be noted of it. Raises CannotRun."""


def assess(
    exercise: Exercise,
    variant: Variant,
    written: Written,
    evidence: Evidence,
    runner: LoaderRunner | None = None,
) -> tuple[tuple[QuestionVerdict, ...], list[str]]:
    """Return a verdict for each question, and what is to be noted."""
    verdicts: list[QuestionVerdict] = []
    notes: list[str] = []
    for question in exercise.questions:
        try:
            truth = question.truth(variant, evidence)
            answer = _answer(question, variant, written, runner, notes)
            verdict = grade(
                question.id,
                question.points,
                question.columns(),
                truth,
                answer,
                type(question).matching,
                atomic=question.atomic,
            )
            if isinstance(question, Loader):
                verdict = replace(verdict, rows=question.told(verdict.rows, variant))
        except (NotTold, CannotRun) as error:
            reason = f"{error} ({error.help})" if error.help else str(error)
            verdict = QuestionVerdict(question.id, question.points, None, note=reason)
        verdicts.append(replace(verdict, visibility=question.visibility))
    return apply_needs(verdicts, exercise.needs), notes


def _answer(
    question: Question, variant: Variant, written: Written, runner: LoaderRunner | None, notes: list[str]
) -> Answer:
    if isinstance(question, Loader):
        if not written.command:
            return Answer()
        if runner is None:
            raise CannotRun("loaders are not run here")
        answer, said = runner.run(question, written.command, variant)
        notes.extend(said)
        return answer
    words = answer_words(question, written.answers.get(question.id, {}), variant)
    return question.read_lines(words) if isinstance(words, str) else question.read_keyed(words)
