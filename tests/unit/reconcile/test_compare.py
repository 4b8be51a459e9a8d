from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.model.address import AddressRange, FileOffset, VirtAddr, vpn_of
from inspector.model.ending import Ending
from inspector.model.finding import Verdict
from inspector.model.page import PageKind, PageState
from inspector.model.prediction import ExecVerdict, NotModelledAt, Outcome
from inspector.model.snapshot import Snapshot, StackImage, Unpredictable
from inspector.model.vma import SHMEM_DEVICE, Access, FileBacking, Sharing, Vma
from inspector.reconcile import Reconciliation, reconcile
from inspector.report.check import check_document
from inspector.report.document import Mark
from inspector.report.summary import Line, Standing, checked_line
from tests.unit.reconcile.agreeing import seen, verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction


def differing(result: Reconciliation) -> list[tuple[str, str, str, str]]:
    return [(f.aspect, f.where, f.predicted, f.observed) for f in result.differences]


def test_equal_evidence_agrees_in_every_aspect(prediction: Prediction) -> None:
    result = reconcile(prediction, seen(prediction))
    assert {finding.verdict for finding in result.findings} == {Verdict.AGREES}
    assert [finding.aspect for finding in result.findings] == [
        "verdict", "VMAs", "registers", "stack bytes", "auxv", "pages", "frames",
        "minor faults", "major faults", "page tables", "brk",
    ]  # fmt: skip
    assert result.exit_code == 0


def test_every_difference_is_collected_with_its_place_and_both_values(prediction: Prediction) -> None:
    def change(snapshot: Snapshot) -> Snapshot:
        assert snapshot.vmas is not None
        assert snapshot.registers is not None
        assert snapshot.minor_faults is not None
        text = snapshot.vmas[0]
        longer = replace(text, range=AddressRange(text.start, VirtAddr(text.end + 4096)))
        return replace(
            snapshot,
            vmas=(longer, *snapshot.vmas[1:-1]),
            registers=replace(snapshot.registers, eax=7),
            minor_faults=snapshot.minor_faults + 1,
            page_table_bytes=0,
            pages=(*(snapshot.pages or ()), PageState(vpn_of(0xFFFFE000), PageKind.ZERO)),
        )

    result = reconcile(prediction, seen(prediction, change))
    assert [entry[:2] for entry in differing(result)] == [
        ("VMAs", "0x8048000 end"),
        ("VMAs", "0xfffdd000"),
        ("registers", "eax"),
        ("pages", "0xffffe000"),
        ("minor faults", ""),
        ("page tables", ""),
    ]
    assert ("registers", "eax", "0x0", "0x7") in differing(result)
    assert result.exit_code == 1


def test_a_byte_of_the_stack_is_found_and_random_ones_are_not(prediction: Prediction) -> None:
    def change(snapshot: Snapshot) -> Snapshot:
        assert snapshot.stack is not None
        (random,) = snapshot.stack.unpredictable
        contents = bytearray(snapshot.stack.contents)
        offset = random.start - snapshot.stack.sp
        contents[offset : offset + 16] = bytes(range(16))
        contents[0] ^= 0xFF
        return replace(snapshot, stack=StackImage(snapshot.stack.sp, bytes(contents)))

    (difference,) = reconcile(prediction, seen(prediction, change)).differences
    assert (difference.aspect, difference.predicted, difference.observed) == ("stack bytes", "01", "fe")


def test_what_could_not_be_seen_is_neither_pass_nor_failure(prediction: Prediction) -> None:
    blind = seen(prediction, lambda s: Snapshot(s.checkpoint, vmas=s.vmas))
    result = reconcile(prediction, blind)
    assert verdicts(result.findings)["pages"] is Verdict.UNOBSERVED
    assert verdicts(result.findings)["VMAs"] is Verdict.AGREES
    assert result.exit_code == 0


def test_a_later_stop_is_marked_not_predicted(prediction: Prediction) -> None:
    observation = seen(prediction)
    later = replace(observation, snapshots=(*observation.snapshots, Snapshot("main", vmas=())))
    result = reconcile(prediction, later)
    assert result.findings[-1].verdict is Verdict.NOT_PREDICTED
    assert result.exit_code == 0


def test_another_copy_of_the_same_file_is_explained(prediction: Prediction) -> None:
    def moved(snapshot: Snapshot) -> Snapshot:
        vmas = [
            replace(vma, backing=replace(vma.backing, path="/elsewhere", inode=5))
            if isinstance(vma.backing, FileBacking)
            else vma
            for vma in snapshot.vmas or ()
        ]
        return replace(snapshot, vmas=tuple(vmas))

    observation = seen(prediction, moved)
    strangers = reconcile(prediction, observation)
    assert strangers.exit_code == 1
    copies = replace(observation, files=(replace(prediction.files[0], path="/elsewhere", inode=5),))
    result = reconcile(prediction, copies)
    assert result.exit_code == 0
    assert {f.rule for f in result.findings if f.verdict is Verdict.EXPLAINED} == {"observe.staged-copy"}


