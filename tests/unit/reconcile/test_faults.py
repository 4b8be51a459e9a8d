from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.model.address import AddressRange, FileOffset, VirtAddr
from inspector.model.ending import Ending
from inspector.model.fault import Fault, FaultKind, FaultMode
from inspector.model.finding import Finding, Verdict
from inspector.model.folio import UNSEEN, told_of
from inspector.model.prediction import Assumption
from inspector.model.vma import Access, FileBacking, Sharing, Vma
from inspector.reconcile import reconcile
from inspector.reconcile.faults import RULES_OF_KINDS, compare_faults, describe
from inspector.rules import RULES
from tests.unit.reconcile.agreeing import seen

if TYPE_CHECKING:
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction
    from inspector.model.snapshot import Snapshot

R, W, X = Access.READ, Access.WRITE, Access.EXECUTE
TEXT = Vma(
    AddressRange(VirtAddr(0x8048000), VirtAddr(0x8060000)),
    R | X,
    Sharing.PRIVATE,
    FileBacking("/a", (0, 27), 7, FileOffset(0)),
)


def user(page: int, access: Access = R, *, ip: int = 0x8048100, process: int = 0) -> Fault:
    return Fault(
        process, FaultMode.USER, VirtAddr(page + 4), access, False, VirtAddr(ip), FaultKind.FILE_READ, TEXT
    )


def kernel(page: int, access: Access = W) -> Fault:
    return Fault(0, FaultMode.KERNEL, VirtAddr(page), access, False, None, FaultKind.ANONYMOUS, None)


def as_seen(fault: Fault) -> Fault:
    """Return what tracepoints tell of a fault: the kernel's ip, too, which is of no interest."""
    ip = VirtAddr(0xC1000000) if fault.mode is FaultMode.KERNEL else fault.ip
    return replace(fault, ip=ip, kind=None, area=None)


MINE = (kernel(0xFFFFD000), *(user(0x8048000 + n * 0x1000, ip=0x8048100 + n) for n in range(8)))


def both(
    prediction: Prediction, mine: tuple[Fault, ...] | None, theirs: tuple[Fault, ...] | None
) -> tuple[Prediction, Observation]:
    predicted = replace(prediction, faults=mine, ending=Ending(status=0))
    observed = None if theirs is None else tuple(map(as_seen, theirs))
    return predicted, replace(seen(prediction), faults=observed, fault_source="tracepoints")


def found(
    prediction: Prediction, mine: tuple[Fault, ...] | None, theirs: tuple[Fault, ...] | None
) -> list[Finding]:
    return list(compare_faults(*both(prediction, mine, theirs)))


def short(findings: list[Finding]) -> list[tuple[str, str, str, Verdict]]:
    return [(f.where, f.predicted, f.observed, f.verdict) for f in findings]


def test_equal_sequences_agree(prediction: Prediction) -> None:
    assert found(prediction, MINE, MINE) == [Finding("run", "faults", "", "9", "9", Verdict.AGREES)]
    result = reconcile(*both(prediction, MINE, MINE))
    assert result.exit_code == 0
    assert [finding.aspect for finding in result.findings[-2:]] == ["faults", "ending"]


def test_sequences_that_one_wing_lacks(prediction: Prediction) -> None:
    assert short(found(prediction, MINE, None)) == [("", "9", "", Verdict.UNOBSERVED)]
    assert short(found(prediction, None, MINE)) == [("", "", "9", Verdict.NOT_PREDICTED)]
    assert found(prediction, None, None) == []
    assert short(found(prediction, (), ())) == [("", "0", "0", Verdict.AGREES)]


def test_a_missing_fault_is_named_with_its_neighbours_area_and_rule(prediction: Prediction) -> None:
    (finding,) = found(prediction, MINE, (*MINE[:4], *MINE[5:]))
    assert finding == Finding(
        "run",
        "faults",
        "#5",
        "user read 0x804b000 by 0x8048103: file read, in 08048000-08060000 r-xp 00000000 00:1b 7 /a",
        "no fault",
        Verdict.DIFFERS,
        "fault.around",
        (
            "  #3 user read 0x8049000 by 0x8048101: file read",
            "  #4 user read 0x804a000 by 0x8048102: file read",
            "  #6 user read 0x804c000 by 0x8048104: file read",
            "  #7 user read 0x804d000 by 0x8048105: file read",
        ),
    )
    assert reconcile(*both(prediction, MINE, MINE[:-1])).exit_code == 1


def test_a_fault_too_many_lies_in_the_area_the_last_snapshot_shows(prediction: Prediction) -> None:
    extra = user(0x8048000, W)
    (finding,) = found(prediction, MINE, (*MINE[:4], extra, *MINE[4:]))
    assert (finding.where, finding.predicted, finding.rule) == ("#5", "no fault", None)
    assert finding.observed.startswith("user write 0x8048000 by 0x8048100, in 08048000-08049000 r-xp")
    assert finding.observed.endswith("(at exec)")


