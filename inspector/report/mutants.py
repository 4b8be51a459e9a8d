"""What fuzzing found: a line for each mutant that differs, and one that counts them all."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from inspector.fuzz.mutation import Role
from inspector.fuzz.trial import Standing
from inspector.model.program import Layout
from inspector.report.document import Mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.fuzz.campaign import Campaign, Case, Tally
    from inspector.fuzz.trial import Trial
    from inspector.report.terminal import Style

_MOST_SHOWN = 6


def case_line(case: Case, layout: Layout, style: Style) -> str:
    """Return one line: what differs, which fields make it differ, and the command that does it again."""
    found = _listed([_difference(case.trial)] if case.trial.reason else _differences(case.trial))
    changed = _listed([str(change) for change in case.changes])
    role = "" if case.role is Role.PROGRAM else "as a program's interpreter, "
    program = shlex.quote(case.program)
    option = "" if layout is Layout.DEFAULT else f" --layout {layout.value}"
    again = f"inspector fuzz {program} --seed {case.seed} --first {case.number}{option}"
    return f"{style.sign(Mark.BAD)} {style.clean(f'{role}{found}; {changed}; again: {again}')}"


def _difference(trial: Trial) -> str:
    return f"{Standing.BROKEN.value}: {trial.reason}"


def _differences(trial: Trial) -> list[str]:
    return [
        f"{each.aspect}{f' {each.where}' if each.where else ''}:"
        f" predicted {each.predicted}, observed {each.observed}"
        for each in trial.differences
    ]


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - _MOST_SHOWN
    return ", ".join(texts[:_MOST_SHOWN]) + (f", and {more} more" if more > 0 else "")


def tally_text(campaign: Campaign, tally: Tally) -> str:
    """Return `seed 1, 1000 mutants from 0: 998 agree, 0 differ, 2 not modelled (64-bit program: 2)`."""
    counts = [
        f"{tally.standings[standing]} {standing.value}{_reasons(tally.reasons_of(standing))}"
        for standing in Standing
        if tally.standings[standing] or standing in (Standing.AGREES, Standing.DIFFERS)
    ]
    return f"seed {campaign.seed}, {tally.total} mutants from {campaign.first}: {', '.join(counts)}"


def _reasons(reasons: dict[str, int]) -> str:
    if not reasons:
        return ""
    return f" ({', '.join(f'{reason}: {count}' for reason, count in reasons.items())})"