@pytest.mark.parametrize(
    ("inodes", "verdict"),
    [((901, 902), Verdict.EXPLAINED), ((901, 901), Verdict.DIFFERS), ((902, 901), Verdict.EXPLAINED)],
)
def test_inodes_of_shared_memory_are_compared_as_one_or_another(
    prediction: Prediction, inodes: tuple[int, int], verdict: Verdict
) -> None:
    def sharing(numbers: tuple[int, int]) -> Callable[[Snapshot], Snapshot]:
        areas = tuple(
            Vma(
                AddressRange(VirtAddr(start), VirtAddr(start + 0x1000)),
                Access.READ,
                Sharing.SHARED,
                FileBacking("/memfd:f (deleted)", SHMEM_DEVICE, number, FileOffset(0)),
            )
            for start, number in zip((0x1000, 0x3000), numbers, strict=True)
        )
        return lambda snapshot: replace(snapshot, vmas=(*areas, *(snapshot.vmas or ())))

    mine = replace(prediction, snapshots=tuple(map(sharing((1, 2)), prediction.snapshots)))
    result = reconcile(mine, seen(prediction, sharing(inodes)))
    found = [each for each in result.findings if each.where.endswith(" inode")]
    assert {(each.verdict, each.rule) for each in found} == {
        (verdict, "vma.shared-inode" if verdict is Verdict.EXPLAINED else None)
    }


def test_a_first_read_may_turn_minor_into_major(prediction: Prediction) -> None:
    def slower(snapshot: Snapshot) -> Snapshot:
        assert snapshot.minor_faults
        return replace(snapshot, minor_faults=snapshot.minor_faults - 1, major_faults=1)

    result = reconcile(prediction, seen(prediction, slower))
    assert result.exit_code == 0
    assert verdicts(result.findings)["major faults"] is Verdict.EXPLAINED


def test_a_staged_program_is_in_memory_and_reads_no_disk(prediction: Prediction) -> None:
    staged = replace(prediction, program=replace(prediction.program, requested="program"))

    def slower(snapshot: Snapshot) -> Snapshot:
        assert snapshot.minor_faults
        return replace(snapshot, minor_faults=snapshot.minor_faults - 1, major_faults=1)

    result = reconcile(staged, seen(staged, slower))
    assert [entry[0] for entry in differing(result)] == ["minor faults", "major faults"]
    interpreted = replace(staged, files=(*staged.files, replace(staged.files[0], path="/lib/ld.so")))
    assert not reconcile(interpreted, seen(interpreted, slower)).differences


def with_a_major_fault_more(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, major_faults=1)


def test_faults_of_execve_that_are_more_in_all_are_not_explained(prediction: Prediction) -> None:
    result = reconcile(prediction, seen(prediction, with_a_major_fault_more))
    assert [entry[0] for entry in differing(result)] == ["major faults"]
    assert [each.rule for each in result.differences] == [None]


def test_what_is_not_in_the_cache_is_not_mapped_around_either(prediction: Prediction) -> None:
    (at_exec,) = prediction.snapshots
    at_main = replace(prediction, snapshots=(replace(at_exec, checkpoint="main"),))
    assert not reconcile(at_main, seen(at_main, with_a_major_fault_more)).differences

    def more_minor_faults(snapshot: Snapshot) -> Snapshot:
        assert snapshot.minor_faults
        return replace(snapshot, minor_faults=snapshot.minor_faults + 1)

    result = reconcile(at_main, seen(at_main, more_minor_faults))
    assert [entry[0] for entry in differing(result)] == ["minor faults"]


def test_verdicts_are_compared_before_anything_else(prediction: Prediction) -> None:
    refused = replace(seen(prediction), verdict=ExecVerdict(Outcome.REFUSED, errno="ENOEXEC"), snapshots=())
    result = reconcile(prediction, refused)
    assert differing(result)[0] == ("verdict", "", "runs", "refused: ENOEXEC")


def test_nothing_predicted_is_exit_3(prediction: Prediction) -> None:
    result = reconcile(replace(prediction, verdict=None, snapshots=()), seen(prediction))
    assert result.exit_code == 3


def test_a_prediction_that_ended_on_the_way_is_no_agreement(prediction: Prediction) -> None:
    ended = replace(prediction, not_modelled=NotModelledAt("instruction f2xm1", VirtAddr(0x8048123)))
    result = reconcile(ended, seen(ended))
    assert (result.exit_code, result.uncompared, result.differences) == (3, (), ())
    said = "they agree as far as predicted, then not modelled: instruction f2xm1, at 0x8048123"
    document = check_document(result)
    assert (document.mark, document.title.partition(": ")[2]) == (Mark.UNKNOWN, said)
    assert checked_line(result) == Line(ended.program.requested, Standing.NOT_MODELLED, said)