@pytest.mark.parametrize(
    ("change", "predicted", "observed"),
    [
        ({"access": W}, "user read 0x804c000 by 0x8048104", "user write 0x804c000 by 0x8048104"),
        ({"protection": True}, "user read 0x804c000 by", "user read 0x804c000 (present) by"),
        ({"ip": VirtAddr(0x9)}, "user read 0x804c000 by 0x8048104", "user read 0x804c000 by 0x9"),
        ({"mode": FaultMode.KERNEL}, "user read 0x804c000", "kernel read 0x804c000"),
        ({"address": VirtAddr(0x9000)}, "user read 0x804c000", "user read 0x9000"),
    ],
)
def test_each_column_is_compared_and_stands_opposite(
    prediction: Prediction, change: dict[str, object], predicted: str, observed: str
) -> None:
    wrong = replace(MINE[5], **change)  # type: ignore[arg-type]
    (finding,) = found(prediction, MINE, (*MINE[:5], wrong, *MINE[6:]))
    assert finding.where == "#6"
    assert finding.predicted.startswith(predicted)
    assert finding.observed.startswith(observed)
    assert len(finding.context) == 4


def test_within_a_page_the_address_is_free_and_so_is_the_kernels_own_ip(prediction: Prediction) -> None:
    moved = tuple(replace(fault, address=VirtAddr(fault.address + 8)) for fault in MINE)
    assert [finding.verdict for finding in found(prediction, MINE, moved)] == [Verdict.AGREES]


def test_what_the_events_do_not_tell_is_said_once_and_not_compared(prediction: Prediction) -> None:
    predicted, observation = both(prediction, MINE, MINE)
    blind = tuple(replace(fault, access=None, protection=None) for fault in observation.faults or ())
    findings = list(compare_faults(predicted, replace(observation, faults=blind)))
    assert [(f.aspect, f.predicted, f.observed, f.verdict) for f in findings] == [
        ("fault access", "9", "", Verdict.UNOBSERVED),
        ("fault protection", "9", "", Verdict.UNOBSERVED),
        ("faults", "9", "9", Verdict.AGREES),
    ]
    partly = (replace(blind[0], access=R), *blind[1:])
    findings = list(compare_faults(predicted, replace(observation, faults=partly)))
    assert (findings[0].aspect, findings[0].observed) == ("fault access", "1 of 9")


def test_an_observer_of_user_mode_only_leaves_the_kernels_faults_open(prediction: Prediction) -> None:
    predicted, observation = both(prediction, MINE, MINE[1:])
    observation = replace(observation, fault_source="software event, user mode only")
    assert [(f.aspect, f.predicted, f.verdict) for f in compare_faults(predicted, observation)] == [
        ("kernel faults", "1", Verdict.UNOBSERVED),
        ("faults", "8", Verdict.AGREES),
    ]


def test_a_fault_keeps_its_number_where_the_kernels_are_hidden(prediction: Prediction) -> None:
    predicted, observation = both(prediction, MINE, (*MINE[1:4], *MINE[5:]))
    hidden = replace(observation, fault_source="software event, user mode only")
    assert [f.where for f in compare_faults(predicted, hidden)] == ["", "#5"]


def test_neighbours_that_differ_too_are_marked_as_in_a_diff(prediction: Prediction) -> None:
    wrong = replace(MINE[4], access=W)
    first, second = found(prediction, MINE, (*MINE[:4], wrong, *MINE[6:]))
    assert (first.where, second.where, second.observed) == ("#5", "#6", "no fault")
    assert [line[:5] for line in first.context] == ["  #3 ", "  #4 ", "- #6 ", "  #7 "]
    assert [line[:5] for line in second.context] == ["  #4 ", "- #5 ", "+ #5 ", "  #7 ", "  #8 "]


def test_beyond_what_was_predicted_nothing_is_judged(prediction: Prediction) -> None:
    predicted, observation = both(prediction, MINE[:6], MINE)
    assert [f.verdict for f in compare_faults(predicted, observation)] == [Verdict.DIFFERS] * 3
    cut = replace(predicted, ending=None)
    assert short(list(compare_faults(cut, observation))) == [
        ("", "6", "6", Verdict.AGREES),
        ("from #7", "", "3 more", Verdict.NOT_PREDICTED),
    ]
    nothing = replace(cut, faults=())
    assert short(list(compare_faults(nothing, observation))) == [
        ("from #1", "", "9 more", Verdict.NOT_PREDICTED)
    ]


def test_beyond_what_was_recorded_nothing_is_judged(prediction: Prediction) -> None:
    predicted, observation = both(prediction, MINE, MINE[:6])
    cut = replace(observation, faults_complete=False)
    assert short(list(compare_faults(predicted, cut))) == [
        ("", "6", "6", Verdict.AGREES),
        ("from #7", "3 more", "", Verdict.UNOBSERVED),
    ]


