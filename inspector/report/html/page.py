"""The page of one program: what its templates are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inspector.language import tr
from inspector.layout.views import load_bias, views_of
from inspector.model.finding import Verdict
from inspector.reconcile.faults import CHECKPOINT
from inspector.report.detail import Detail
from inspector.report.document import Document, Mark, Section
from inspector.report.findings import aspects_table, checkpoint_text, difference_sections
from inspector.report.html.addressmap import AddressMap, address_map
from inspector.report.html.environment import MEANINGS, nouns_of_scripts, render, texts_of_scripts
from inspector.report.html.faults import MOST_FAULTS, snapshot_at_exec, timeline_of
from inspector.report.html.grids import CELLS, grid_of, timeline_grid
from inspector.report.html.links import links_of
from inspector.report.html.stack import stack_table
from inspector.report.judge import MARKS, Judge
from inspector.report.profile import profile_document
from inspector.report.program import (
    ending_section,
    inputs_section,
    notes_section,
    perturbation_section,
    short_name,
)
from inspector.report.snapshot import counters_section, moment, snapshot_sections
from inspector.view.areas import AreaKind, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.elf.symbol_index import SymbolIndex
    from inspector.layout.views import ElfImage
    from inspector.model.finding import Finding
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction
    from inspector.model.snapshot import Snapshot
    from inspector.report.html.links import Links

_PAGES, _AREAS = "Resident pages {moment}", "Virtual memory areas {moment}"
_IN_FIGURES = ("Stack {moment}", _PAGES, _AREAS)
"""Sections of a stop that the page shows otherwise, by their titles."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a page is about."""

    prediction: Prediction
    observation: Observation | None
    """None: nothing was observed, or it was another run."""
    findings: tuple[Finding, ...]
    document: Document
    """The same as a text: its title, its mark and the facts that open it."""
    image: ElfImage | None = None
    """The parts of the program's file; None: it is not to be had."""
    unobserved: str = ""
    """Why nothing was observed, if it should have been."""
    symbols: SymbolIndex | None = None
    """Those of the program's file."""

    def function_at(self, address: int) -> str:
        """Return the function at an address of the process: `main+0x12`; empty where none is known."""
        snapshot = snapshot_at_exec(self.prediction)
        if self.symbols is None or self.image is None or snapshot is None:
            return ""
        in_file = address - load_bias(self.image, snapshot)
        symbol = self.symbols.at(in_file)
        return "" if symbol is None else symbol.place(in_file)


@dataclass(frozen=True, slots=True)
class Stop:
    """What is shown of one checkpoint."""

    name: str
    number: int
    map: AddressMap | None
    areas: Section | None
    pages: Section | None
    others: tuple[Section, ...]
    """Registers, auxiliary vector, counters."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One aspect at one checkpoint, in the table of all."""

    mark: Mark
    text: str


def page(subject: Subject, *, most_faults: int = MOST_FAULTS, home: str = "") -> bytes:
    """Return the page of one program; `home`: the address of the index, if there is one."""
    prediction, observation, findings = subject.prediction, subject.observation, subject.findings
    stops = tuple(_stops(prediction, observation, findings))
    of_run = [each for each in findings if each.checkpoint == CHECKPOINT and each.aspect != "ending"]
    timeline = timeline_of(prediction, observation, of_run, most_faults, subject.function_at)
    data: dict[str, Any] = {
        "cells": CELLS,
        "words": texts_of_scripts(),
        "nouns": nouns_of_scripts(),
        "marks": ["", *(f"{mark.value}: {tr(MEANINGS[mark])}" for mark in Mark)],
        "stops": [
            {"name": stop.name, "areas": grid}
            for stop, grid in zip(stops, _grids(prediction, observation), strict=True)
        ],
        "timeline": None if timeline is None else timeline.data,
        "grid": None if timeline is None else timeline_grid(prediction, timeline.faults),
    }
    head, *_ = subject.document.sections
    name = short_name(prediction.program)
    return render(
        "page.html",
        title=subject.document.title,
        name=name,
        sentence=subject.document.title.removeprefix(f"{name}: "),
        verdict=subject.document.mark,
        unobserved=subject.unobserved,
        head=head,
        home=home,
        compared=_compared(findings, tuple(stop.name for stop in stops)),
        differences=tuple(difference_sections(findings)),
        stops=stops,
        links=_links(subject),
        timeline=timeline,
        stack=stack_table(
            *(None if each is None else each.stack for each in _at_exec(prediction, observation))
        ),
        ending=tuple(_ending(prediction, observation, findings)),
        inputs=inputs_section(prediction),
        profile=profile_document(prediction.profile),
        data=data,
        area_kinds=tuple(kind.value for kind in AreaKind),
    )


