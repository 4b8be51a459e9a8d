"""What a lab takes for the truth, held against the bare witness and the prediction."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import inspector
from inspector.lab.evidence import RUN_PATH_BYTES, Evidence, Live
from inspector.lab.exercise import load_exercise
from inspector.lab.kinds.faults import FaultSequence
from inspector.lab.kinds.files import verdict_word
from inspector.lab.sheet import read_sheet
from inspector.model.fault import FaultMode
from inspector.observe.folios import folio_layout
from inspector.observe.staging import prepare
from inspector.predict import predict
from tests.lab_sheets import as_toml, truth_sheet, variant_of
from tests.live.launches import launch
from tests.live.looking import needs_root
from tests.live.stop_at_exec import witness_exec

if TYPE_CHECKING:
    from inspector.lab.exercise import Exercise
    from inspector.lab.grading import QuestionVerdict
    from inspector.lab.variant import Variant
    from inspector.model.prediction import Prediction
    from inspector.model.profile import MachineProfile

pytestmark = pytest.mark.live

STUDENTS = [f"student-{number}" for number in range(6)]


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return Evidence([Live()])


def graded(
    exercise: Exercise, variant: Variant, answers: dict[str, dict[str, str]], evidence: Evidence
) -> dict[str, QuestionVerdict]:
    from inspector.lab.assess import assess

    written = read_sheet("answers.toml", as_toml(answers).encode(), exercise)
    verdicts, notes = assess(exercise, variant, written, evidence)
    assert (notes, written.notes) == ([], ())
    return {verdict.id: verdict for verdict in verdicts}


def earns_everything(
    exercise: Exercise, variant: Variant, answers: dict[str, dict[str, str]], evidence: Evidence
) -> None:
    """Fail where a question that `answers` answers has not every mark."""
    verdicts = graded(exercise, variant, answers, evidence)
    assert [verdicts[name] for name in answers if not verdicts[name].is_full] == []


def drawn(name: str, student: str) -> tuple[Exercise, Variant]:
    exercise = load_exercise(name)
    return exercise, variant_of(exercise, student)


def file_of(variant: Variant, directory: Path, name: str = "prog") -> str:
    path = directory / name
    path.write_bytes(variant.files[name])
    path.chmod(0o755)
    return os.fspath(path)


@pytest.mark.parametrize("student", STUDENTS)
def test_maps_as_the_witness_reads_it_earns_everything(
    student: str, witness: Path, tmp_path: Path, evidence: Evidence
) -> None:
    exercise, variant = drawn("address-space", student)
    seen = witness_exec(witness, launch(file_of(variant, tmp_path)))
    lines = [
        f"{area.start:08x}-{area.end:08x} {area.perms} {area.offset:08x} 00:2a {area.inode:<40} {area.name}"
        for area in seen.areas
    ]
    answers = {"vmas": {"answer": "\n".join(lines)}}
    earns_everything(exercise, variant, answers, evidence)


@pytest.mark.parametrize("student", STUDENTS)
def test_verdicts_as_the_witness_sees_them_earn_everything(
    student: str, witness: Path, tmp_path: Path, evidence: Evidence
) -> None:
    exercise, variant = drawn("execve-verdict", student)
    verdicts = {
        name: witness_exec(witness, launch(file_of(variant, tmp_path, name))).verdict
        for name in variant.files
    }
    earns_everything(exercise, variant, {"verdicts": verdicts}, evidence)


def predicted(variant: Variant, directory: Path, profile: MachineProfile) -> Prediction:
    """Predict the program as a lab runs it, by a path of so many bytes."""
    with prepare(file_of(variant, directory), arguments=variant.arguments) as tried:
        missing = RUN_PATH_BYTES - len(tried.path)
    path = directory / f"prog{'-' * missing}"
    path.write_bytes(variant.files["prog"])
    path.chmod(0o755)
    with prepare(os.fspath(path), arguments=variant.arguments) as program:
        assert len(program.path) == RUN_PATH_BYTES
        return predict(program, profile, folios=folio_layout)


@needs_root
@pytest.mark.parametrize("student", STUDENTS)
def test_faults_as_they_are_predicted_earn_everything(
    student: str, profile: MachineProfile, tmp_path: Path, evidence: Evidence
) -> None:
    exercise, variant = drawn("first-page-fault", student)
    faults = predicted(variant, tmp_path, profile).faults or ()
    letters = {1: "read", 2: "write", 4: "execute"}
    of_user = [fault for fault in faults if fault.mode is FaultMode.USER]
    lines = [f"{fault.address:#x} {letters[fault.access.value]}" for fault in of_user if fault.access]
    pages = {variant.marks[name] for name in ("page-a", "page-b")}
    first = next((f"{fault.page:#x}" for fault in of_user if fault.page in pages), "neither")
    answers = {"order": {"first": first}, "faults": {"answer": "\n".join(lines)}}
    earns_everything(exercise, variant, answers, evidence)


@pytest.mark.parametrize("student", STUDENTS)
def test_resident_pages_as_they_are_predicted_earn_everything(
    student: str, profile: MachineProfile, tmp_path: Path, evidence: Evidence
) -> None:
    exercise, variant = drawn("resident-pages", student)
    prediction = predicted(variant, tmp_path, profile)
    snapshots = {each.checkpoint: each for each in prediction.snapshots}
    answers = {"tables": {"VmPTE": f"{snapshots['exec'].page_table_bytes}"}}
    for question, stop in (("at-exec", "exec"), ("at-exit", "exit")):
        special = [v.range for v in snapshots[stop].vmas or () if v.name.startswith("[v")]
        pages = [p.address for p in snapshots[stop].pages or () if not any(p.address in a for a in special)]
        answers[question] = {"answer": "\n".join(f"{page:#x}" for page in pages)}
    earns_everything(exercise, variant, answers, evidence)


@pytest.mark.parametrize("student", STUDENTS)
def test_illegal_accesses_as_they_are_predicted_earn_everything(
    student: str, profile: MachineProfile, tmp_path: Path, evidence: Evidence
) -> None:
    exercise, variant = drawn("illegal-access", student)
    ending = predicted(variant, tmp_path, profile).ending
    assert ending is not None
    answers = {"signal": str(ending.signal), "code": str(ending.code), "address": f"{ending.address:#x}"}
    earns_everything(exercise, variant, {"signal": answers}, evidence)


@pytest.mark.parametrize("student", STUDENTS)
def test_areas_at_exit_as_they_are_predicted_earn_everything(
    student: str, profile: MachineProfile, tmp_path: Path, evidence: Evidence
) -> None:
    exercise, variant = drawn("heap-and-stack", student)
    exit_ = predicted(variant, tmp_path, profile).snapshots[-1]
    heap = next(vma for vma in exit_.vmas or () if vma.name == "[heap]")
    answers = {
        "vmas": {"answer": "\n".join(map(str, exit_.vmas or ()))},
        "heap-pages": {"pages": str(heap.range.size_bytes // 4096)},
    }
    earns_everything(exercise, variant, answers, evidence)


def test_the_initial_stack_is_as_long_as_the_texts_say(evidence: Evidence) -> None:
    """Worked out from the lengths of strings alone, as a student would."""
    exercise = load_exercise("initial-stack")
    for student in STUDENTS:
        variant = variant_of(exercise, student)
        path = "/proc/self/fd/900"
        environment = ("PATH=/usr/bin:/bin", "LC_ALL=C", "GLIBC_TUNABLES=glibc.pthread.rseq=0")
        argv = (path, *variant.arguments)
        top = 0xFFFFE000 - 8
        execfn = top - len(path) - 1
        env = execfn - sum(len(each) + 1 for each in environment)
        arg = env - sum(len(each) + 1 for each in argv)
        answers = {
            "counts": {"argc": str(len(argv)), "AT_PAGESZ": "4096", "AT_PHENT": "32"},
            "strings": {
                "AT_EXECFN": f"{execfn:#x}",
                "envp[0]": f"{env:x}",
                "argv[0]": f"{arg:#x}",
                "argv[1]": str(arg + len(path) + 1),
            },
        }
        verdicts = graded(exercise, variant, answers, evidence)
        assert verdicts["strings"].is_full, verdicts["strings"]
        assert verdicts["counts"].earned == 3


def test_a_refused_file_and_a_killed_one_have_their_word() -> None:
    live = Live()
    exercise = load_exercise("loader")
    from inspector.lab.needs import Needs

    words = set()
    for student in STUDENTS:
        for contents in variant_of(exercise, student).hidden.values():
            verdict = live.observation(contents, (), Needs.EXEC).verdict
            assert verdict is not None
            words.add(verdict_word(verdict))
    assert words >= {"runs", "ENOEXEC"}


def test_a_sequence_is_of_user_mode_only(evidence: Evidence) -> None:
    exercise = load_exercise("first-page-fault")
    (question,) = (each for each in exercise.questions if isinstance(each, FaultSequence))
    truth = question.truth(variant_of(exercise, "alice"), evidence)
    assert truth.source == "this machine"
    assert truth.rows[0].cells[1] in ("execute", None)


@needs_root
@pytest.mark.parametrize("name", ["initial-stack", "resident-pages", "heap-and-stack", "illegal-access"])
def test_a_user_without_privileges_sees_the_same_truth(name: str, evidence: Evidence) -> None:
    """Another user's programs are staged elsewhere, and seen with fewer rights; the answers are the same."""
    closed = [path for path in Path(inspector.__file__).parents if not path.stat().st_mode & stat.S_IXOTH]
    if closed:
        pytest.skip(f"{closed[0]} keeps other users from the package")
    exercise = load_exercise(name)
    variant = variant_of(exercise, "alice")
    answers = truth_sheet(exercise, variant, evidence)
    graded(exercise, variant, answers, Evidence([Live()]))  # imports all that nobody may not read
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            verdicts = graded(exercise, variant, answers, Evidence([Live()]))
            os.write(writing, "".join(f"{each.id} {each.earned}\n" for each in verdicts.values()).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as stream:
        said = stream.read()
    assert os.waitpid(child, 0)[1] == 0
    assert said.splitlines() == [f"{question.id} {question.points}" for question in exercise.questions]
