from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inspector.cli.batch import Presented, gravest, present_each, run_batch
from inspector.cli.output import Output
from inspector.errors import CannotObserve, NotModelled
from inspector.report.summary import Line, Standing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([], 0), ([0, 0], 0), ([0, 3], 3), ([3, 1, 0], 1), ([1, 4, 3], 4), ([3, 2], 2)],
)
def test_a_difference_outranks_what_could_not_be_judged(codes: list[int], expected: int) -> None:
    assert gravest(codes) == expected


def present(program: str) -> Presented:
    match program:
        case "unseen":
            raise CannotObserve("gdb is away", help="fetch it")
        case "unknown":
            raise NotModelled("MMIO")
        case "broken":
            raise KeyError(program)
        case "differs":
            return Presented(Line(program, Standing.DIFFERS, "1 difference"), 1, ("its report",), b'{"d":1}')
        case _:
            return Presented(Line(program, Standing.AGREES, "runs"), 0, (), b"{}")


def called(program: str) -> tuple[str, tuple[str, ...]]:
    return program, ()


def test_one_line_a_program_then_details_then_the_total(capsys: pytest.CaptureFixture[str]) -> None:
    programs = ("fine", "unseen", "differs", "unknown")
    assert run_batch(present, programs, Output(), jobs=2, called=called) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "✓ fine     runs",
        "? unseen   gdb is away; fetch it",
        "✗ differs  1 difference",
        "? unknown  not modelled: MMIO",
        "",
        "its report",
        "",
        "1 agree, 1 differ, 1 could not be observed, 1 not modelled",
    ]
    assert err == ""


def test_a_bug_met_by_one_program_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run_batch(present, ("broken", "fine"), Output(), jobs=1, called=called) == 4
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("✗ broken  internal error: KeyError: 'broken'; this is a bug")
    assert "✓ fine    runs" in lines
    assert lines[-1] == "1 agree, 0 differ, 0 could not be observed, 1 failed"


def test_json_on_stdout_is_one_object_a_line_in_order_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_batch(present, ("differs", "fine"), Output("-"), jobs=2, called=called) == 1
    assert capsys.readouterr().out == '{"d":1}\n{}\n'


def test_json_in_a_file_is_written_beside_the_tables(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "out.json"
    assert present_each(present, ("fine", "fine"), Output(str(file))) == 0
    assert file.read_text() == "{}\n{}\n"
    assert capsys.readouterr().out.splitlines()[0] == "✓ fine  runs"
