"""The story as documents, one a step, so that a reader can be given them one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.language import N_, tr, tr_error
from inspector.model.finding import Verdict
from inspector.report.document import (
    Block,
    Column,
    Document,
    Fact,
    Facts,
    Mark,
    Paragraph,
    Row,
    Section,
    Table,
)
from inspector.report.judge import MARKS
from inspector.report.text import counted, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.story import Step, Story, Value

_LONGEST_NAME = 44
_LONGEST_TOLD = 300


def story_documents(story: Story) -> Iterator[Document]:
    """Yield the story: a heading, a document for each step, and how it came out."""
    yield _heading(story)
    for number, step in enumerate(story.steps, 1):
        yield _step_document(number, step, observed=story.unobserved is None)
    yield _conclusion(story)


def _heading(story: Story) -> Document:
    how = (
        tr("What was predicted stands beside what was observed.")
        if story.unobserved is None
        else tr("Predicted only: {reason}.").format(reason=tr_error(story.unobserved))
    )
    return Document(
        tr("How {program} becomes a process").format(
            program=shortened(story.program or repr(""), _LONGEST_NAME)
        ),
        (Section("", (Paragraph(how),)),),
    )


def _step_document(number: int, step: Step, *, observed: bool) -> Document:
    return Document(f"{number}. {tr(step.title)}", (Section("", step_blocks(step, observed=observed)),))


def step_blocks(step: Step, *, observed: bool) -> tuple[Block, ...]:
    """Return all that a step says but its title; `observed`: whether there is an observation at all."""
    blocks: list[Block] = [Paragraph(step.text)]
    if step.told:
        blocks.append(
            Facts(tuple(Fact(each.label, shortened(each.text, _LONGEST_TOLD)) for each in step.told))
        )
    if step.values:
        blocks.append(_values(step.values, observed=observed))
    for note in step.notes:
        said = (
            tr("The texts: {texts}. Here: {here} ({rule}).")
            if note.rule
            else tr("The texts: {texts}. Here: {here}.")
        )
        words = said.format(texts=tr(note.texts), here=tr(note.here), rule=note.rule)
        blocks.append(Paragraph(words, Mark.EXPLAINED))
    if step.rules:
        blocks.append(Paragraph(tr("Rules: {rules}").format(rules=", ".join(step.rules))))
    return tuple(blocks)


def _values(values: tuple[Value, ...], *, observed: bool) -> Table:
    columns = [Column(""), Column("predicted", flexible=True)]
    if observed:
        columns.append(Column("observed", flexible=True))
    rows = []
    for value in values:
        cells = [tr(value.label), value.predicted]
        if observed:
            cells.append(tr("not observed") if value.observed is None else value.observed)
        rows.append(Row(tuple(cells), MARKS[value.verdict] if observed else None))
    return Table(tuple(columns), tuple(rows))


def _conclusion(story: Story) -> Document:
    counts = dict.fromkeys(Verdict, 0)
    for step in story.steps:
        for value in step.values:
            counts[value.verdict] += 1
    notes = sum(len(step.notes) for step in story.steps)
    unobserved = N_("{values} not observed") if story.unobserved is None else N_("{values} predicted")
    words = [
        tr(said).format(values=counted(counts[verdict], "value"))
        for verdict, said in (
            (Verdict.AGREES, N_("{values} as predicted")),
            (Verdict.DIFFERS, N_("{values} otherwise than predicted")),
            (Verdict.EXPLAINED, N_("{values} otherwise, by a rule")),
            (Verdict.UNOBSERVED, unobserved),
        )
        if counts[verdict]
    ]
    if notes:
        said = tr("{places} where this kernel does otherwise than the texts")
        words.append(said.format(places=counted(notes, "place")))
    mark = None if story.unobserved is not None else Mark.GOOD if story.is_whole else Mark.UNKNOWN
    if story.differs:
        mark = Mark.BAD
    ending = f"{shortened(story.program, _LONGEST_NAME)}{tr(': ')}{story.ends or tr('the program runs')}"
    legend = ((Mark.EXPLAINED, N_("otherwise than the texts")), (Mark.UNKNOWN, N_("not observed")))
    blocks = [Paragraph(tr("{words}.").format(words=tr("; ").join(words)))] if words else []
    blocks.append(Paragraph("`inspector rules ID` tells more of a rule."))
    return Document(ending, (Section("", tuple(blocks)),), mark, legend)
