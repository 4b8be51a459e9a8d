"""What each policy does on strings worked out by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest

from inspector.errors import UsageError
from inspector.simulators.replacement import make_policy, parse_references, random_references, replay


@pytest.mark.parametrize(
    ("name", "references", "leave"),
    [
        ("fifo", "1 2 3 1 4 5", [1, 2]),
        ("lru", "1 2 3 1 4 5", [2, 3]),
        # 4 clears every bit and takes frame 0; 2 gets its bit back, so that 5 passes it over and takes 3.
        ("clock", "1 2 3 4 2 5", [1, 3]),
        ("lfu", "1 1 2 2 3 4 4 4 5", [3, 1]),
        ("opt", "1 2 3 4 1 2 5 1 2", [3, 4]),
        ("opt", "1 2 3 4 5", [1, 2]),
    ],
)
def test_who_leaves(name: str, references: str, leave: list[int]) -> None:
    pages = parse_references(references)
    steps = replay(pages, make_policy(name, frames=3, references=pages))
    assert [step.evicted for step in steps if step.evicted is not None] == leave


def test_random_victims_follow_from_the_seed() -> None:
    pages = random_references(200, 20, seed=1)
    runs = [
        [step.evicted for step in replay(pages, make_policy("random", frames=4, references=pages, seed=seed))]
        for seed in (7, 7, 8)
    ]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(
    ("text", "pages"), [("1 2 3", [1, 2, 3]), ("0x10,17\n0007", [16, 17, 7]), (" 5, ", [5])]
)
def test_pages_are_numbers_between_blanks_or_commas(text: str, pages: list[int]) -> None:
    assert parse_references(text) == pages


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the string of references is empty"),
        (" , ", "empty"),
        ("1 -2", "page -2 is out of range"),
        ("1 two", "'two' is not a page number"),
        ("1_000", "not a page number"),
        ("4503599627370496", "out of range"),
        ("9" * 10_000, "out of range"),
        ("\u0663", "not a page number"),
    ],
)
def test_what_is_no_string_of_pages_is_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as error:
        parse_references(text)
    assert error.value.help
    assert len(str(error.value)) < 100


def test_random_strings_follow_from_the_seed_and_stay_near() -> None:
    assert random_references(50, 10, 3) == random_references(50, 10, 3) != random_references(50, 10, 4)
    near = random_references(2_000, 1_000, 3, locality=0.95)
    far = random_references(2_000, 1_000, 3, locality=0)
    assert sum(abs(a - b) < 4 for a, b in pairwise(near)) > 1_500
    assert sum(abs(a - b) < 4 for a, b in pairwise(far)) < 100


@pytest.mark.parametrize(("length", "pages", "locality"), [(0, 1, 0.5), (1, 0, 0.5), (1, 1, 1.5), (1, 1, -1)])
def test_a_string_that_cannot_be_drawn_is_refused(length: int, pages: int, locality: float) -> None:
    with pytest.raises(UsageError):
        random_references(length, pages, 1, locality)
