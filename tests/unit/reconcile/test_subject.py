"""Two documents that are not of one run: said first, and nothing else is compared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.model.address import VirtAddr
from inspector.model.finding import Verdict
from inspector.model.prediction import ExecVerdict, FileIdentity, Outcome
from inspector.model.profile import RandomBases
from inspector.model.program import Layout, Limits
from inspector.reconcile import reconcile
from tests.unit.reconcile.agreeing import HOST, seen, verdicts

if TYPE_CHECKING:
    from inspector.model.prediction import Prediction


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"path": "/other"}, "path"),
        ({"argv": ("/other",)}, "argv[0]"),
        ({"argv": ()}, "argv[0]"),
        ({"envp": ("A=1",)}, "envp[0] and 2 more"),
        ({"stdin": "/tmp/input"}, "stdin"),  # noqa: S108
        ({"layout": Layout.THREE_GB}, "layout"),
        ({"limits": Limits(stack=1 << 20)}, "stack limit"),
        ({"randomize": True}, "ASLR"),
    ],
)
def test_an_input_that_differs_is_all_there_is_to_say(
    prediction: Prediction, change: dict[str, object], where: str
) -> None:
    observation = seen(prediction)
    other = replace(observation, program=replace(observation.program, **change))  # type: ignore[arg-type]
    result = reconcile(prediction, other)
    assert [(f.aspect, f.where, f.verdict) for f in result.findings] == [("program", where, Verdict.DIFFERS)]
    assert result.exit_code == 1
    assert not result.of_one_run


def test_other_contents_under_the_same_path(prediction: Prediction) -> None:
    (file,) = prediction.files
    result = reconcile(prediction, replace(seen(prediction), files=(replace(file, sha256="0" * 64),)))
    assert [(f.where, f.predicted, f.observed) for f in result.findings] == [
        (f"contents of {file.path}", file.sha256, "0" * 64)
    ]
    assert result.exit_code == 1


def test_the_contents_of_the_input_are_compared_too(prediction: Prediction) -> None:
    given = FileIdentity("/tmp/input", (0, 5), 7, 3, "ab" * 32)  # noqa: S108
    reading = replace(prediction, files=(*prediction.files, given))
    alike = replace(seen(prediction), files=prediction.files, input=given)
    assert {finding.verdict for finding in reconcile(reading, alike).findings} == {Verdict.AGREES}
    other = reconcile(reading, replace(alike, input=replace(given, sha256="cd" * 32)))
    assert [finding.where for finding in other.differences] == ["contents of /tmp/input"]
    # A file more or less on one side does not set the input beside another file.
    library = replace(given, path="/lib/ld.so", sha256="ef" * 32)
    more = reconcile(replace(prediction, files=(*prediction.files, library, given)), alike)
    assert [(finding.where, finding.verdict) for finding in more.findings if finding.where] == [
        ("contents of /lib/ld.so", Verdict.UNOBSERVED)
    ]


def test_contents_that_no_one_saw_are_neither_pass_nor_failure(prediction: Prediction) -> None:
    result = reconcile(prediction, replace(seen(prediction), files=()))
    assert verdicts(result.findings)["program"] is Verdict.UNOBSERVED
    assert result.of_one_run
    assert result.exit_code == 0


def test_two_draws_of_aslr_are_two_runs(prediction: Prediction) -> None:
    bases = RandomBases(VirtAddr(1), VirtAddr(2), VirtAddr(3), VirtAddr(4), 5)
    drawn = replace(prediction, bases=bases)
    assert reconcile(drawn, replace(seen(drawn), bases=bases)).exit_code == 0
    other = replace(seen(drawn), bases=replace(bases, brk=VirtAddr(9)))
    assert [f.where for f in reconcile(drawn, other).differences] == ["random bases"]


def test_a_refusal_may_be_predicted_without_aslr(prediction: Prediction) -> None:
    refused = replace(prediction, verdict=ExecVerdict(Outcome.REFUSED, errno="ENOENT"), snapshots=())
    observation = replace(seen(refused), program=replace(refused.program, randomize=True))
    assert reconcile(refused, observation).exit_code == 0


def test_who_asked_and_from_where_does_not_matter(prediction: Prediction) -> None:
    observation = seen(prediction)
    program = replace(observation.program, requested="../program", cwd="/")
    assert reconcile(prediction, replace(observation, program=program)).exit_code == 0


def test_of_a_process_found_running_only_the_file_is_compared(prediction: Prediction) -> None:
    observation = seen(prediction)
    program = replace(observation.program, argv=("renamed",), envp=())
    live = replace(observation, program=program, verdict=None)
    assert reconcile(prediction, live).of_one_run
    other = replace(live, files=(replace(live.files[0], sha256="0" * 64),))
    assert not reconcile(prediction, other).of_one_run


def test_another_machine_is_named_and_excuses_nothing(prediction: Prediction) -> None:
    abroad = replace(seen(prediction), host=replace(HOST, kernel="5.4.0"))
    result = reconcile(prediction, abroad)
    assert verdicts(result.findings)["machine"] is Verdict.EXPLAINED
    assert result.exit_code == 0
    blind = reconcile(prediction, replace(abroad, snapshots=()))
    assert blind.exit_code == 3
    refused = replace(abroad, verdict=ExecVerdict(Outcome.REFUSED, errno="ENOEXEC"))
    assert reconcile(prediction, refused).exit_code == 1
