"""Many programs: one line for each, and a total."""

from __future__ import annotations

import enum
import shlex
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.language import N_, tr
from inspector.model.finding import Verdict
from inspector.model.prediction import Outcome
from inspector.report.document import Mark
from inspector.report.program import not_modelled_text, run_text, uncompared_text, verdict_text
from inspector.report.text import counted, display_width, shortened, wrapped
from inspector.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inspector.model.prediction import ExecVerdict, Prediction
    from inspector.model.snapshot import Snapshot
    from inspector.reconcile import Reconciliation
    from inspector.report.terminal import Style

_WIDEST_NAME = 36
_NARROWEST_ARGUMENTS = 2


class Standing(enum.Enum):
    """How one program came out; the value is the word a total counts it by."""

    AGREES = N_("agree")
    AGREES_NOT_RUN = N_("agree that it does not run")
    """Refused or killed by execve, as predicted: it counts among those that agree."""
    DIFFERS = N_("differ")
    PREDICTED = N_("predicted")
    UNOBSERVED = N_("could not be observed")
    NOT_MODELLED = N_("not modelled")
    FAILED = N_("failed")


MARKS_OF_STANDINGS = {
    Standing.AGREES: Mark.GOOD,
    Standing.AGREES_NOT_RUN: Mark.GOOD,
    Standing.DIFFERS: Mark.BAD,
    Standing.PREDICTED: Mark.UNJUDGED,
    Standing.UNOBSERVED: Mark.UNKNOWN,
    Standing.NOT_MODELLED: Mark.UNKNOWN,
    Standing.FAILED: Mark.BAD,
}
_ALWAYS_COUNTED = (Standing.AGREES, Standing.DIFFERS, Standing.UNOBSERVED)


@dataclass(frozen=True, slots=True)
class Line:
    """One program in the list."""

    requested: str
    standing: Standing
    detail: str
    arguments: tuple[str, ...] = ()
    """What the program was given: it may stand in the list more than once."""


def checked_line(reconciliation: Reconciliation) -> Line:
    """Return the line of a program that was predicted and observed."""
    program = reconciliation.prediction.program
    standing, detail = _outcome(reconciliation)
    return Line(program.requested, standing, detail, program.argv[1:])


def _outcome(reconciliation: Reconciliation) -> tuple[Standing, str]:
    """Return how it came out, and the words for it."""
    prediction = reconciliation.prediction
    if not reconciliation.of_one_run:
        inputs = tr(", ").join(finding.where for finding in reconciliation.differences)
        return Standing.DIFFERS, tr("two different runs: {inputs}").format(inputs=inputs)
    if reconciliation.differences:
        aspects = tr(", ").join(dict.fromkeys(tr(finding.aspect) for finding in reconciliation.differences))
        return (
            Standing.DIFFERS,
            f"{counted(len(reconciliation.differences), 'difference')}{tr(': ')}{aspects}",
        )
    if reconciliation.exit_code:
        ended = prediction.not_modelled is not None and reconciliation.observation.cut_short is None
        return Standing.NOT_MODELLED if ended else Standing.UNOBSERVED, uncompared_text(reconciliation)
    if prediction.verdict is not None and prediction.verdict.outcome is not Outcome.RUNS:
        return Standing.AGREES_NOT_RUN, _answer(prediction.verdict)
    return Standing.AGREES, f"{_answer(prediction.verdict)}{tr(': ')}{_counts(reconciliation)}"


def _counts(reconciliation: Reconciliation) -> str:
    """Return how much was compared, of memory at the last stop: `11 VMAs, 164 pages at main; 23 faults`.

    The stop is named unless it is the end: 80 columns have room for a fixture, and for this.
    """
    seen = {snapshot.checkpoint: snapshot for snapshot in reconciliation.observation.snapshots}
    both = [
        (mine, seen[mine.checkpoint])
        for mine in reconciliation.prediction.snapshots
        if mine.checkpoint in seen
    ]
    words = []
    if both and (said := tr(", ").join(_memory(*both[-1]))):
        stop = both[-1][0].checkpoint
        words = [
            said if stop == "exit" else tr("{counts} at {checkpoint}").format(counts=said, checkpoint=stop)
        ]
    words += (
        counted(int(finding.predicted), "fault")
        for finding in reconciliation.findings
        if finding.verdict is Verdict.AGREES and finding.aspect == "faults"
    )
    return tr("; ").join(words)


