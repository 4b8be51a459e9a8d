"""A page that fault-around passed over is explained, and only under every one of the conditions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.model.address import AddressRange, FileOffset, VirtAddr, vpn_of
from inspector.model.ending import Ending
from inspector.model.fault import Fault, FaultKind, FaultMode
from inspector.model.finding import Verdict
from inspector.model.page import PageKind, PageState
from inspector.model.vma import Access, Anonymous, FileBacking, Sharing, Vma
from inspector.reconcile import reconcile
from inspector.reconcile.faults import compare_faults
from inspector.rules import RULES
from tests.unit.reconcile.agreeing import seen

if TYPE_CHECKING:
    from inspector.model.finding import Finding
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction

R, W, X = Access.READ, Access.WRITE, Access.EXECUTE
WINDOW = AddressRange(VirtAddr(0x8050000), VirtAddr(0x8060000))
TEXT = Vma(
    AddressRange(VirtAddr(0x8048000), VirtAddr(0x8070000)),
    R | X,
    Sharing.PRIVATE,
    FileBacking("/a", (0, 27), 7, FileOffset(0)),
)
PAGE = VirtAddr(0x8053000)


def fault(
    page: int, access: Access | None = R, *, mapped: AddressRange | None = None, process: int = 0
) -> Fault:
    own = AddressRange(VirtAddr(page), VirtAddr(page + 0x1000))
    return Fault(
        process,
        FaultMode.USER,
        VirtAddr(page + 8),
        access,
        False,
        VirtAddr(0x8048100),
        FaultKind.FILE_READ,
        TEXT,
        mapped=mapped or own,
    )


PASSING = fault(0x8055000, X, mapped=WINDOW)
MINE = (fault(0x8048000), PASSING, fault(0x8066000), fault(0x8067000))
EXTRA = fault(PAGE)
"""What is observed between the last two of MINE."""


@pytest.fixture
def predicted(prediction: Prediction) -> Prediction:
    """Return a prediction of MINE at whose end the page is resident."""
    end = replace(
        prediction.snapshots[-1],
        checkpoint="exit",
        stack=None,
        pages=(PageState(vpn_of(PAGE), PageKind.FILE),),
    )
    return replace(prediction, faults=MINE, ending=Ending(status=0), snapshots=(*prediction.snapshots, end))


def observed(
    prediction: Prediction, *extra: Fault, at: int = 3, reclaim: str | None = "damon"
) -> Observation:
    """Return an observation of what is predicted, and `extra` before the fault of that number, from 0."""
    mine = prediction.faults or ()
    faults = (*mine[:at], *extra, *mine[at:])
    return replace(
        seen(prediction),
        faults=tuple(replace(each, kind=None, area=None, mapped=None) for each in faults),
        fault_source="tracepoints",
        reclaim_at_faults=reclaim,
    )


def differing(prediction: Prediction, observation: Observation) -> list[Finding]:
    return [f for f in compare_faults(prediction, observation) if f.verdict is not Verdict.AGREES]


def explained(prediction: Prediction, observation: Observation) -> bool:
    """Whether the one difference is explained by the rule."""
    (finding,) = (found for found in differing(prediction, observation) if found.aspect == "faults")
    assert finding.predicted == "no fault"
    assert finding.rule == ("fault.passed-over" if finding.verdict is Verdict.EXPLAINED else None)
    return finding.verdict is Verdict.EXPLAINED


@pytest.mark.parametrize("access", [R, X])
def test_a_page_that_was_to_be_mapped_in_passing_is_explained(predicted: Prediction, access: Access) -> None:
    assert "fault.passed-over" in RULES
    extra = replace(EXTRA, access=access)
    assert explained(predicted, observed(predicted, extra))
    assert explained(predicted, observed(predicted, replace(extra, mode=FaultMode.KERNEL)))


def test_it_is_explained_where_the_event_tells_no_access(predicted: Prediction) -> None:
    observation = observed(predicted, EXTRA)
    untold = tuple(replace(each, access=None, protection=None) for each in observation.faults or ())
    assert explained(predicted, replace(observation, faults=untold))


def test_the_verdict_of_the_whole_is_that_it_is_explained(predicted: Prediction) -> None:
    observation = replace(observed(predicted, EXTRA), ending=Ending(status=0))
    result = reconcile(predicted, observation)
    assert result.exit_code == 0
    assert not result.differences
    assert reconcile(predicted, replace(observation, reclaim_at_faults=None)).exit_code == 1


def test_without_evidence_it_differs(predicted: Prediction) -> None:
    assert not explained(predicted, observed(predicted, EXTRA, reclaim=None))


def test_evidence_of_the_other_run_is_none(predicted: Prediction) -> None:
    observation = observed(predicted, EXTRA, reclaim=None)
    assert not explained(predicted, replace(observation, reclaim_at_stops="damon"))


def test_a_write_differs(predicted: Prediction) -> None:
    assert not explained(predicted, observed(predicted, replace(EXTRA, access=W)))


def test_a_page_that_was_there_differs(predicted: Prediction) -> None:
    assert not explained(predicted, observed(predicted, replace(EXTRA, protection=True)))


def test_a_page_that_nothing_was_to_map_differs(predicted: Prediction) -> None:
    assert not explained(predicted, observed(predicted, fault(0x8061000)))


def test_a_page_that_is_mapped_only_later_differs(predicted: Prediction) -> None:
    assert not explained(predicted, observed(predicted, EXTRA, at=1))


def test_a_page_that_another_process_mapped_differs(predicted: Prediction) -> None:
    other = fault(0x8048000, process=1)
    predicted = replace(predicted, faults=(*MINE, other))
    assert not explained(predicted, observed(predicted, replace(EXTRA, process=1), at=5))


def test_a_forked_process_has_passing_faults_of_its_own(predicted: Prediction) -> None:
    mine = tuple(replace(each, process=1) for each in MINE)
    predicted = replace(predicted, faults=mine, snapshots=predicted.snapshots[:1])
    assert explained(predicted, observed(predicted, replace(EXTRA, process=1)))


def test_the_page_of_a_fault_that_was_predicted_differs(predicted: Prediction) -> None:
    assert not explained(predicted, observed(predicted, fault(0x8055000)))
    own = replace(predicted, faults=(*MINE[:2], fault(PAGE, W), *MINE[2:]))
    assert not explained(own, observed(own, EXTRA, at=4))
    before = replace(predicted, faults=(fault(PAGE), *MINE))
    assert not explained(before, observed(before, EXTRA, at=4))


def test_a_page_is_passed_over_once(predicted: Prediction) -> None:
    first, second = differing(predicted, observed(predicted, EXTRA, EXTRA))
    assert (first.verdict, second.verdict) == (Verdict.EXPLAINED, Verdict.DIFFERS)


def test_two_pages_may_be_passed_over(predicted: Prediction) -> None:
    found = differing(predicted, observed(predicted, EXTRA, fault(0x8054000)))
    assert [finding.verdict for finding in found] == [Verdict.EXPLAINED] * 2


def test_it_does_not_matter_that_the_page_is_unmapped_later(predicted: Prediction) -> None:
    without = replace(predicted, snapshots=(replace(predicted.snapshots[-1], pages=()),))
    assert explained(without, observed(without, EXTRA))
    again = replace(predicted, faults=(*MINE, fault(PAGE)))
    assert explained(again, observed(again, EXTRA))


def test_memory_of_no_file_differs(predicted: Prediction) -> None:
    heap = replace(TEXT, backing=Anonymous())
    elsewhere = replace(TEXT, range=AddressRange(VirtAddr(0x8054000), VirtAddr(0x8070000)))
    for area in (heap, elsewhere, None):
        other = replace(predicted, faults=(MINE[0], replace(PASSING, area=area), *MINE[2:]))
        assert not explained(other, observed(other, EXTRA))


def test_a_fault_that_was_predicted_and_not_seen_differs(predicted: Prediction) -> None:
    observation = observed(predicted)
    (finding,) = differing(predicted, replace(observation, faults=(observation.faults or ())[:3]))
    assert finding.verdict is Verdict.DIFFERS


ABSENT = VirtAddr(0x8054000)
"""A page of WINDOW; at the stop it is predicted to be resident beside PAGE."""


def stopped(
    prediction: Prediction,
    *absent: VirtAddr,
    minor: int = 0,
    major: int = 0,
    reclaim: str | None = "damon",
    kinds: tuple[PageKind, PageKind] = (PageKind.FILE, PageKind.FILE),
) -> list[tuple[str, str, Verdict, str | None]]:
    """Return where a stop differs at which `absent` are, and so many faults more were counted.

    `kinds` are those of the pages that are resident, predicted and observed.
    """
    sides = []
    for kind in kinds:
        pages = tuple(PageState(vpn_of(page), kind) for page in (PAGE, ABSENT))
        sides.append(replace(prediction.snapshots[-1], pages=pages, minor_faults=9, major_faults=0))
    mine, theirs = sides
    left = tuple(page for page in theirs.pages or () if page.vpn not in set(map(vpn_of, absent)))
    theirs = replace(theirs, pages=left, minor_faults=9 + minor, major_faults=major)
    staged = replace(prediction.program, requested="a")  # so that nothing is read from a disk
    predicted = replace(prediction, program=staged, snapshots=(mine,))
    observation = replace(observed(predicted), snapshots=(theirs,), reclaim_at_faults=None)
    findings = reconcile(predicted, replace(observation, reclaim_at_stops=reclaim)).findings
    return [
        (f.aspect, f.where, f.verdict, f.rule)
        for f in findings
        if f.checkpoint == "exit" and f.verdict in {Verdict.EXPLAINED, Verdict.DIFFERS}
    ]


EXPLAINED = (Verdict.EXPLAINED, "fault.passed-over")


def test_at_a_stop_a_page_that_was_passed_over_is_absent(predicted: Prediction) -> None:
    assert stopped(predicted) == []
    assert stopped(predicted, ABSENT) == [("pages", "0x8054000", *EXPLAINED)]


def test_at_a_stop_it_may_be_there_after_a_minor_fault(predicted: Prediction) -> None:
    assert stopped(predicted, minor=1) == stopped(predicted, minor=2) == [("minor faults", "", *EXPLAINED)]
    assert stopped(predicted, ABSENT, minor=1) == [
        ("pages", "0x8054000", *EXPLAINED),
        ("minor faults", "", *EXPLAINED),
    ]


def test_there_are_no_more_faults_than_pages_that_may_have_taken_them(predicted: Prediction) -> None:
    (more,) = stopped(predicted, minor=3)
    assert more[2] is Verdict.DIFFERS
    _, count = stopped(predicted, ABSENT, minor=2)
    assert count[2] is Verdict.DIFFERS
    (copied,) = stopped(predicted, minor=1, kinds=(PageKind.ANONYMOUS, PageKind.ANONYMOUS))
    assert copied[2] is Verdict.DIFFERS


def test_fewer_faults_differ_and_so_do_major_ones(predicted: Prediction) -> None:
    (fewer,) = stopped(predicted, minor=-1)
    assert fewer[2] is Verdict.DIFFERS
    assert [verdict for _, _, verdict, _ in stopped(predicted, minor=1, major=1)] == [Verdict.DIFFERS] * 2


def test_at_a_stop_it_takes_evidence_of_that_run(predicted: Prediction) -> None:
    found = stopped(predicted, ABSENT, minor=1, reclaim=None)
    assert [verdict for _, _, verdict, _ in found] == [Verdict.DIFFERS] * 2


def test_at_a_stop_a_page_with_a_fault_of_its_own_differs(predicted: Prediction) -> None:
    own = replace(predicted, faults=(*MINE, fault(ABSENT), fault(PAGE)))
    assert [verdict for _, _, verdict, _ in stopped(own, ABSENT)] == [Verdict.DIFFERS]
    assert [verdict for _, _, verdict, _ in stopped(own, minor=1)] == [Verdict.DIFFERS]


def test_at_a_stop_the_faults_of_a_forked_process_explain_nothing(predicted: Prediction) -> None:
    other = replace(predicted, faults=tuple(replace(each, process=1) for each in MINE))
    assert [verdict for _, _, verdict, _ in stopped(other, ABSENT)] == [Verdict.DIFFERS]


def test_at_a_stop_a_page_that_is_no_files_differs(predicted: Prediction) -> None:
    found = stopped(predicted, ABSENT, kinds=(PageKind.ANONYMOUS, PageKind.ANONYMOUS))
    assert [verdict for _, _, verdict, _ in found] == [Verdict.DIFFERS]


def test_at_a_stop_a_page_that_nothing_was_to_map_differs(predicted: Prediction) -> None:
    outside = replace(predicted, faults=MINE[:1])
    assert [verdict for _, _, verdict, _ in stopped(outside, ABSENT)] == [Verdict.DIFFERS]