def test_a_predicted_stop_that_no_one_saw_is_exit_3(prediction: Prediction) -> None:
    result = reconcile(prediction, replace(seen(prediction), snapshots=()))
    assert result.exit_code == 3
    assert not result.differences


COLUMNS = (
    "registers", "vmas", "pages", "minor_faults", "major_faults", "page_table_bytes", "auxv", "stack", "brk",
)  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_that_only_one_wing_knows_never_agrees(prediction: Prediction, column: str) -> None:
    def without(snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, **{column: None})  # type: ignore[arg-type]

    def aspects(result: Reconciliation, verdict: Verdict) -> list[str]:
        return [finding.aspect for finding in result.findings if finding.verdict is verdict]

    whole = reconcile(prediction, seen(prediction))
    unseen = reconcile(prediction, seen(prediction, without))
    lesser = replace(prediction, snapshots=tuple(map(without, prediction.snapshots)))
    unpredicted = reconcile(lesser, seen(prediction))
    (missing,) = aspects(unseen, Verdict.UNOBSERVED)
    assert aspects(unpredicted, Verdict.NOT_PREDICTED) == [missing]
    others = [aspect for aspect in aspects(whole, Verdict.AGREES) if aspect != missing]
    for result in (unseen, unpredicted):
        assert aspects(result, Verdict.AGREES) == others
        assert result.exit_code == 0


def test_a_checkpoint_at_which_nothing_could_be_compared_is_exit_3(prediction: Prediction) -> None:
    empty = Snapshot("exec")
    blind = reconcile(prediction, seen(prediction, lambda _: empty))
    mute = reconcile(replace(prediction, snapshots=(empty,)), seen(prediction))
    both = reconcile(replace(prediction, snapshots=(empty,)), seen(prediction, lambda _: empty))
    for result in (blind, mute, both):
        assert (result.exit_code, result.uncompared, result.differences) == (3, ("exec",), ())


def test_that_a_program_runs_is_no_agreement_by_itself(prediction: Prediction) -> None:
    result = reconcile(replace(prediction, snapshots=()), seen(prediction))
    assert (result.exit_code, result.uncompared) == (3, ("exec",))


def test_an_agreed_refusal_needs_no_snapshot(prediction: Prediction) -> None:
    refused = replace(prediction, verdict=ExecVerdict(Outcome.REFUSED, errno="ENOEXEC"), snapshots=())
    assert reconcile(refused, seen(refused)).exit_code == 0
    unknown = reconcile(refused, replace(seen(refused), verdict=None))
    assert (unknown.exit_code, unknown.uncompared) == (3, ("execve",))


def test_flags_that_one_wing_could_not_see_are_named_once(prediction: Prediction) -> None:
    def flagless(snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, vmas=tuple(replace(vma, flags=None) for vma in snapshot.vmas or ()))

    count = str(len(prediction.snapshots[0].vmas or ()))
    result = reconcile(prediction, seen(prediction, flagless))
    assert verdicts(result.findings)["VMAs"] is Verdict.AGREES
    assert [(f.predicted, f.verdict) for f in result.findings if f.aspect == "VMA flags"] == [
        (count, Verdict.UNOBSERVED)
    ]


def test_a_stack_of_which_nothing_can_be_predicted_does_not_agree(prediction: Prediction) -> None:
    (exec_,) = prediction.snapshots
    assert exec_.stack is not None
    everything = Unpredictable(exec_.stack.sp, len(exec_.stack.contents), "stack.at-random")
    hollow = replace(exec_, stack=replace(exec_.stack, unpredictable=(everything,)))
    result = reconcile(replace(prediction, snapshots=(hollow,)), seen(prediction))
    assert verdicts(result.findings)["stack bytes"] is Verdict.NOT_PREDICTED


def test_a_repeated_stop_hides_no_other(prediction: Prediction) -> None:
    (exec_,) = prediction.snapshots
    main = replace(exec_, checkpoint="main", stack=None)
    wrong = replace(main, page_table_bytes=0)
    twice = replace(prediction, snapshots=(exec_, main, main))
    observation = replace(seen(prediction), snapshots=(exec_, wrong, main))
    result = reconcile(twice, observation)
    assert [finding.checkpoint for finding in result.differences] == ["main"]
    result = reconcile(twice, replace(observation, snapshots=(exec_, main, wrong)))
    assert [finding.checkpoint for finding in result.differences] == ["main#2"]
    result = reconcile(twice, replace(observation, snapshots=(exec_, main)))
    assert (result.exit_code, result.uncompared) == (3, ("main#2",))


