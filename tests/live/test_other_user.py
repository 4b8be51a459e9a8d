"""Programs started by a user without any privilege, held against the bare-ptrace witness."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.errors import CannotObserve
from inspector.model.program import Credentials, Layout
from inspector.predict import predict
from tests.live.against_witness import mismatches
from tests.live.launches import executable, launch
from tests.live.odd_programs import CHOSEN, FIXED, INTERPRETERS, with_interpreter
from tests.live.stop_at_exec import witness_exec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inspector.model.prediction import Prediction
    from inspector.model.profile import MachineProfile

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
]

NOBODY = 65534


@pytest.fixture(scope="module")
def place(stage: Path) -> Path:
    """Return a directory that anyone may search."""
    stage.chmod(0o755)
    directory = stage / "anyone"
    directory.mkdir()
    for name, contents in INTERPRETERS.items():
        executable(directory / name, contents)
    return directory


@contextmanager
def as_nobody() -> Iterator[None]:
    """Open files with nobody's permissions, as the tool does when nobody runs it."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def judge(
    path: Path, witness: Path, profile: MachineProfile, layout: Layout = Layout.DEFAULT
) -> tuple[Prediction | None, list[str]]:
    """Return the prediction, None if the tool may not read the file, and where the kernel differs."""
    program = launch(path, layout=layout, cwd=path.parent)
    program = replace(program, credentials=Credentials(NOBODY, NOBODY, NOBODY, NOBODY))
    seen = witness_exec(witness, program, "--user", str(NOBODY))
    try:
        with as_nobody():
            prediction = predict(program, profile, until="exec")
    except CannotObserve as error:
        expected = seen.verdict == "runs" and "may be executed but not read" in str(error)
        return None, [] if expected else [f"{error}, but the kernel's verdict is {seen.verdict}"]
    return prediction, mismatches(prediction, seen)


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
@pytest.mark.parametrize("name", CHOSEN)
def test_odd_program(name: str, layout: Layout, place: Path, witness: Path, profile: MachineProfile) -> None:
    _, wrong = judge(executable(place / "program", CHOSEN[name].contents()), witness, profile, layout)
    assert not wrong


@pytest.mark.parametrize(
    ("pages", "verdict"), [(-1, "killed: SIGSEGV"), (0, "runs"), (1, "runs")], ids=["below", "at", "above"]
)
def test_the_lowest_address_a_program_may_have(
    pages: int, verdict: str, place: Path, witness: Path, profile: MachineProfile
) -> None:
    if not profile.mmap_min_addr:
        pytest.skip("vm.mmap_min_addr is 0: every address may be had")
    first = replace(FIXED.segments[0], vaddr=profile.mmap_min_addr + (pages << 12))
    elf = replace(FIXED, segments=(first, *FIXED.segments[1:]), entry=first.vaddr)
    prediction, wrong = judge(executable(place / "program", elf.contents()), witness, profile)
    assert prediction is not None
    assert str(prediction.verdict) == verdict
    assert not wrong


@pytest.mark.parametrize("owner", [0, NOBODY], ids=["root's", "their own"])
@pytest.mark.parametrize("group", [0, NOBODY], ids=["root's group", "their group"])
@pytest.mark.parametrize(
    "mode", [0o000, 0o100, 0o010, 0o001, 0o011, 0o070, 0o700, 0o711, 0o755, 0o666], ids=oct
)
def test_the_mode_of_the_program(
    mode: int, group: int, owner: int, place: Path, witness: Path, profile: MachineProfile
) -> None:
    path = executable(place / "program", FIXED.contents())
    os.chown(path, owner, group)
    path.chmod(mode)
    prediction, wrong = judge(path, witness, profile)
    assert not wrong
    with as_nobody():
        readable = os.access(path, os.R_OK, effective_ids=True)
    assert prediction is not None or not readable


@pytest.mark.parametrize("mode", [0o755, 0o711, 0o700, 0o644, 0o744], ids=oct)
def test_the_mode_of_a_directory(mode: int, place: Path, witness: Path, profile: MachineProfile) -> None:
    directory = place / f"directory-{mode:o}"
    directory.mkdir()
    path = executable(directory / "program", FIXED.contents())
    directory.chmod(mode)
    _, wrong = judge(path, witness, profile)
    assert not wrong


@pytest.mark.parametrize("mode", [0o755, 0o711, 0o700, 0o644], ids=oct)
def test_the_mode_of_the_interpreter(mode: int, place: Path, witness: Path, profile: MachineProfile) -> None:
    executable(place / "loader", INTERPRETERS["interp"]).chmod(mode)
    path = executable(place / "program", with_interpreter(FIXED, b"loader\0").contents())
    _, wrong = judge(path, witness, profile)
    assert not wrong


def test_a_directory_that_is_left_open_below_a_closed_one(
    place: Path, witness: Path, profile: MachineProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stands there reaches the program by a relative path, and by no other."""
    directory = place / "closed" / "open"
    directory.mkdir(parents=True)
    executable(directory / "program", FIXED.contents())
    monkeypatch.chdir(directory)
    directory.parent.chmod(0o700)
    for path, verdict in (("./program", "runs"), (directory / "program", "refused: EACCES")):
        program = replace(
            launch(path, cwd=directory), credentials=Credentials(NOBODY, NOBODY, NOBODY, NOBODY)
        )
        with as_nobody():
            prediction = predict(program, profile, until="exec")
        assert str(prediction.verdict) == verdict
        assert not mismatches(prediction, witness_exec(witness, program, "--user", str(NOBODY)))
