"""The report of one program: predicted, observed, or both held against each other."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from inspector.language import N_, tr
from inspector.model.finding import Verdict
from inspector.model.prediction import Outcome, Prediction
from inspector.report.areas import KIND_LEGEND
from inspector.report.detail import ORDINARY, Detail
from inspector.report.document import Document, Fact, Facts, Mark, Section
from inspector.report.faults import fault_sections
from inspector.report.findings import aspects_section, difference_sections
from inspector.report.hint import path_hint
from inspector.report.judge import MARKS, Judge, worst
from inspector.report.pages import CELL_LEGEND
from inspector.report.program import (
    ending_section,
    inputs_section,
    machine_facts,
    native_facts,
    not_modelled_text,
    notes_section,
    perturbation_section,
    profile_fact,
    program_facts,
    run_text,
    script_facts,
    short_name,
    uncompared_text,
    unreached_text,
    verdict_facts,
    verdict_text,
)
from inspector.report.snapshot import counters_section, snapshot_sections
from inspector.report.text import process_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inspector.elf.glance import Glance
    from inspector.model.finding import Finding
    from inspector.model.observation import Observation
    from inspector.reconcile import Reconciliation

LEGEND = (
    (Mark.GOOD, N_("agrees")),
    (Mark.BAD, N_("predicted, wrongly")),
    (Mark.INSTEAD, N_("observed instead")),
    (Mark.EXPLAINED, N_("differs by a rule")),
    (Mark.UNKNOWN, N_("not observed")),
    (Mark.UNJUDGED, N_("not predicted")),
    *KIND_LEGEND,
    *CELL_LEGEND,
)


def check_document(
    reconciliation: Reconciliation, *, seen: Glance | None = None, detail: Detail = ORDINARY
) -> Document:
    """Return the report of a prediction held against an observation.

    `seen`: what is at the path the user named, for a hint where execve does not run it; None: not looked at.
    """
    prediction, observation = reconciliation.prediction, reconciliation.observation
    findings = reconciliation.findings
    facts = (*_head(prediction, observation, findings), *_hint(prediction, seen))
    sections = [Section("", (Facts(facts),))]
    predicted = {snapshot.checkpoint: snapshot for snapshot in prediction.snapshots}
    for observed in observation.snapshots if reconciliation.of_one_run else ():
        mine = predicted.get(observed.checkpoint)
        if mine is None:
            judge = Judge(otherwise=MARKS[Verdict.NOT_PREDICTED])
            sections.append(counters_section(observed, judge))
        else:
            judge = Judge.of(observed.checkpoint, findings)
            sections.append(aspects_section(observed.checkpoint, findings))
        sections += snapshot_sections(mine, observed, judge, detail)
    if reconciliation.of_one_run:
        sections += fault_sections(prediction, observation, findings, verbose=detail.verbose)
        sections += _closing(prediction, observation, findings)
    sections += difference_sections(findings)
    mark, sentence = conclusion(reconciliation)
    return Document(f"{short_name(prediction.program)}: {sentence}", tuple(sections), mark, LEGEND)


def conclusion(reconciliation: Reconciliation) -> tuple[Mark, str]:
    """Return in a few words how prediction and observation came out against each other."""
    if not reconciliation.of_one_run:
        return Mark.BAD, tr("not compared, for these are two different runs")
    match reconciliation.exit_code:
        case 0:
            verdict = reconciliation.prediction.verdict
            runs = verdict is None or verdict.outcome is Outcome.RUNS
            if verdict is None or runs:
                return Mark.GOOD, tr("prediction and kernel agree")
            agreed = tr("prediction and kernel agree that it {verdict}")
            return Mark.GOOD, agreed.format(verdict=run_text(verdict))
        case 1:
            return Mark.BAD, tr("prediction and kernel differ")
        case _:
            return Mark.UNKNOWN, uncompared_text(reconciliation)


def _head(prediction: Prediction, observation: Observation, findings: tuple[Finding, ...]) -> Iterator[Fact]:
    yield from program_facts(observation.program)
    yield from script_facts(prediction.script)
    yield profile_fact(prediction.profile)
    yield from machine_facts(observation)
    mark = worst(finding for finding in findings if finding.aspect == "verdict")
    if prediction.verdict is None:
        yield Fact("predicted", not_modelled_text(prediction), mark)
    elif mark is Mark.GOOD:
        yield from verdict_facts("execve", prediction.verdict, tr(", predicted and observed"), mark)
        yield from native_facts(prediction)
        if prediction.not_modelled is not None:
            yield Fact("ends here", not_modelled_text(prediction), Mark.UNKNOWN)
        return
    else:
        yield from verdict_facts("predicted", prediction.verdict, mark=mark)
    seen = verdict_text(observation.verdict) if observation.verdict else tr("already running")
    yield Fact("observed", seen, Mark.INSTEAD if mark is Mark.BAD else mark)


def _hint(told: Prediction | Observation, seen: Glance | None) -> Iterator[Fact]:
    ends_early = isinstance(told, Prediction) and told.not_modelled is not None
    text = path_hint(told.verdict, seen, not_modelled=ends_early)
    if text:
        yield Fact("hint", text)


def _closing(
    prediction: Prediction | None, observation: Observation | None, findings: Iterable[Finding] = ()
) -> Iterator[Section]:
    sections: list[Section | None] = []
    if observation is not None:
        endings = [finding for finding in findings if finding.aspect == "ending"]
        judged = worst(finding for finding in endings if not finding.where)
        mark = None if prediction is None else judged or MARKS[Verdict.NOT_PREDICTED]
        sections += [
            ending_section(
                observation.ending,
                observation.output,
                mark,
                instead_of=prediction.ending if prediction is not None and judged is Mark.BAD else None,
                children=tuple(_children(prediction, observation, endings)),
            ),
            perturbation_section(observation),
            notes_section(observation),
        ]
    elif prediction is not None:
        children = tuple(_children(prediction, None, ()))
        sections.append(ending_section(prediction.ending, b"", None, children=children))
    if prediction is not None:
        sections.append(inputs_section(prediction))
    yield from (section for section in sections if section is not None)


def _children(
    prediction: Prediction | None, observation: Observation | None, endings: Sequence[Finding]
) -> Iterator[Fact]:
    """Yield how each process ends that the program forks, predicted or else observed, and what differs."""
    predicted = prediction.children if prediction is not None else ()
    observed = observation.children if observation is not None else ()
    for number, (mine, seen) in enumerate(zip_longest(predicted, observed), start=1):
        where, label = f"process {number}", process_name(number)
        mark = worst(finding for finding in endings if finding.where == where)
        if mine is None and seen is not None:
            yield Fact(label, seen.in_full, None if prediction is None else MARKS[Verdict.NOT_PREDICTED])
        elif mine is not None:
            yield Fact(label, mine.in_full, mark)
            if mark is Mark.BAD and seen is not None:
                yield Fact("observed", seen.in_full, Mark.INSTEAD)


def prediction_document(
    prediction: Prediction, *, seen: Glance | None = None, detail: Detail = ORDINARY
) -> Document:
    """Return the report of what was predicted, held against nothing; `seen` as for `check_document`."""
    limit = not_modelled_text(prediction)
    facts = [
        *program_facts(prediction.program),
        *script_facts(prediction.script),
        profile_fact(prediction.profile),
    ]
    if prediction.verdict is not None:
        facts += verdict_facts("execve", prediction.verdict)
        facts += native_facts(prediction)
        if limit:
            facts.append(Fact("ends here", limit, Mark.UNKNOWN))
    facts += _hint(prediction, seen)
    sections = [Section("", (Facts(tuple(facts)),))]
    for snapshot in prediction.snapshots:
        sections.append(counters_section(snapshot, Judge()))
        sections += snapshot_sections(snapshot, None, Judge(), detail)
    sections += fault_sections(prediction, None, (), verbose=detail.verbose)
    sections += _closing(prediction, None)
    sentence = (
        limit
        if prediction.verdict is None
        else tr("predicted: {verdict}").format(verdict=run_text(prediction.verdict))
    )
    return Document(f"{short_name(prediction.program)}: {sentence}", tuple(sections), legend=LEGEND)


def observation_document(
    observation: Observation, *, seen: Glance | None = None, detail: Detail = ORDINARY
) -> Document:
    """Return the report of what was observed, held against nothing; `seen` as for `check_document`."""
    started = observation.verdict is not None
    facts = [*program_facts(observation.program, started=started), *machine_facts(observation)]
    if observation.verdict is not None:
        facts += verdict_facts("execve", observation.verdict)
        facts += _hint(observation, seen)
    sections = [Section("", (Facts(tuple(facts)),))]
    for snapshot in observation.snapshots:
        sections.append(counters_section(snapshot, Judge()))
        sections += snapshot_sections(None, snapshot, Judge(), detail)
    sections += fault_sections(None, observation, (), verbose=detail.verbose)
    sections += _closing(None, observation)
    verdict, unreached = observation.verdict, unreached_text(observation)
    if verdict is None:
        sentence = tr("observed while running")
    else:
        sentence = tr("observed: {verdict}").format(verdict=run_text(verdict))
    if unreached:
        sentence = tr("{sentence}, but {unreached}").format(sentence=sentence, unreached=unreached)
    return Document(f"{short_name(observation.program)}: {sentence}", tuple(sections), legend=LEGEND)
