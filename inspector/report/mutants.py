"""What fuzzing found: a line for each mutant that is shown, and lines that count them all."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from inspector.fuzz.surroundings import Role
from inspector.fuzz.trial import Standing
from inspector.model.finding import Verdict
from inspector.report.document import Mark
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


def case_line(case: Case, options: Sequence[str], style: Style) -> str:
    """Return one line: what came out, which fields make it so, and the command that does it again.

    `options` are those of the command besides seed and number that have a say in it.
    """
    role = "" if case.role is Role.PROGRAM else "as a program's interpreter"
    what = ", ".join(filter(None, (role, str(case.surroundings), _came_out(case.trial))))
    changed = _listed([str(change) for change in case.changes])
    command = ["inspector", "fuzz", case.program, "--seed", str(case.seed), "--first", str(case.number)]
    again = shlex.join([*command, *options])
    return f"{style.sign(_MARKS[case.trial.standing])} {style.clean(f'{what}; {changed}; again: {again}')}"


def _came_out(trial: Trial) -> str:
    match trial.standing:
        case Standing.AGREES:
            agreed = [each for each in trial.findings if each.verdict is Verdict.AGREES]
            return _listed([f"{each.aspect} {each.observed}" for each in agreed], most=None)
        case Standing.DIFFERS:
            return _listed(
                [
                    f"{each.aspect}{f' {each.where}' if each.where else ''}:"
                    f" predicted {each.predicted}, observed {each.observed}"
                    for each in trial.differences
                ]
            )
        case _:
            return f"{trial.standing.value}: {trial.reason}"


def _listed(texts: Sequence[str], *, most: int | None = _MOST_SHOWN) -> str:
    more = 0 if most is None else len(texts) - most
    return ", ".join(texts[:most]) + (f", and {more} more" if more > 0 else "")


def tally_lines(campaign: Campaign, tally: Tally) -> Iterator[str]:
    """Yield `seed 1, 1000 mutants from 0: 998 agree, 0 differ, 2 not modelled (a huge page: 2)`.

    And, a line for each, in which aspects how many of them agree.
    """
    yield tally_text(campaign, tally)
    for aspects, count in tally.reasons_of(Standing.AGREES).items():
        yield f"{count:8} in {aspects}"


def tally_text(campaign: Campaign, tally: Tally) -> str:
    """Return the first of them."""
    counts = [
        f"{tally.standings[standing]} {standing.value}{_reasons(standing, tally)}"
        for standing in Standing
        if tally.standings[standing] or standing in (Standing.AGREES, Standing.DIFFERS)
    ]
    mutants = counted(tally.total, "mutant")
    return f"seed {campaign.seed}, {mutants} from {campaign.first}: {', '.join(counts)}"


def _reasons(standing: Standing, tally: Tally) -> str:
    if standing not in (Standing.NOT_MODELLED, Standing.UNOBSERVED):
        return ""
    reasons = tally.reasons_of(standing)
    return f" ({', '.join(f'{reason}: {count}' for reason, count in reasons.items())})" if reasons else ""
