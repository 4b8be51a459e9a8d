"""Results as rows of CSV, and as reports for people."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from inspector.lab.grading import Mark as RowMark
from inspector.lab.result import ALL_RIGHT, NOT_ALL_RIGHT, NOT_JUDGED, shown_points
from inspector.language import N_, tr, tr_in
from inspector.report.document import Column, Document, Fact, Facts, Mark, Paragraph, Row, Section, Table
from inspector.report.lab.words import (
    COULD_NOT_JUDGE,
    complaints,
    is_hidden,
    key_words,
    line,
    notes,
    score_words,
    told,
    total_words,
)
from inspector.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inspector.lab.exercise import Exercise
    from inspector.lab.result import QuestionJson, ResultJson
    from inspector.report.document import Block

_FORMULA = "=+-@\t\r"
_MARKS = {
    RowMark.RIGHT.value: Mark.GOOD,
    RowMark.PARTLY.value: Mark.EXPLAINED,
    RowMark.UNJUDGED.value: Mark.UNKNOWN,
    RowMark.MISSING.value: Mark.UNJUDGED,
}
_STANDINGS = {ALL_RIGHT: Mark.GOOD, NOT_ALL_RIGHT: Mark.BAD, NOT_JUDGED: Mark.UNKNOWN}


def _legend() -> tuple[tuple[Mark, str], ...]:
    return (
        (Mark.GOOD, tr_in("mark", "right")),
        (Mark.EXPLAINED, tr_in("mark", "partly right")),
        (Mark.BAD, tr_in("mark", "wrong")),
        (Mark.UNJUDGED, tr_in("mark", "missing")),
        (Mark.UNKNOWN, tr(COULD_NOT_JUDGE)),
    )


def results_csv(results: Sequence[ResultJson]) -> str:
    """Return a row for each submission: the sums, and what each question earned.

    While something could not be judged there is no sum: it would be taken for the grade.
    """
    ids = list(dict.fromkeys(question.id for result in results for question in result.questions))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["submission", "student", "exercise", "earned", "points", "not judged", *ids, "remarks"])
    for result in results:
        scores = {
            each.id: "" if each.score is None else shown_points(each.score) for each in result.questions
        }
        rows.writerow(
            [
                _cell(result.submission),
                _cell(result.student),
                result.exercise,
                shown_points(result.earned) if result.is_judged else "",
                result.points,
                result.unjudged_points,
                *(scores.get(name, "") for name in ids),
                _cell("; ".join(_remarks(result))),
            ]
        )
    return text.getvalue()


def _cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    shown = line(text)
    return f"'{shown}" if shown.startswith(tuple(_FORMULA)) else shown


def exercises_document(exercises: Sequence[Exercise]) -> Document:
    """Return the list of exercises."""
    columns = (Column("name"), Column("points", right=True), Column("title"))
    rows = tuple(Row((each.name, f"{each.points}", told(each.title))) for each in exercises)
    return Document(tr("Exercises"), (Section("", (Table(columns, rows),)),))


def exercise_document(exercise: Exercise, *, note: bool) -> Document:
    """Return one exercise in full; `note`: with the teacher's."""
    blocks: list[Block] = [
        Facts((Fact("follows", told(exercise.follows)), Fact("points", f"{exercise.points}"))),
        Paragraph(told(exercise.text)),
    ]
    rows = tuple(Row((each.id, f"{each.points}", told(each.ask))) for each in exercise.questions)
    columns = (Column("question"), Column("points", right=True), Column("asks", flexible=True))
    sections = [Section("", tuple(blocks)), Section("Questions", (Table(columns, rows),))]
    if note:
        sections.append(Section("For teachers", (Paragraph(told(exercise.teacher)),)))
    return Document(f"{exercise.name}{tr(': ')}{told(exercise.title)}", tuple(sections))