def _memory(predicted: Snapshot, observed: Snapshot) -> Iterator[str]:
    """Yield how many areas and pages both have."""
    if predicted.vmas is not None and observed.vmas is not None:
        yield counted(len(predicted.vmas), "VMA")
    if predicted.pages is not None and observed.pages is not None:
        yield counted(len(predicted.pages), "page")


def predicted_line(prediction: Prediction) -> Line:
    """Return the line of a program that was only predicted."""
    requested, arguments = prediction.program.requested, prediction.program.argv[1:]
    if prediction.not_modelled is not None:
        return Line(requested, Standing.NOT_MODELLED, not_modelled_text(prediction), arguments)
    counts = [
        tr("{vmas} VMAs, {pages} pages at {checkpoint}").format(
            vmas=len(snapshot.vmas or ()), pages=len(snapshot.pages or ()), checkpoint=snapshot.checkpoint
        )
        for snapshot in prediction.snapshots
    ]
    detail = tr(": ").join(filter(None, (_answer(prediction.verdict), tr("; ").join(counts))))
    return Line(requested, Standing.PREDICTED, detail, arguments)


def _answer(verdict: ExecVerdict | None) -> str:
    """Return execve's answer, and in words the rule that made it where that is more than success."""
    rule = None if verdict is None else RULES.get(verdict.rule or "")
    if rule is None or verdict is None or verdict.outcome is Outcome.RUNS:
        return str(verdict) if verdict is None else verdict_text(verdict)
    return tr("{verdict} by {rule}: {statement}").format(
        verdict=run_text(verdict), rule=rule.id, statement=tr(rule.statement)
    )


def name_width(programs: Iterable[tuple[str, Sequence[str]]], style: Style) -> int:
    """Return how many columns the names of a list are given; `programs` are paths and arguments."""
    widths = (display_width(" ".join(_name(*program, style))) for program in programs)
    return min(max(widths, default=0), _WIDEST_NAME)


def _name(requested: str, arguments: Sequence[str], style: Style) -> tuple[str, ...]:
    """Return the name, and the arguments if there are any, as one text."""
    words = (style.clean(" ".join(map(shlex.quote, arguments))),) if arguments else ()
    return style.clean(requested) or "''", *words


def _name_in(width: int, line: Line, style: Style) -> str:
    """Return the name in so many columns, and as much of the arguments as there is room for.

    Their end is kept too: it is where two runs of one program often differ.
    """
    name, *words = _name(line.requested, line.arguments, style)
    room = width - display_width(name) - 1
    if not words or room < _NARROWEST_ARGUMENTS:
        return shortened(name, width, style.ellipsis)
    return f"{name} {shortened(words[0], room, style.ellipsis)}"


def line_text(line: Line, width: int, style: Style) -> Iterator[str]:
    """Yield the text of a line; what does not fit beside a name of `width` columns continues below."""
    name = _name_in(width, line, style)
    mark = MARKS_OF_STANDINGS[line.standing]
    indent = style.sign_width(mark) + 1 + width + 2
    padding = " " * (width - display_width(name))
    first, *rest = wrapped(style.clean(line.detail), max(style.width - indent, 20))
    yield f"{style.sign(mark)} {name}{padding}  {first}".rstrip()
    yield from (" " * indent + text for text in rest)


def total_text(standings: Sequence[Standing], *, predicted: bool = False) -> str:
    """Return `31 agree, 0 differ, 1 could not be observed`; what is always counted depends on the command.

    Of those that agree it says how many do not run: `31 agree (1 does not run)`.
    """
    counts = Counter(standings)
    not_run = counts.pop(Standing.AGREES_NOT_RUN, 0)
    counts[Standing.AGREES] += not_run
    words = {standing: tr(standing.value) for standing in Standing}
    if not_run:
        not_running = tr(" ({count} does not run)") if not_run == 1 else tr(" ({count} do not run)")
        words[Standing.AGREES] += not_running.format(count=not_run)
    always = (Standing.PREDICTED,) if predicted else _ALWAYS_COUNTED
    return tr(", ").join(
        f"{counts[standing]} {words[standing]}"
        for standing in Standing
        if counts[standing] or standing in always
    )
