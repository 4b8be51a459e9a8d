"""An explanation as a document: a section for each view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.explain.tell import title_of
from inspector.language import N_, tr, tr_error, tr_in
from inspector.model.finding import Verdict
from inspector.report.document import Document, Fact, Facts, Mark, Section
from inspector.report.story import step_blocks
from inspector.report.text import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.explain import Explanation
    from inspector.story import Step

_LONGEST_NAME = 44
_LEGEND = (
    (Mark.GOOD, N_("as predicted")),
    (Mark.BAD, N_("otherwise than predicted")),
    (Mark.EXPLAINED, N_("otherwise, by a rule")),
    (Mark.UNKNOWN, N_("not observed")),
)


def explanation_document(found: Explanation, steps: Sequence[Step]) -> Document:
    """Return what is known of an address."""
    verdicts = {value.verdict for step in steps for value in step.values}
    facts = [Fact("program", shortened(found.program or repr(""), _LONGEST_NAME))]
    if found.unobserved is not None:
        facts.append(Fact(tr_in("explanation", "predicted only"), tr_error(found.unobserved)))
    if found.not_modelled is not None:
        facts.append(
            Fact("ends here", tr("not modelled: {what}").format(what=found.not_modelled), Mark.UNKNOWN)
        )
    sections = [Section("", (Facts(tuple(facts)),))]
    observed = found.unobserved is None
    sections += [Section(step.title, step_blocks(step, observed=observed)) for step in steps]
    mark = Mark.GOOD if observed and found.not_modelled is None else None
    if Verdict.DIFFERS in verdicts:
        mark = Mark.BAD
    return Document(title_of(found), tuple(sections), mark, _LEGEND)
