"""What the evidence tells, and what it does not: then a question could not be judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from inspector.errors import CannotObserve
from inspector.lab.assess import assess
from inspector.lab.evidence import Evidence
from inspector.lab.exercise import load_exercise
from inspector.lab.kinds.base import MOST_ROWS
from inspector.lab.needs import Needs, NotTold
from inspector.lab.result import result_of
from inspector.lab.sheet import Written
from inspector.lab.table import Answer
from inspector.model.address import VirtAddr
from inspector.model.document import parse_observation
from inspector.model.fault import Fault, FaultMode
from inspector.model.observation import Observation, Perturbation
from inspector.model.vma import Access
from tests.lab_sheets import variant_of
from tests.unit.model.real_documents import OBSERVATION

if TYPE_CHECKING:
    from inspector.lab.kinds import Loader
    from inspector.lab.variant import Variant

SEEN = parse_observation(OBSERVATION)
FAULT = Fault(0, FaultMode.USER, VirtAddr(0x8048123), Access.EXECUTE, False, VirtAddr(0x8048123))


@dataclass
class Told:
    """A source that tells one thing, whatever it is asked."""

    observation_: Observation | None
    name: str = "a source"

    def observation(self, contents: bytes, arguments: tuple[str, ...], needs: Needs) -> Observation:
        del contents, arguments, needs
        if self.observation_ is None:
            raise CannotObserve("it is broken")
        return self.observation_


def earned(exercise: str, question: str, observation: Observation | None) -> tuple[bool, str]:
    """Return whether a question was judged, and the note; everything is answered by nothing."""
    lab = load_exercise(exercise)
    verdicts, _ = assess(lab, variant_of(lab, "alice"), Written(), Evidence([Told(observation)]))
    (verdict,) = (each for each in verdicts if each.id == question)
    return verdict.earned is not None, verdict.note


def test_the_first_source_that_can_tell_is_asked() -> None:
    sources = [Told(None, "this machine"), Told(SEEN, "a recording"), Told(None, "another")]
    assert Evidence(sources).observe(b"", (), Needs.EXEC) == (SEEN, "a recording")
    with pytest.raises(NotTold, match="this machine: it is broken; another: it is broken"):
        Evidence([sources[0], sources[2]]).observe(b"", (), Needs.EXEC)
    with pytest.raises(NotTold, match="no source"):
        Evidence([]).observe(b"", (), Needs.EXEC)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"faults": None}, "the page faults were not recorded"),
        ({"faults": (FAULT,), "faults_lost": 1}, "some page faults were lost"),
        ({"faults": (FAULT,), "faults_complete": False}, "some page faults were lost"),
        ({"faults": (FAULT,) * (MOST_ROWS + 1)}, "1001 page faults are more than an answer may have"),
    ],
)
def test_faults_that_may_be_missing_are_no_truth(change: dict[str, object], note: str) -> None:
    assert earned("first-page-fault", "faults", replace(SEEN, **change)) == (False, note)  # type: ignore[arg-type]


def test_where_the_access_is_not_told_the_page_alone_counts() -> None:
    lab = load_exercise("first-page-fault")
    source = Told(replace(SEEN, faults=(replace(FAULT, access=None),), faults_lost=0, faults_complete=True))
    written = Written({"faults": {"answer": "0x8048000 write"}})
    verdicts, _ = assess(lab, variant_of(lab, "alice"), written, Evidence([source]))
    assert verdicts[1].earned == 15


def test_pages_that_gdb_has_touched_are_no_truth_and_areas_still_are() -> None:
    disturbed = replace(SEEN, perturbations=(Perturbation("exec", "gdb attach", (VirtAddr(0x8048000),)),))
    assert earned("resident-pages", "at-exec", disturbed) == (
        False,
        "gdb changed what is resident in the process",
    )
    assert earned("address-space", "vmas", disturbed) == (True, "no answer")


@pytest.mark.parametrize(
    ("exercise", "question"),
    [
        ("address-space", "vmas"),
        ("heap-and-stack", "vmas"),
        ("resident-pages", "at-exit"),
        ("initial-stack", "sp"),
        ("illegal-access", "signal"),
        ("execve-verdict", "verdicts"),
        ("loader", "loader"),
    ],
)
def test_a_broken_machine_costs_nothing(exercise: str, question: str) -> None:
    assert earned(exercise, question, None) == (False, "a source: it is broken")
    blind = replace(SEEN, snapshots=(), verdict=None, ending=None)
    assert not earned(exercise, question, blind)[0]


def test_of_hidden_files_nothing_is_told_that_the_loader_printed() -> None:
    """It is given the file: what it prints, as text or as numbers, could be what is in it."""
    lab = load_exercise("loader")
    variant = variant_of(lab, "alice")
    printed = "05ec2e70-05ec2e71 r--p 05ec2e72 05ec2e73:00 0 5ec2e7\nwhat 5ec2e7 is\n"
    as_json = '{"vmas": [{"start": "5ec2e7 is not a number"}]}'

    class Prints:
        def run(self, question: Loader, command: object, variant: Variant) -> tuple[Answer, list[str]]:
            del command
            names = [*variant.files, *variant.hidden]
            answers = [question.read_output(name, printed) for name in names[:-1]]
            answers.append(question.read_output(names[-1], as_json))
            rows = tuple(row for answer in answers for row in answer.rows)
            return Answer(rows, tuple(each for answer in answers for each in answer.unread)), []

    verdicts, _ = assess(lab, variant, Written(command=("x",)), Evidence([Told(SEEN)]), Prints())
    result = result_of(lab, verdicts, submission="alice", student="alice")
    (question,) = result.questions
    of_hidden = [row for row in question.rows if row.key.startswith("hidden-")]
    assert {row.mark for row in of_hidden} >= {"too much", "not readable", "missing"}
    assert "5ec2e7" not in "".join(map(repr, of_hidden))
    assert "5ec2e7" in "".join(repr(row) for row in question.rows if row.key.startswith("given-"))
