"""Ids of rules: a document may name none that the catalogue does not hold, for they excuse and explain."""

from typing import TypeVar

from inspector.errors import UnknownRule
from inspector.rules import find_rule

T = TypeVar("T", str, str | None)


def known_rule(rule_id: T) -> T:
    """Return `rule_id`, or None. Raises ValueError if there is no such rule."""
    if rule_id is not None:
        try:
            find_rule(rule_id)
        except UnknownRule as error:
            raise ValueError(f"{error}; {error.help}") from error
    return rule_id
