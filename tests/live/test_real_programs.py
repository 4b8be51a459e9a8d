"""Programs nobody here wrote, predicted to their end: docs/real-programs.md is held against the kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.observe.folios import folio_layout
from inspector.observe.perf.witness import record_faults
from inspector.observe.staging import prepare
from inspector.predict import predict
from tests.live import corpus
from tests.live.real_programs import EXACT, PAGE, Command, commands
from tests.live.whole_runs import differing_faults, disagreements

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile

pytestmark = pytest.mark.live

COMMANDS = commands()
ROOT = Path(__file__).parents[2]
CHANGE_THE_MACHINE = {"initramfs-init", "fgetty", "ngetty", "tini-static", "catatonit"}
"""Fine to lead to their first instruction, not to be let run without an argument that only asks."""
WHOLE = ("busybox sort Makefile", "busybox ls -l fixtures", "ldconfig -p", "integrit -V")
"""Run under gdb too, and compared in every aspect."""


@pytest.fixture
def foreign(command: Command, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the path of the command's program, and stand in the directory its arguments speak of."""
    found = {program.name: program for program in corpus.programs()}.get(command.program)
    if found is None:
        pytest.skip(f"{command.program} not fetched: run make corpus")
    monkeypatch.chdir(ROOT)
    return str(found.path)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.text)
def test_the_page_is_true(command: Command, foreign: str, profile: MachineProfile) -> None:
    with prepare(foreign, arguments=command.arguments, stdin=command.stdin) as program:
        prediction = predict(program, profile, folios=folio_layout)
        trace = record_faults(program, seconds=30)
    stop = prediction.not_modelled
    assert command.outcome == (EXACT if stop is None else stop.what), f"mend the line in {PAGE}"
    assert prediction.faults is not None
    assert trace.faults is not None, trace.notes
    found = differing_faults(prediction.faults, trace.faults, so_far=stop is not None)
    assert found == []
    if stop is None:
        assert str(prediction.ending) == str(trace.ending)


@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if command.text in WHOLE], ids=lambda command: command.text
)
def test_real_programs_agree_in_every_aspect(command: Command, foreign: str, profile: MachineProfile) -> None:
    with prepare(foreign, arguments=command.arguments, stdin=command.stdin) as program:
        assert disagreements(program, profile) == []


def test_the_page_lists_nothing_that_changes_the_machine() -> None:
    assert [each.text for each in COMMANDS if each.program in CHANGE_THE_MACHINE and not each.arguments] == []
    assert "initramfs-init" not in {each.program for each in COMMANDS}


def test_the_page_has_enough_to_tell() -> None:
    exact = [command for command in COMMANDS if command.outcome == EXACT]
    assert len(exact) > 50
    assert len({command.program for command in exact}) >= 10
    assert len({command.text for command in COMMANDS}) == len(COMMANDS)
    assert {command.text for command in COMMANDS} >= set(WHOLE)