def _snapshots(
    prediction: Prediction, observation: Observation | None
) -> list[tuple[str, Snapshot | None, Snapshot | None]]:
    """Return every checkpoint that either side has, in order, with both sides' snapshots."""
    mine = {each.checkpoint: each for each in prediction.snapshots}
    seen = {each.checkpoint: each for each in (observation.snapshots if observation is not None else ())}
    return [(name, mine.get(name), seen.get(name)) for name in {**mine, **seen}]


def _at_exec(
    prediction: Prediction, observation: Observation | None
) -> tuple[Snapshot | None, Snapshot | None]:
    return next(
        ((mine, seen) for name, mine, seen in _snapshots(prediction, observation) if name == "exec"),
        (None, None),
    )


def _grids(prediction: Prediction, observation: Observation | None) -> list[list[dict[str, Any]]]:
    return [grid_of(mine, seen) for _, mine, seen in _snapshots(prediction, observation)]


def _stops(
    prediction: Prediction, observation: Observation | None, findings: Sequence[Finding]
) -> Iterator[Stop]:
    for number, (name, mine, seen) in enumerate(_snapshots(prediction, observation)):
        is_compared = mine is not None and seen is not None
        otherwise = (
            None
            if observation is None
            else MARKS[Verdict.NOT_PREDICTED if mine is None else Verdict.UNOBSERVED]
        )
        judge = Judge.of(name, findings) if is_compared else Judge(otherwise=otherwise)
        sections = list(snapshot_sections(mine, seen, judge, Detail(verbose=True)))
        titles = {title: tr(title).format(moment=moment(name)) for title in _IN_FIGURES}
        others = [each for each in sections if each.title not in titles.values()]
        one = seen or mine
        if not is_compared and one is not None:
            others.insert(0, counters_section(one, judge))
        yield Stop(
            name,
            number,
            address_map(
                name, None if mine is None else mine.vmas, None if seen is None else seen.vmas, judge
            ),
            next((each for each in sections if each.title == titles[_AREAS]), None),
            next((each for each in sections if each.title == titles[_PAGES]), None),
            tuple(others),
        )


def _compared(
    findings: Sequence[Finding], stops: Sequence[str]
) -> tuple[tuple[str, ...], list[tuple[str, list[Compared | None]]]]:
    """Return the columns and rows of the table of what was compared: an aspect a row, a checkpoint a column.

    What belongs to the run as a whole has a column of its own.
    """
    of_stops = [name for name in stops if any(each.checkpoint == name for each in findings)]
    others = [each.checkpoint for each in findings if each.checkpoint not in of_stops]
    columns = tuple(dict.fromkeys((*(["execve"] if "execve" in others else []), *of_stops, *others)))
    cells: dict[str, dict[str, Compared]] = {}
    for column in columns:
        table = aspects_table([each for each in findings if each.checkpoint == column])
        for row in table.rows:
            aspect, predicted, observed, words = row.cells
            cells.setdefault(aspect, {})[column] = Compared(
                row.mark or Mark.UNJUDGED, _compared_text(predicted, observed, words)
            )
    rows = [(aspect, [row.get(column) for column in columns]) for aspect, row in cells.items()]
    return tuple(map(checkpoint_text, columns)), rows


def _compared_text(predicted: str, observed: str, words: str) -> str:
    if not predicted and not observed:
        return words
    if predicted == observed:
        return tr(", ").join(filter(None, (predicted, words)))
    both = tr("{predicted} predicted, {observed} observed").format(
        predicted=predicted or tr("nothing"), observed=observed or tr("nothing")
    )
    return tr(": ").join(filter(None, (both, words)))


def _links(subject: Subject) -> Links | None:
    mine, seen = _at_exec(subject.prediction, subject.observation)
    snapshot = mine or seen
    if subject.image is None or snapshot is None or snapshot.vmas is None:
        return None
    views = views_of(subject.image, snapshot)
    return links_of(views, [(vma, kind_of(vma).value) for vma in snapshot.vmas])


def _ending(
    prediction: Prediction, observation: Observation | None, findings: Sequence[Finding]
) -> Iterator[Section]:
    judged = next((MARKS[each.verdict] for each in findings if each.aspect == "ending"), None)
    if observation is None:
        sections = [ending_section(prediction.ending, b"", None)]
    else:
        instead_of = prediction.ending if judged is Mark.BAD else None
        mark = judged or MARKS[Verdict.NOT_PREDICTED]
        sections = [
            ending_section(observation.ending, observation.output, mark, instead_of=instead_of),
            perturbation_section(observation),
            notes_section(observation),
        ]
    yield from (section for section in sections if section is not None)


__all__ = ["Subject", "page"]