def check_document(result: ResultJson, hints: Mapping[str, Sequence[str]], *, truth: bool) -> Document:
    """Return what a student is shown: rows, and hints unlocked; `truth`: the right values too."""
    sections = [_question_section(each, hints.get(each.id, ()), truth=truth) for each in result.questions]
    remarks = tuple(Paragraph(each) for each in notes(result))
    return Document(
        f"{told(result.title)}{tr(': ')}{total_words(result)}",
        (*([Section("", remarks)] if remarks else []), *sections),
        _STANDINGS[result.exit_code],
        _legend(),
    )


def _question_section(question: QuestionJson, hints: Sequence[str], *, truth: bool) -> Section:
    mark = Mark.UNKNOWN if question.score is None else Mark.GOOD if question.is_full else Mark.BAD
    blocks: list[Block] = [Paragraph(told(question.ask))]
    if question.note:
        blocks.append(Paragraph(tr("{sentence}.").format(sentence=told(question.note))))
    if question.rows and (truth or (question.note != "no answer" and not is_hidden(question))):
        blocks.append(_rows(question, truth=truth))
    if truth:
        blocks += [Paragraph(told(why)) for why in dict.fromkeys(row.why for row in question.rows if row.why)]
    blocks += [Paragraph(tr("Hint: {hint}").format(hint=told(hint))) for hint in hints]
    return Section(f"{question.id}{tr(': ')}{score_words(question)}", tuple(blocks), mark)


def _rows(question: QuestionJson, *, truth: bool) -> Table:
    """Return the rows as a table; what is wrong in them is a column only if something is."""
    detailed = any(row.detail for row in question.rows)
    columns = [Column("row", flexible=True), Column("answer", flexible=True)]
    columns += [Column("wrong in it", flexible=True, optional=True)] * detailed
    columns += [Column("truth", flexible=True)] * truth
    rows = []
    for row in question.rows:
        cells = [
            key_words(row.key),
            row.answered or "",
            *[told(row.detail)] * detailed,
            *[row.expected or ""] * truth,
        ]
        rows.append(Row(tuple(cells), _MARKS.get(row.mark, Mark.BAD)))
    return Table(tuple(columns), tuple(rows))


def grade_document(results: Sequence[ResultJson], *, verbose: bool) -> Document:
    """Return the table of a grading; `verbose`: with what is wrong in each submission."""
    columns = (
        Column("submission", flexible=True),
        Column("earned", right=True),
        Column("of", right=True),
        Column("remarks", flexible=True),
    )
    rows = tuple(
        Row(
            (
                line(each.submission),
                shown_points(each.earned) if each.points else "",
                f"{each.points or ''}",
                tr("; ").join(_remarks(each)),
            ),
            _STANDINGS[each.exit_code],
        )
        for each in results
    )
    sections = [Section("", (Table(columns, rows),))]
    if verbose:
        sections += [_submission_section(each) for each in results]
    unjudged = sum(not each.is_judged for each in results)
    title = counted(len(results), "submission")
    if unjudged:
        title = tr("{submissions}, {count} of which could not be judged in whole").format(
            submissions=title, count=unjudged
        )
    return Document(
        title,
        tuple(sections),
        legend=(
            (Mark.GOOD, N_("all right")),
            (Mark.BAD, N_("not all right")),
            (Mark.UNKNOWN, N_("could not judge all")),
        ),
    )


def _remarks(result: ResultJson) -> list[str]:
    reasons = [
        tr("{question}: could not judge: {reason}").format(question=each.id, reason=line(told(each.note)))
        for each in result.questions
        if each.earned is None
    ]
    return [*notes(result), *([] if result.broken else reasons)]


def _submission_section(result: ResultJson) -> Section:
    blocks: list[Block] = [Paragraph(each) for each in _remarks(result)]
    for question in result.questions:
        blocks.append(Paragraph(f"{question.id}{tr(': ')}{score_words(question)}"))
        blocks += [Paragraph(f"  {each}") for each in complaints(question, truth=True)]
    return Section(
        f"{line(result.submission)}{tr(': ')}{total_words(result)}",
        tuple(blocks),
        _STANDINGS[result.exit_code],
    )
