"""Under what mutants are executed: mostly the ordinary, and in every other way now and then."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from inspector.fuzz.surroundings import Role, Surroundings, role, surroundings
from inspector.model.program import UNLIMITED
from tests.machines import PROFILE

NUMBERS = range(4000)


def test_one_in_four_is_started_otherwise_and_in_every_way() -> None:
    drawn = [surroundings(1, number) for number in NUMBERS]
    otherwise = [each for each in drawn if each != Surroundings()]
    assert 0.2 < len(otherwise) / len(drawn) < 0.3
    assert {each.stack_limit for each in otherwise} >= {0, 8 << 20, 1 << 30, UNLIMITED}
    assert {each.bottom_up for each in otherwise} == {False, True}
    counts = Counter(len(each.argv_lengths) for each in otherwise if each.argv_lengths is not None)
    assert counts.keys() >= {0, 1, 1500}
    longest = max(length for each in otherwise for length in each.envp_lengths or ())
    assert longest == 32 * 4096  # one more than fits with its zero byte


def test_they_depend_on_seed_and_number_alone() -> None:
    assert [surroundings(2, number) for number in NUMBERS] == [surroundings(2, number) for number in NUMBERS]
    assert [surroundings(2, number) for number in NUMBERS] != [surroundings(3, number) for number in NUMBERS]
    assert {role(2, number) for number in NUMBERS} == set(Role)


@pytest.mark.parametrize(
    ("around", "words"),
    [
        (Surroundings(), ""),
        (Surroundings(stack_limit=0, bottom_up=True), "stack limit 0, bottom-up"),
        (Surroundings(stack_limit=UNLIMITED, argv_lengths=()), "no stack limit, argv of 0 strings (0 bytes)"),
        (Surroundings(envp_lengths=(5,)), "envp of 1 string (5 bytes)"),
    ],
)
def test_they_are_told_in_words(around: Surroundings, words: str) -> None:
    assert str(around) == words


def test_strings_are_as_long_as_they_say() -> None:
    around = Surroundings(argv_lengths=(0, 3))
    assert (around.strings("argv"), around.strings("envp")) == (("", "aaa"), None)


def test_each_thing_can_be_put_back_alone() -> None:
    around = Surroundings(stack_limit=0, bottom_up=True, argv_lengths=(1,))
    assert list(around.plainer()) == [
        replace(around, stack_limit=8 << 20),
        replace(around, bottom_up=False),
        replace(around, argv_lengths=None),
    ]
    assert list(Surroundings().plainer()) == []


def test_bottom_up_is_for_programs_of_both_classes() -> None:
    profile = Surroundings(bottom_up=True).profile(PROFILE)
    assert profile.native is not None
    assert {layout.bottom_up for layout in (*profile.layouts.values(), profile.native.layout)} == {True}
    assert Surroundings().profile(PROFILE) is PROFILE
