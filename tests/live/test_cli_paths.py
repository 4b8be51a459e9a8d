"""Any path at all, handed to the command: a verdict or a clear line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from inspector.model.document import parse_check
from tests.live.command_line import inspector, require_a_machine_that_can_check

pytestmark = pytest.mark.live


@pytest.fixture(scope="session", autouse=True)
def _machine_can_check() -> None:
    require_a_machine_that_can_check()


def odd_paths(directory: Path, program: Path) -> dict[str, str]:
    """Return paths of every kind, and the verdict's words."""
    (directory / "empty").touch(mode=0o755)
    (directory / "text").write_text("no program\n")
    (directory / "text").chmod(0o755)
    (directory / "not executable").write_bytes(program.read_bytes())
    (directory / "not executable").chmod(0o644)
    (directory / "truncated").write_bytes(program.read_bytes()[:60])
    (directory / "truncated").chmod(0o755)
    (directory / "a\nnewline \x1b[31m").write_bytes(program.read_bytes())
    (directory / "a\nnewline \x1b[31m").chmod(0o755)
    verdicts = {
        "": "ENOENT",
        "missing": "ENOENT",
        "empty/below": "ENOTDIR",
        ".": "EACCES",
        "empty": "ENOEXEC",
        "text": "ENOEXEC",
        "not executable": "EACCES",
        "truncated": "ENOEXEC",
        "x" * 300: "ENAMETOOLONG",
        "a\nnewline \x1b[31m": "runs",
    }
    return {f"{directory}/{name}" if name else "": verdict for name, verdict in verdicts.items()}


def test_any_path_gets_the_verdict_of_the_kernel(tmp_path: Path, program: Path) -> None:
    paths = odd_paths(tmp_path, program)
    done = inspector("check", "--json", "-", *paths)
    checks = [parse_check(line.encode("utf-8", "surrogateescape")) for line in done.stdout.splitlines()]
    assert [str(check.prediction.verdict).rpartition(" ")[2] for check in checks] == list(paths.values())
    assert [check.exit_code for check in checks] == [0] * len(paths)
    assert done.returncode == 0
    assert done.stderr == ""


def test_a_fifo_gets_its_verdict_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o755)
    done = inspector("check", tmp_path / "fifo", seconds=20)
    assert done.returncode == 0
    assert "refused: EACCES, predicted and observed" in done.stdout


def test_what_a_path_holds_never_reaches_the_terminal_raw(tmp_path: Path, program: Path) -> None:
    paths = odd_paths(tmp_path, program)
    done = inspector("check", "--verbose", *paths)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert f"{len(paths)} agree ({len(paths) - 1} do not run), 0 differ" in done.stdout


def test_what_was_not_meant_gets_a_hint_beside_its_verdict(tmp_path: Path, program: Path) -> None:
    source = tmp_path / "program.c"
    source.write_text("int main(void) { return 7; }\n")
    done = inspector("check", source)
    assert (done.returncode, done.stderr) == (0, "")
    assert "prediction and kernel agree that it does not run" in " ".join(done.stdout.split())
    assert "hint           C source: compile it with gcc -m32 -static" in done.stdout
    for command in ("check", "predict", "observe"):
        done = inspector(command, tmp_path / "progam")
        assert done.returncode == 0
        assert f"is the path right? In its folder: {program.name}" in " ".join(done.stdout.split())


def test_words_after_a_program_are_said_to_be_arguments_if_they_follow_two_dashes(program: Path) -> None:
    for command, code in (("check", 0), ("predict", 0)):
        done = inspector(command, program, "some", "words")
        assert done.returncode == code
        hint = f"arguments for the program follow --, as in: {program} -- some words"
        assert hint in " ".join(done.stdout.split())
        assert "follow --" not in inspector(command, program, program, "--", "some").stdout


def test_a_64_bit_program_is_named_as_not_modelled() -> None:
    done = inspector("check", sys.executable)
    assert done.returncode == 3
    assert "not modelled: 64-bit program" in done.stdout
    lines = {" ".join(line.split()) for line in done.stdout.splitlines()}
    assert "· not predicted a 64-bit program's registers, stack and auxiliary vector" in lines
    assert inspector("predict", sys.executable).returncode == 3


@pytest.mark.parametrize("verb", ["check", "predict", "observe"])
def test_a_symbol_that_is_not_there_is_said_of_the_file_the_user_named(verb: str, program: Path) -> None:
    for path, lacks in ((sys.executable, "has no symbol 'nosuch'"), (program, "has no symbols at all")):
        done = inspector(verb, "--until", "nosuch", path)
        assert done.returncode == 2
        assert done.stderr.splitlines()[0] == f"inspector: {Path(path).name} {lacks}"


def test_a_list_says_by_which_rule_a_program_is_refused(tmp_path: Path) -> None:
    done = inspector("check", tmp_path / "missing", tmp_path)
    said = " ".join(done.stdout.split())
    assert "does not run (refused: ENOENT) by exec.path: The path does not lead to a file." in said
    assert "does not run (refused: EACCES) by exec.not-regular:" in said


def test_the_bases_of_a_64_bit_program_are_not_known() -> None:
    done = inspector("check", "--aslr", "--until", "exec", sys.executable)
    assert done.returncode == 3
    assert "not modelled: the random bases of ASLR" in done.stdout


def test_a_fifo_is_no_document(tmp_path: Path, program: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    prediction = tmp_path / "prediction.json"
    assert inspector("predict", "--json", prediction, program).returncode == 0
    done = inspector("compare", tmp_path / "fifo", prediction, seconds=20)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        f"inspector: {tmp_path}/fifo: not a regular file",
    )
