from __future__ import annotations

import pytest

from inspector.errors import UnknownRule
from inspector.rules import RULES, find_rule, rules_of_area


def test_a_rule_is_found_by_its_id() -> None:
    assert find_rule("vma.merge") is RULES["vma.merge"]


@pytest.mark.parametrize(
    ("rule_id", "advice"),
    [
        ("vma.marge", "did you mean vma.merge?"),
        ("VMA.MERGE", "did you mean vma.merge?"),
        ("exec.not-regula", "did you mean exec.not-regular?"),
        ("", "`inspector rules` lists them"),
        ("\n\udcff", "`inspector rules` lists them"),
    ],
)
def test_an_unknown_rule_is_one_line_with_advice(rule_id: str, advice: str) -> None:
    with pytest.raises(UnknownRule) as caught:
        find_rule(rule_id)
    assert str(caught.value) == f"there is no rule {rule_id!a}"
    assert str(caught.value).isprintable()
    assert caught.value.help == advice


def test_an_area_has_all_its_rules_and_no_others() -> None:
    assert [rule.id for rule in rules_of_area("stack")] == [id_ for id_ in RULES if id_.startswith("stack.")]
    assert rules_of_area("stack.strings") == []
