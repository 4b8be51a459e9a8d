"""The catalogue of rules: every fact about Linux that a prediction or a tolerance rests on.

The same id stands in the code that applies a rule, in the finding it explains and in the report.
Ids read `area.fact`; sources name a file and function of the Linux tree, version 6.18. A module is a subject.
"""

from __future__ import annotations

from inspector.errors import UnknownRule
from inspector.rules import areas, execve, faults, frames, layout, observation, start
from inspector.rules.rule import Rule

_SUBJECTS = (execve, areas, layout, start, faults, frames, observation)
RULES: dict[str, Rule] = {rule.id: rule for subject in _SUBJECTS for rule in subject.RULES}
"""Every rule by its id."""


def find_rule(rule_id: str) -> Rule:
    """Return the rule of that id. Raises UnknownRule, which names the one whose id is closest."""
    rule = RULES.get(rule_id)
    if rule is None:
        from difflib import get_close_matches

        close = get_close_matches(rule_id.lower(), RULES, n=1)
        advice = f"did you mean {close[0]}?" if close else "`inspector rules` lists them"
        raise UnknownRule(f"there is no rule {rule_id!a}", help=advice)
    return rule


def rules_of_area(area: str) -> list[Rule]:
    """Return the rules whose ids start with `area` and a dot, in the catalogue's order."""
    return [rule for rule in RULES.values() if rule.id.partition(".")[0] == area]


__all__ = ["RULES", "Rule", "find_rule", "rules_of_area"]