def aimed_at(prediction: Prediction, *, reached: bool, **changes: object) -> Observation:
    """Return an observation to the end that was to stop at `main`, too."""
    exec_ = prediction.snapshots[0]
    snapshots = (exec_, replace(exec_, checkpoint="main", stack=None)) if reached else (exec_,)
    there: tuple[str, ...] = () if reached else ("main",)
    whole = replace(seen(prediction), snapshots=snapshots, unreached=there, ending=Ending(status=0))
    return replace(whole, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("foreseen", [True, False])
def test_a_stop_that_was_never_reached_is_no_agreement(prediction: Prediction, foreseen: bool) -> None:
    whole = replace(prediction, ending=Ending(status=0), unreached=("main",) if foreseen else ())
    result = reconcile(whole, aimed_at(prediction, reached=False))
    assert (result.exit_code, result.uncompared, result.differences) == (3, ("main",), ())
    (finding,) = (finding for finding in result.findings if finding.checkpoint == "main")
    said = "never reached" if foreseen else ""
    assert (finding.predicted, finding.observed, finding.verdict) == (
        said,
        "never reached",
        Verdict.UNOBSERVED,
    )
    document = check_document(result)
    sentence = "they agree, but main was never reached"
    assert (document.mark, document.title.partition(": ")[2]) == (Mark.UNKNOWN, sentence)
    assert checked_line(result) == Line(whole.program.requested, Standing.UNOBSERVED, sentence)


def test_a_stop_that_only_one_side_came_to_is_a_difference(prediction: Prediction) -> None:
    (exec_,) = prediction.snapshots
    at_main = replace(exec_, checkpoint="main", stack=None)
    there = replace(prediction, snapshots=(exec_, at_main), ending=Ending(status=0))
    result = reconcile(there, aimed_at(prediction, reached=False))
    assert differing(result) == [("stop", "", "reached", "never reached")]
    elsewhere = replace(prediction, unreached=("main",), ending=Ending(status=0))
    result = reconcile(elsewhere, aimed_at(prediction, reached=True))
    assert differing(result) == [("stop", "", "never reached", "reached")]


def test_a_stop_that_a_run_had_no_time_for_is_no_difference(prediction: Prediction) -> None:
    (exec_,) = prediction.snapshots
    there = replace(prediction, snapshots=(exec_, replace(exec_, checkpoint="main")))
    hasty = aimed_at(prediction, reached=False, ending=None, cut_short="no time")
    result = reconcile(there, hasty)
    assert (result.exit_code, result.differences) == (3, ())


SEGFAULT = Ending(signal="SIGSEGV", code=1, address=VirtAddr(0))


@pytest.mark.parametrize(
    ("predicted", "observed", "verdict"),
    [
        (None, SEGFAULT, None),
        (SEGFAULT, None, Verdict.UNOBSERVED),
        (SEGFAULT, SEGFAULT, Verdict.AGREES),
        (SEGFAULT, Ending(signal="SIGSEGV"), Verdict.AGREES),
        (SEGFAULT, replace(SEGFAULT, code=2), Verdict.DIFFERS),
        (SEGFAULT, replace(SEGFAULT, address=VirtAddr(4)), Verdict.DIFFERS),
        (SEGFAULT, replace(SEGFAULT, signal="SIGBUS"), Verdict.DIFFERS),
        (Ending(status=0), Ending(status=0), Verdict.AGREES),
        (Ending(status=0), Ending(status=1), Verdict.DIFFERS),
    ],
)
def test_an_ending(
    prediction: Prediction, predicted: Ending | None, observed: Ending | None, verdict: Verdict | None
) -> None:
    result = reconcile(replace(prediction, ending=predicted), replace(seen(prediction), ending=observed))
    assert verdicts(result.findings).get("ending") is verdict
    assert result.exit_code == (1 if verdict is Verdict.DIFFERS else 0)


def test_the_ending_of_each_forked_process_is_compared(prediction: Prediction) -> None:
    ended = replace(
        prediction,
        ending=Ending(status=0),
        children=(Ending(status=1), Ending(signal="SIGSEGV", code=1, address=VirtAddr(0)), Ending(status=3)),
    )
    observation = replace(
        seen(ended), ending=Ending(status=0), children=(Ending(status=2), Ending(signal="SIGSEGV"), None)
    )
    findings = reconcile(ended, observation).findings
    assert [(f.where, f.verdict) for f in findings if f.aspect == "ending"] == [
        ("", Verdict.AGREES),
        ("process 1", Verdict.DIFFERS),
        ("process 2", Verdict.AGREES),
        ("process 3", Verdict.UNOBSERVED),
    ]
