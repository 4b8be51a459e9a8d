"""Frames held against each other: what must be equal, what is only a least, and what pages tell already."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inspector.model.address import FileOffset, Vpn
from inspector.model.finding import Verdict
from inspector.model.frame import FrameOwner, FrameRun, PagePlace
from inspector.reconcile.frames import compare_frames, opposite

OWN = FrameRun(0, Vpn(0x80F5), 4, FrameOwner.COPY_ON_WRITE, mapped=2)
CHILDS = replace(OWN, process=1, same_as=PagePlace(0, OWN.start))
CACHED = FrameRun(0, Vpn(0x8048), 2, FrameOwner.PAGE_CACHE, "/f", FileOffset(0), 1)


def judged(predicted: FrameRun, observed: FrameRun) -> list[Verdict]:
    return [finding.verdict for finding in compare_frames("main", [predicted], [observed])]


@pytest.mark.parametrize(
    ("run", "change", "verdict"),
    [
        (OWN, {}, None),
        (OWN, {"owner": FrameOwner.PRIVATE}, Verdict.DIFFERS),
        (OWN, {"mapped": 3}, Verdict.DIFFERS),
        (OWN, {"mapped": None}, Verdict.UNOBSERVED),
        (OWN, {"owner": None}, Verdict.UNOBSERVED),
        (CHILDS, {"same_as": None}, Verdict.DIFFERS),
        (CHILDS, {"same_as": PagePlace(0, Vpn(7))}, Verdict.DIFFERS),
        (CACHED, {"offset": FileOffset(0x1000)}, Verdict.DIFFERS),
        (CACHED, {"file": "/g"}, Verdict.DIFFERS),
        (CACHED, {"mapped": 2}, Verdict.DIFFERS),
    ],
)
def test_one_run(run: FrameRun, change: dict[str, Any], verdict: Verdict | None) -> None:
    assert judged(run, replace(run, **change)) == ([] if verdict is None else [verdict])


@pytest.mark.parametrize(("seen", "agrees"), [(2, False), (3, True), (90, True), (None, True)])
def test_what_others_may_map_too_has_a_least_count(seen: int | None, agrees: bool) -> None:
    mine = replace(CACHED, mapped=3, or_more=True)
    assert (judged(mine, replace(CACHED, mapped=seen)) == []) is agrees


def test_only_the_pages_that_differ_are_named_with_the_rule_they_were_predicted_by() -> None:
    copied = replace(CHILDS.part(1, 2), owner=FrameOwner.PRIVATE, mapped=1, same_as=None)
    (found,) = compare_frames("copied", [CHILDS], [CHILDS.part(0, 1), copied, CHILDS.part(3, 1)])
    assert (found.where, found.rule) == ("process 1 0x80f6000 and 1 more", "frame.copy-on-write")
    assert found.predicted == "copy on write, mapped 2 times, in the frame of process 0's 0x80f6000"
    assert found.observed == "private, mapped 1 time"


def test_a_missing_page_is_told_here_only_of_a_relative() -> None:
    assert list(compare_frames("main", [OWN], [])) == []
    (found,) = compare_frames("main", [], [CHILDS])
    assert (found.predicted, found.verdict) == ("absent", Verdict.DIFFERS)


def test_what_the_page_cache_decides_is_explained_by_the_file() -> None:
    def rule(path: str | None) -> str | None:
        return "fault.page-cache" if path == "/f" else None

    (found,) = compare_frames("main", [CACHED], [replace(CACHED, mapped=2)], rule)
    assert (found.verdict, found.rule) == (Verdict.EXPLAINED, "fault.page-cache")
    (found,) = compare_frames("main", [OWN], [replace(OWN, mapped=5)], rule)
    assert found.verdict is Verdict.DIFFERS


def test_copies_of_a_file_are_one_file_to_it() -> None:
    seen = replace(CACHED, file="/copy")
    assert list(compare_frames("main", [CACHED], [seen], same_file=lambda *_: True)) == []


def test_runs_are_cut_where_either_side_begins_another() -> None:
    mine = [OWN, CHILDS]
    seen = [OWN.part(0, 1), OWN.part(1, 3), CHILDS.part(2, 2)]
    pairs = list(opposite(mine, seen))
    assert [(one and one.count, other and other.count) for one, other in pairs] == [
        (1, 1),
        (3, 3),
        (2, None),
        (2, 2),
    ]
