"""The one boundary: errors become a line and an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from inspect import signature
from pathlib import Path
from typing import NoReturn

import click
import pytest

from inspector import cli
from inspector.cli import group, lab, run
from inspector.cli.interrupt import Interrupted
from inspector.errors import GdbTimeout, InspectorError, NotModelled, UnknownSymbol

COMMANDS = [*group.COMMANDS]


@pytest.fixture(autouse=True)
def _signals_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep pytest's own handlers."""
    monkeypatch.setattr(cli, "raise_interrupts", lambda: None)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Make `inspector rules` raise what the list holds."""
    errors: list[BaseException] = []

    def fail() -> NoReturn:
        raise errors[0]

    command = click.Command("rules", callback=fail)
    monkeypatch.setattr(group.Commands, "get_command", lambda *_: command)
    return errors


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UnknownSymbol("no symbol 'x'", help="name one"), 2, "inspector: no symbol 'x'\n  name one\n"),
        (GdbTimeout("gdb did not answer"), 3, "inspector: gdb did not answer\n"),
        (NotModelled("AVX"), 3, "inspector: not modelled: AVX\n"),
        (InspectorError("two\nlines \x1b[2J"), 3, "inspector: two\\nlines \\x1b[2J\n"),
        (Interrupted(2), 130, "inspector: interrupted\n"),
        (Interrupted(15), 143, "inspector: terminated\n"),
        (Interrupted(1), 129, "inspector: hung up\n"),
    ],
)
def test_an_error_is_a_line_and_an_exit_code(
    failing: list[BaseException],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    failing.append(error)
    assert run(["rules"]) == code
    assert capsys.readouterr() == ("", said)


def test_a_bug_is_one_line_that_names_a_file_with_the_traceback(
    failing: list[BaseException],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("INSPECTOR_DEBUG", raising=False)
    failing.append(KeyError("odd"))
    assert run(["rules"]) == 4
    message, help_line = capsys.readouterr().err.splitlines()
    assert message == "inspector: internal error: KeyError: 'odd'"
    report = Path(help_line.rpartition(" ")[2])
    assert report.parent == tmp_path
    assert "Traceback (most recent call last)" in report.read_text()


def test_a_bug_shows_its_traceback_when_asked(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSPECTOR_DEBUG", "1")
    failing.append(KeyError("odd"))
    assert run(["rules"]) == 4
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["chekc"],
        ["check"],
        ["check", "--nonsense", "x"],
        ["check", "--timeout", "0", "x"],
        ["check", "--timeout", "soon", "x"],
        ["check", "--jobs", "0", "x"],
        ["check", "--layout", "4gb", "x"],
        ["check", "--env", "NOEQUALS", "x"],
        ["check", "--env", "=value", "x"],
        ["check", "--stdin", "/nonexistent", "x"],
        ["check", "--stdin", "/", "x"],
        ["check", "--profile", "/nonexistent", "x"],
        ["predict", "--profile", "/etc/hostname", "x"],
        ["observe"],
        ["observe", "--pid", "1", "x"],
        ["observe", "--pid", "0"],
        ["compare", "/nonexistent", "/nonexistent"],
        ["compare", "/etc/hostname", "/etc/hostname"],
        ["rules", "vma.marge"],
    ],
    ids=" ".join,
)
def test_a_request_that_makes_no_sense_ends_with_2_and_a_way_out(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    message, help_line = err.splitlines()
    assert message.startswith("inspector: ")
    assert help_line.startswith("  ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "x", "-n"], "No such option '-n'"),
        (["predict", "x", "--lines=3"], "No such option '--lines'"),
        (["observe", "x", "some", "words"], "too many arguments: some words"),
    ],
)
def test_what_was_meant_for_the_program_is_said_to_follow_two_dashes(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(arguments) == 2
    said, help_line = capsys.readouterr().err.splitlines()
    assert said.startswith(f"inspector: {message}")
    see = f"see `inspector {arguments[0]} --help`"
    assert help_line == f"  what is meant for the program follows --; {see}"


@pytest.mark.parametrize(
    "arguments", [["rules", "--lang", "zh"], ["check", "x", "--lang=zh"], ["lab", "new", "x", "--lang", "zh"]]
)
def test_the_language_that_follows_the_command_is_told_its_place(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(arguments) == 2
    said, help_line = capsys.readouterr().err.splitlines()
    assert said.startswith("inspector: No such option '--lang'")
    assert help_line == "  it goes in front of the command: inspector --lang zh COMMAND"


@pytest.mark.parametrize(
    "arguments", [[], ["lab"], ["--help"], ["-h"], *([name, "--help"] for name in COMMANDS)]
)
def test_help_is_on_stdout_and_no_error(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run(arguments) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Usage: inspector")
    assert err == ""


@pytest.mark.parametrize("name", [*COMMANDS, *(f"lab {each}" for each in lab.COMMANDS)])
def test_every_command_has_an_example(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run([*name.split(" "), "--help"]) == 0
    said = capsys.readouterr().out
    assert f"\n  Example: inspector {name}" in said
    assert "\\b" not in said


def test_every_command_says_in_its_help_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    run([])
    listed = capsys.readouterr().out.partition("Commands:")[2].splitlines()
    described = {line.split()[0] for line in listed if len(line.split()) > 2 and line.startswith("  ")}
    assert described >= set(COMMANDS)


def test_a_rule_is_shown_whole_and_an_area_as_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "elf.padzero"]) == 0
    assert "fs/binfmt_elf.c:padzero()" in capsys.readouterr().out
    assert run(["rules", "stack"]) == 0
    shown = capsys.readouterr().out
    assert "stack.at-random" in shown
    assert "elf." not in shown


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", command],
        env=os.environ | {"PYTHON": sys.executable} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_reader_that_leaves_early_is_no_error() -> None:
    done = shell('{ "$PYTHON" -m inspector rules; echo "code $?" >&2; } | true')
    assert done.stderr == "code 141\n"


def test_a_full_disk_is_said_in_one_line() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    done = shell('"$PYTHON" -m inspector rules >/dev/full; echo $?')
    assert done.stdout == "3\n"
    assert done.stderr.startswith("inspector: stdout: No space left on device\n")


def test_closed_descriptors_are_no_obstacle() -> None:
    done = shell('"$PYTHON" -m inspector rules <&- >&- 2>/dev/null; echo $?')
    assert done.stdout == "0\n"


@pytest.mark.parametrize(
    ("encoding", "ellipsis"), [("utf-8", "\u2026".encode()), ("ascii", b"..."), ("latin-1", b"...")]
)
def test_a_terminal_without_utf8_gets_ascii(encoding: str, ellipsis: bytes) -> None:
    name = "/nonexistent/" + "x" * 80
    done = subprocess.run(
        [sys.executable, "-m", "inspector", "predict", name, name],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert ellipsis in done.stdout
    assert done.returncode == 0


def test_completion_knows_the_commands() -> None:
    done = shell(
        '"$PYTHON" -m inspector',
        _INSPECTOR_COMPLETE="bash_complete",
        COMP_WORDS="inspector pr",
        COMP_CWORD="1",
    )
    assert done.stdout.split() == ["plain,predict", "plain,profile"]


@pytest.mark.parametrize(
    ("options", "environment", "coloured"),
    [
        ((), {}, False),
        (("--color=always",), {}, True),
        (("--color=always",), {"NO_COLOR": "1"}, True),
        (("--color=never",), {}, False),
    ],
)
def test_colour_goes_where_it_is_asked_for(
    options: tuple[str, ...], environment: dict[str, str], coloured: bool
) -> None:
    command = [sys.executable, "-m", "inspector", "rules", "vma.merge", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | environment)
    assert ("\x1b[" in done.stdout) is coloured


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colour_unless_no_color_is_set(environment: dict[str, str], coloured: bool) -> None:
    plain = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "inspector", "rules", "vma.merge"]
    with subprocess.Popen(command, stdout=theirs, env=plain | {"TERM": "xterm"} | environment) as process:
        os.close(theirs)
        shown = os.read(ours, 1 << 16)
        process.wait()
    os.close(ours)
    assert (b"\x1b[1m" in shown) is coloured


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_takes_each_of_its_options_and_no_others(name: str) -> None:
    """Its function is called by the options' names; how to launch and what to show are an argument each."""
    command = group.inspector.get_command(click.Context(click.Command("inspector")), name)
    assert command is not None
    assert command.callback is not None
    options = {parameter.name for parameter in command.params if parameter.expose_value}
    taken = set(signature(command.callback).parameters)
    if "shown" in taken:
        options = options - {"json", "svg", "gaps", "pages", "verbose"} | {"shown"}
    if "how" in taken:
        options = options - {"env", "stdin", "layout", "aslr", "in_place"} | {"how"}
    assert options == taken
