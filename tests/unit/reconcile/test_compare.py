from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.model.address import AddressRange, VirtAddr, vpn_of
from inspector.model.finding import Verdict
from inspector.model.observation import Host, Observation
from inspector.model.page import PageKind, PageState
from inspector.model.prediction import ExecVerdict, Outcome
from inspector.model.snapshot import Snapshot, StackImage
from inspector.model.vma import FileBacking
from inspector.predict import predict
from inspector.reconcile import Reconciliation, reconcile
from tests.elfwriter import Elf
from tests.machines import PROFILE, write_program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inspector.model.finding import Finding
    from inspector.model.prediction import Prediction

HOST = Host("6.18.0-test", "x86_64", "13.1", 0, sees_pfn=True)


@pytest.fixture
def prediction(tmp_path: Path) -> Prediction:
    return predict(write_program(tmp_path, Elf().build()), PROFILE)


def seen(prediction: Prediction, change: Callable[[Snapshot], Snapshot] = lambda s: s) -> Observation:
    """Return the observation that agrees with `prediction`, but for `change`."""
    return Observation(
        program=prediction.program,
        host=HOST,
        verdict=replace(prediction.verdict, rule=None) if prediction.verdict else None,
        files=prediction.files,
        snapshots=tuple(change(snapshot) for snapshot in prediction.snapshots),
    )


def differing(result: Reconciliation) -> list[tuple[str, str, str, str]]:
    return [(f.aspect, f.where, f.predicted, f.observed) for f in result.differences]


def test_equal_evidence_agrees_in_every_aspect(prediction: Prediction) -> None:
    result = reconcile(prediction, seen(prediction))
    assert {finding.verdict for finding in result.findings} == {Verdict.AGREES}
    assert [finding.aspect for finding in result.findings] == [
        "verdict", "VMAs", "registers", "stack bytes", "auxv", "pages",
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


def verdicts(findings: tuple[Finding, ...]) -> dict[str, Verdict]:
    return {finding.aspect: finding.verdict for finding in findings}


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


def test_a_first_read_may_turn_minor_into_major(prediction: Prediction) -> None:
    def slower(snapshot: Snapshot) -> Snapshot:
        assert snapshot.minor_faults
        return replace(snapshot, minor_faults=snapshot.minor_faults - 1, major_faults=1)

    result = reconcile(prediction, seen(prediction, slower))
    assert result.exit_code == 0
    assert verdicts(result.findings)["major faults"] is Verdict.EXPLAINED


def test_verdicts_are_compared_before_anything_else(prediction: Prediction) -> None:
    refused = replace(seen(prediction), verdict=ExecVerdict(Outcome.REFUSED, errno="ENOEXEC"), snapshots=())
    result = reconcile(prediction, refused)
    assert differing(result)[0] == ("verdict", "", "runs", "refused: ENOEXEC")


def test_nothing_predicted_is_exit_3(prediction: Prediction) -> None:
    result = reconcile(replace(prediction, verdict=None, snapshots=()), seen(prediction))
    assert result.exit_code == 3


def test_a_predicted_stop_that_no_one_saw_is_exit_3(prediction: Prediction) -> None:
    result = reconcile(prediction, replace(seen(prediction), snapshots=()))
    assert result.exit_code == 3
    assert not result.differences
