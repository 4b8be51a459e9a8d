"""What fuzzing found: a line for each mutant that is shown, and lines that count them all."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from inspector.fuzz.surroundings import Role
from inspector.fuzz.trial import Standing
from inspector.language import N_, N_in, tr, tr_error, tr_filled, tr_in, tr_not_modelled
from inspector.model.finding import Verdict
from inspector.report.document import Mark
from inspector.report.findings import in_words
from inspector.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.fuzz.campaign import Campaign, Case, Tally
    from inspector.fuzz.trial import Trial
    from inspector.report.terminal import Style

_MOST_SHOWN = 6
_MARKS = {
    Standing.AGREES: Mark.GOOD,
    Standing.DIFFERS: Mark.BAD,
    Standing.BROKEN: Mark.BAD,
    Standing.NOT_MODELLED: Mark.UNKNOWN,
    Standing.UNOBSERVED: Mark.UNKNOWN,
}

_WORDS = (
    N_("broke the prediction"),
    N_in("verdict", "not modelled"),
    N_in("verdict", "could not be observed"),
    N_in("verdict", "broke the prediction"),
    N_in("mutant", "no stack limit"),
    N_in("mutant", "stack limit {0}"),
    N_in("mutant", "bottom-up"),
    N_in("mutant", "{0} of {1} strings ({2} bytes)"),
    N_in("mutant", "{0} of {1} string ({2} bytes)"),
    N_in("mutant", "{0} nothing -> {1}"),
    N_in("mutant", "{0} {1} -> nothing"),
)
"""What documents and commands call standings, surroundings and changes, and people are shown translated."""


def case_line(case: Case, options: Sequence[str], style: Style) -> str:
    """Return one line: what came out, which fields make it so, and the command that does it again.

    `options` are those of the command besides seed and number that have a say in it.
    """
    role = "" if case.role is Role.PROGRAM else tr("as a program's interpreter")
    around = [tr_filled("mutant", each) for each in str(case.surroundings).split(", ")]
    what = tr(", ").join(filter(None, (role, *around, _came_out(case.trial))))
    changed = _listed([tr_filled("mutant", str(change)) for change in case.changes])
    command = ["inspector", "fuzz", case.program, "--seed", str(case.seed), "--first", str(case.number)]
    again = shlex.join([*command, *options])
    words = tr("{what}; {changed}; again: {command}").format(what=what, changed=changed, command=again)
    return f"{style.sign(_MARKS[case.trial.standing])} {style.clean(words)}"


def _came_out(trial: Trial) -> str:
    match trial.standing:
        case Standing.AGREES:
            agreed = [each for each in trial.findings if each.verdict is Verdict.AGREES]
            return _listed(
                [f"{tr(each.aspect)} {in_words(each.observed, each.aspect)}" for each in agreed], most=None
            )
        case Standing.DIFFERS:
            return _listed(
                [
                    tr("{place}: predicted {predicted}, observed {observed}").format(
                        place=" ".join(filter(None, (tr(each.aspect), each.where))),
                        predicted=in_words(each.predicted, each.aspect),
                        observed=in_words(each.observed, each.aspect),
                    )
                    for each in trial.differences
                ]
            )
        case _:
            standing = tr_in("verdict", trial.standing.value)
            return f"{standing}{tr(': ')}{_reason(trial.standing, trial.reason)}"


def _listed(texts: Sequence[str], *, most: int | None = _MOST_SHOWN) -> str:
    shown = tr(", ").join(texts[:most])
    more = 0 if most is None else len(texts) - most
    return tr("{shown}, and {more} more").format(shown=shown, more=more) if more > 0 else shown


def tally_lines(campaign: Campaign, tally: Tally) -> Iterator[str]:
    """Yield `seed 1, 1000 mutants from 0: 998 agree, 0 differ, 2 not modelled (a huge page: 2)`.

    And, a line for each, in which aspects how many of them agree.
    """
    yield tally_text(campaign, tally)
    for aspects, count in tally.reasons_of(Standing.AGREES).items():
        yield tr("{count} in {aspects}").format(count=f"{count:8}", aspects=_translated(aspects))


def tally_text(campaign: Campaign, tally: Tally) -> str:
    """Return the first of them."""
    counts = [
        f"{tally.standings[standing]} {tr(standing.value)}{_reasons(standing, tally)}"
        for standing in Standing
        if tally.standings[standing] or standing in (Standing.AGREES, Standing.DIFFERS)
    ]
    return tr("seed {seed}, {mutants} from {first}: {counts}").format(
        seed=campaign.seed,
        mutants=counted(tally.total, "mutant"),
        first=campaign.first,
        counts=tr(", ").join(counts),
    )


def _reasons(standing: Standing, tally: Tally) -> str:
    if standing not in (Standing.NOT_MODELLED, Standing.UNOBSERVED):
        return ""
    reasons = [
        f"{_reason(standing, reason)}{tr(': ')}{count}"
        for reason, count in tally.reasons_of(standing).items()
    ]
    return tr(" ({help})").format(help=tr(", ").join(reasons)) if reasons else ""


def _reason(standing: Standing, reason: str) -> str:
    """Return why a mutant was not judged: what is not modelled, an error, or the aspects that no one saw."""
    if standing is Standing.NOT_MODELLED:
        return tr_not_modelled(reason)
    said = tr_error(reason)
    return said if said != reason else _translated(reason)


def _translated(aspects: str) -> str:
    return tr(", ").join(map(tr, aspects.split(", ")))
