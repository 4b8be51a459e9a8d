"""Laws of page replacement that hold for every string of references."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.simulators.replacement import (
    POLICIES,
    anomalies,
    count_faults,
    fault_curve,
    lru_curve,
    make_policy,
    replay,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

STRINGS = st.lists(st.integers(0, 9), min_size=1, max_size=60)
FRAMES = st.integers(1, 8)
FIXED = sorted(POLICIES.keys() - {"working-set"})


def faults(name: str, references: Sequence[int], frames: int) -> int:
    return count_faults(references, make_policy(name, frames=frames, references=references))


@given(STRINGS, FRAMES, st.sampled_from(FIXED))
def test_the_optimal_policy_never_faults_more_than_another(
    references: list[int], frames: int, name: str
) -> None:
    assert faults("opt", references, frames) <= faults(name, references, frames)


@given(STRINGS, FRAMES)
def test_the_optimal_policy_is_as_good_as_any_choice_could_be(references: list[int], frames: int) -> None:
    best: dict[frozenset[int], int] = {frozenset(): 0}
    for page in references[:14]:
        after: dict[frozenset[int], int] = {}
        for resident, cost in best.items():
            if page in resident:
                after[resident] = min(cost, after.get(resident, cost))
                continue
            kept = [resident - {victim} for victim in resident] if len(resident) == frames else [resident]
            for rest in kept:
                now = rest | {page}
                after[now] = min(cost + 1, after.get(now, cost + 1))
        best = after
    assert faults("opt", references[:14], frames) == min(best.values())


@given(STRINGS, FRAMES)
def test_what_lru_holds_it_would_hold_with_one_frame_more(references: list[int], frames: int) -> None:
    fewer, more = (
        replay(references, make_policy("lru", frames=count, references=references))
        for count in (frames, frames + 1)
    )
    small: set[int] = set()
    large: set[int] = set()
    for one, other in zip(fewer, more, strict=True):
        small = (small - {one.evicted}) | {one.page}
        large = (large - {other.evicted}) | {other.page}
        assert small <= large


@given(STRINGS)
def test_one_pass_tells_what_lru_does_with_every_number_of_frames(references: list[int]) -> None:
    curve = lru_curve(references)
    for frames in range(1, 12):
        assert curve.at(frames) == faults("lru", references, frames)
    assert anomalies(fault_curve("lru", references, 11)) == []


@given(STRINGS, st.integers(1, 6), st.sampled_from(sorted(POLICIES)))
def test_a_page_is_where_the_steps_say(references: list[int], frames: int, name: str) -> None:
    contents: dict[int, int] = {}
    policy = make_policy(name, frames=frames, references=references, window=frames)
    for page, step in zip(references, replay(references, policy), strict=True):
        assert step.page == page
        assert step.fault is (page not in contents.values())
        if step.left_frame is not None:
            assert contents.pop(step.left_frame) == step.evicted
        contents[step.frame] = page
        assert len(set(contents.values())) == len(contents) <= frames


@given(STRINGS, st.integers(1, 8))
def test_the_working_set_is_what_was_used_within_the_window(references: list[int], window: int) -> None:
    resident: set[int] = set()
    policy = make_policy("working-set", frames=1, references=references, window=window)
    for time, step in enumerate(replay(references, policy)):
        resident = (resident | {step.page}) - {step.evicted}
        assert resident == set(references[max(time - window + 1, 0) : time + 1])


def test_many_pages_and_references_keep_their_order() -> None:
    references = [*range(10_000), *range(9_999, -1, -3), *range(10_000)]
    assert lru_curve(references).at(5_000) == faults("lru", references, 5_000)


@pytest.mark.parametrize(("frames", "expected"), [(3, 9), (4, 10)])
def test_the_string_that_belady_gave(frames: int, expected: int) -> None:
    assert faults("fifo", [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5], frames) == expected