def test_lost_events_may_be_those_that_are_missing_but_no_more_than_were_lost(prediction: Prediction) -> None:
    predicted, observation = both(prediction, MINE, (*MINE[:3], *MINE[5:]))
    for lost, verdict in ((0, Verdict.DIFFERS), (1, Verdict.DIFFERS), (2, Verdict.UNOBSERVED)):
        findings = list(compare_faults(predicted, replace(observation, faults_lost=lost)))
        assert [f.verdict for f in findings if f.where] == [verdict] * 2
    extra = both(prediction, MINE[1:], MINE)[1]
    findings = list(compare_faults(replace(predicted, faults=MINE[1:]), replace(extra, faults_lost=9)))
    assert [f.verdict for f in findings] == [Verdict.DIFFERS]


def test_processes_are_compared_one_by_one_however_they_interleave(prediction: Prediction) -> None:
    child = tuple(replace(fault, process=1) for fault in MINE)
    mixed = tuple(fault for pair in zip(child, MINE, strict=True) for fault in pair)
    (finding,) = found(prediction, (*MINE, *child), mixed)
    assert finding.predicted == "18"
    (finding,) = found(prediction, (*MINE, *child), mixed[:-2] + mixed[-1:])
    assert finding.where == "process 1 #9"


def test_of_very_many_differences_the_first_are_shown_and_the_others_counted(prediction: Prediction) -> None:
    mine = tuple(user(n << 12) for n in range(100_000))
    theirs = tuple(user(n << 12, W) for n in range(200_000, 300_000))
    findings = found(prediction, mine, theirs)
    assert len(findings) == 41
    assert short(findings)[-1] == ("from #41", "99960 more", "99960 more", Verdict.DIFFERS)


def test_a_fault_in_words() -> None:
    fault = replace(user(0x1000, X), symbol="main+0x12", protection=True)
    assert describe(fault) == "user execute 0x1000 (present) by 0x8048100 main+0x12: file read"
    assert describe(replace(as_seen(kernel(0x2000)), access=None)) == "kernel 0x2000"


def test_every_kind_has_its_rule() -> None:
    assert set(RULES_OF_KINDS) == set(FaultKind)
    assert set(RULES_OF_KINDS.values()) <= set(RULES)


def test_a_page_cache_that_no_one_saw_explains_the_faults_of_its_files(prediction: Prediction) -> None:
    mine, theirs = both(prediction, MINE, MINE[:4] + MINE[5:])
    (finding,) = compare_faults(mine, theirs)
    assert finding.verdict is Verdict.DIFFERS
    unseen = replace(mine, assumptions=(Assumption(UNSEEN, "none"),))
    assert [(f.verdict, f.rule) for f in compare_faults(unseen, theirs)][-1] == (
        Verdict.EXPLAINED,
        "fault.page-cache",
    )
    staged = replace(theirs, program=replace(theirs.program, path="/a", requested="a"))
    assert [f.verdict for f in compare_faults(unseen, staged)][-1] is Verdict.DIFFERS
    # Of an anonymous page the page cache knows nothing.
    (finding,) = compare_faults(
        replace(unseen, faults=MINE[1:]), replace(theirs, faults=both(prediction, MINE, MINE)[1].faults)
    )
    assert finding.verdict is Verdict.DIFFERS


def test_faults_that_were_predicted_to_wait_for_a_disk_explain_nothing(prediction: Prediction) -> None:
    mine, theirs = both(prediction, MINE, MINE[:4] + MINE[5:])

    def counting(major: int) -> tuple[Snapshot, ...]:
        return tuple(replace(snapshot, major_faults=major) for snapshot in mine.snapshots)

    waited = replace(theirs, snapshots=counting(3))
    assert list(compare_faults(mine, waited))[-1].verdict is Verdict.EXPLAINED
    (finding,) = compare_faults(replace(mine, snapshots=counting(3)), waited)
    assert finding.verdict is Verdict.DIFFERS


def test_a_file_cached_otherwise_than_was_told_explains_its_faults(prediction: Prediction) -> None:
    mine, theirs = both(prediction, MINE, MINE[:4] + MINE[5:])
    told = replace(mine, assumptions=(Assumption(told_of("/a"), "pages 0-15"),))

    def judged(prediction: Prediction, pages: str, of: str = "/a") -> tuple[Verdict, str | None]:
        seen = replace(theirs, large_folios=((of, pages),))
        finding = list(compare_faults(prediction, seen))[-1]
        return finding.verdict, finding.rule

    explained = Verdict.EXPLAINED, "fault.page-cache"
    assert judged(told, "0-7, 8-15") == judged(told, "none") == judged(mine, "0-15") == explained
    assert judged(told, "0-15")[0] is judged(mine, "none")[0] is Verdict.DIFFERS
    assert judged(mine, "0-15", "/other")[0] is Verdict.DIFFERS
