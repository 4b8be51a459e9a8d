from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.reconcile import alignment
from inspector.reconcile.alignment import Alignment, Gap, align


def gaps(
    left: str, right: str, *, left_whole: bool = True, right_whole: bool = True
) -> list[tuple[str, str]]:
    found = align(left, right, left_whole=left_whole, right_whole=right_whole).gaps
    return [("".join(left[at] for at in gap.left), "".join(right[at] for at in gap.right)) for gap in found]


def pairs(found: Alignment) -> list[tuple[int, int]]:
    apart = {at for gap in found.gaps for at in gap.left}
    return [(x, y) for x, y in found.rows() if x is not None and y is not None and x not in apart]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("", "", []),
        ("abc", "abc", []),
        ("abc", "", [("abc", "")]),
        ("", "abc", [("", "abc")]),
        ("abcd", "abd", [("c", "")]),
        ("abd", "abcd", [("", "c")]),
        ("abcde", "abXde", [("c", "X")]),
        ("abcdefg", "aXcdeYYg", [("b", "X"), ("f", "YY")]),
    ],
)
def test_what_has_no_equal_is_in_a_gap(left: str, right: str, expected: list[tuple[str, str]]) -> None:
    assert gaps(left, right) == expected


def test_what_lies_beyond_the_end_of_one_that_was_cut_off_is_no_gap() -> None:
    cut = align("abc", "abcdef", left_whole=False)
    assert (cut.gaps, cut.left_end, cut.right_end) == ((), 3, 3)
    assert gaps("abc", "aXcdef", left_whole=False) == [("b", "X")]
    assert gaps("abcdef", "abc", right_whole=False) == []
    assert gaps("abcdef", "abc", left_whole=False) == [("def", "")]
    assert align("", "abc", left_whole=False).right_end == 0


words = st.text("ab", max_size=12) | st.text("abcdefgh", max_size=12)


@given(words, words)
def test_gaps_and_pairs_cover_both_and_are_as_few_as_can_be(left: str, right: str) -> None:
    found = align(left, right)
    assert all(left[x] == right[y] for x, y in pairs(found))
    assert [x for x, _ in found.rows() if x is not None] == list(range(len(left)))
    assert [y for _, y in found.rows() if y is not None] == list(range(len(right)))
    assert found.agreeing == len(pairs(found)) == longest_common_subsequence(left, right)


def longest_common_subsequence(left: str, right: str) -> int:
    row = [0] * (len(right) + 1)
    for letter in left:
        previous, row = row, [0]
        for at, other in enumerate(right):
            row.append(previous[at] + 1 if letter == other else max(previous[at + 1], row[at]))
    return row[-1]


@given(words, words)
def test_a_cut_sequence_is_held_to_its_last_element(left: str, right: str) -> None:
    found = align(left, right, left_whole=False)
    assert [x for x, _ in found.rows() if x is not None] == list(range(len(left)))
    assert found.left_end == len(left)
    assert 0 <= found.right_end <= len(right)


def test_long_sequences_that_agree_but_for_little() -> None:
    left = list(range(200_000))
    right = [*left[:70_000], -1, *left[70_000:130_000], *left[130_002:]]
    assert align(left, right).gaps == (
        Gap(range(70_000, 70_000), range(70_000, 70_001)),
        Gap(range(130_000, 130_002), range(130_001, 130_001)),
    )


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (range(200_000), range(200_000, 400_000)),
        ([0, 1] * 100_000, [1, 0, 0] * 66_000),
        (list(range(200_000)), list(range(200_000))[::-1]),
    ],
)
def test_the_search_is_given_up_and_still_covers_both(
    left: list[int], right: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alignment, "_MOST_STEPS", 20_000)
    found = align(left, right)
    assert [x for x, _ in found.rows() if x is not None] == list(range(len(left)))
    assert [y for _, y in found.rows() if y is not None] == list(range(len(right)))
    assert all(left[x] == right[y] for x, y in pairs(found))
