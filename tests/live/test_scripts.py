"""Scripts: what a `#!` line makes of an execve, held against the bare-ptrace witness, stack and all."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.model.document import parse_check
from inspector.model.ending import Ending
from inspector.model.prediction import ScriptChain
from inspector.model.program import BASE_ENVIRONMENT
from inspector.observe.launch import launch as start
from inspector.observe.tiny_elf import Assembler, link
from inspector.predict import predict
from inspector.predict.kernel.exec import execve
from inspector.predict.kernel.kernel import Kernel
from tests.live.against_witness import mismatches
from tests.live.launches import executable, launch
from tests.live.odd_programs import FIXED, MOVABLE, with_interpreter
from tests.live.stop_at_exec import witness_exec

if TYPE_CHECKING:
    from inspector.model.prediction import Prediction
    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program

pytestmark = pytest.mark.live

LINES = {
    "an argument": b"#!%s/fixed -x\n",
    "one argument, blanks and all": b"#! \t%s/fixed  a  b\t c \t\n",
    "nothing behind the name": b"#!%s/fixed",
    "blanks at the end of the file": b"#!%s/fixed ",
    "an argument at the end of the file": b"#!%s/fixed a  ",
    "a zero byte behind the name": b"#!%s/fixed\0 a\n",
    "a zero byte in the argument": b"#!%s/fixed a b\0c\n",
    "a zero byte behind blanks": b"#!%s/fixed \0c\n",
    "a position-independent program": b"#!%s/movable\n",
    "a program with an interpreter": b"#!%s/interpreted a\n",
    "by a relative path": b"#!fixed a\n",
    "by a relative path with a directory": b"#!../scripts/./fixed\n",
    "a cut argument": b"#!%s/fixed " + b"y" * 300 + b"\n",
    "blanks beyond what is read": b"#!%s/fixed -e " + b" " * 300 + b"z\n",
    "a script": b"#!%s/script z\n",
}
"""`%s` is the directory."""


@pytest.fixture(scope="module")
def place(stage: Path) -> Path:
    """Return a directory with interpreters for scripts."""
    directory = stage / "scripts"
    directory.mkdir()
    executable(directory / "fixed", FIXED.contents())
    executable(directory / "movable", MOVABLE.contents())
    loader = os.fsencode(directory / "movable") + b"\0"
    executable(directory / "interpreted", with_interpreter(FIXED, loader).contents())
    executable(directory / "script", b"#!%s/fixed\tfirst second\n" % os.fsencode(directory))
    return directory


def judge(program: Program, witness: Path, profile: MachineProfile) -> tuple[Prediction, list[str]]:
    prediction = predict(program, profile, until="exec")
    return prediction, mismatches(prediction, witness_exec(witness, program))


@pytest.mark.parametrize("name", LINES)
def test_a_line(name: str, place: Path, witness: Path, profile: MachineProfile) -> None:
    path = executable(place / "under-test", LINES[name].replace(b"%s", os.fsencode(place)))
    program = launch("./under-test", ("zero", "one", "two"), cwd=place)
    _, wrong = judge(program, witness, profile)
    assert not wrong, path.read_bytes()


def test_the_chain_of_interpreters_and_the_arguments_are_told(place: Path, profile: MachineProfile) -> None:
    executable(place / "under-test", b"#!%s/script z\n" % os.fsencode(place))
    prediction = predict(launch("./under-test", ("zero", "one"), cwd=place), profile, until="exec")
    assert prediction.script is not None
    script, fixed = f"{place}/script", f"{place}/fixed"
    assert prediction.script.interpreters == (script, fixed)
    assert prediction.script.argv == (fixed, "first second", script, "z", "./under-test", "one")
    assert [file.path for file in prediction.files] == [f"{place}/under-test", script, fixed]


@pytest.mark.parametrize("length", [0, 1, 20, 60, 4000, 9000, 100_000])
def test_what_is_left_of_a_long_argument_zero(
    length: int, place: Path, witness: Path, profile: MachineProfile
) -> None:
    executable(place / "under-test", b"#!fixed\n")
    program = launch("./under-test", ("a" * length, "one"), cwd=place)
    _, wrong = judge(program, witness, profile)
    assert not wrong


@pytest.mark.parametrize("arguments", [(), ("",), ("", "", "")])
def test_hardly_any_arguments(
    arguments: tuple[str, ...], place: Path, witness: Path, profile: MachineProfile
) -> None:
    executable(place / "under-test", b"#!fixed\n")
    _, wrong = judge(launch("./under-test", arguments, (), cwd=place), witness, profile)
    assert not wrong


@pytest.mark.parametrize("depth", range(1, 9))
def test_scripts_of_scripts(depth: int, place: Path, witness: Path, profile: MachineProfile) -> None:
    previous = place / "fixed"
    for number in range(depth):
        line = b"#!%s %d\n" % (os.fsencode(previous), number)
        previous = executable(place / f"depth-{number}", line)
    prediction, wrong = judge(launch(previous, cwd=place), witness, profile)
    assert not wrong
    expected = "exec.runs" if depth <= 5 else "script.nesting"
    assert prediction.verdict is not None
    assert prediction.verdict.rule == expected


WAYS = ("a script", "PT_INTERP", "execve itself")


def leading_to(target: str, by: str, place: Path) -> Program:
    """Return a program that makes execve look up `target`."""
    line = os.fsencode(target)
    script, dynamic = b"#!%s\n" % line, with_interpreter(FIXED, line + b"\0").contents()
    executable(place / "under-test", script if by == "a script" else dynamic)
    return launch(target if by == "execve itself" else "./under-test", cwd=place)


@pytest.mark.parametrize(
    "name",
    ["/proc/self/fd/%d", "/proc/thread-self/fd/%d", "/dev/fd/%d/", "/proc/./self/fd/%d/..", "link"],
)
@pytest.mark.parametrize("by", WAYS)
def test_a_descriptor_that_is_ours_alone(
    by: str, name: str, place: Path, witness: Path, profile: MachineProfile
) -> None:
    with (place / "fixed").open("rb") as ours:
        target = name.replace("%d", str(ours.fileno()))
        if target == "link":
            (place / "link").unlink(missing_ok=True)
            (place / "link").symlink_to(f"/dev/fd/{ours.fileno()}")
        prediction, wrong = judge(leading_to(target, by, place), witness, profile)
    assert not wrong
    assert prediction.verdict is not None
    assert prediction.verdict.errno == "ENOENT"


@pytest.mark.parametrize("target", ["/proc/self", "/proc/self/mem", "/proc/thread-self/fd", "/proc/self/no"])
@pytest.mark.parametrize("by", WAYS)
def test_what_is_of_one_kind_to_each_process(
    by: str, target: str, place: Path, witness: Path, profile: MachineProfile
) -> None:
    prediction, wrong = judge(leading_to(target, by, place), witness, profile)
    assert not wrong
    assert prediction.verdict is not None


@pytest.mark.parametrize(
    "target", ["/proc/self/exe", "/proc/thread-self/exe", "/dev/stdin", "/dev/fd/0", "/proc/self/cwd/fixed"]
)
@pytest.mark.parametrize("by", WAYS)
def test_a_path_that_leads_each_process_to_something_else(
    by: str, target: str, place: Path, profile: MachineProfile
) -> None:
    prediction = predict(leading_to(target, by, place), profile, until="exec")
    assert prediction.not_modelled is not None
    assert prediction.not_modelled.what == "a path that leads through /proc/self"
    assert prediction.verdict is None


def test_a_script_that_is_its_own_interpreter(place: Path, witness: Path, profile: MachineProfile) -> None:
    path = executable(place / "itself", b"#!itself\n")
    _, wrong = judge(launch(path, cwd=place), witness, profile)
    assert not wrong


@pytest.mark.parametrize("room", range(-40, 41, 8))
def test_the_strings_that_a_script_adds_may_be_too_many(
    room: int, place: Path, witness: Path, profile: MachineProfile
) -> None:
    """With a stack limit of less than 512 KiB there are 128 KiB for all strings and pointers to them."""
    path = executable(place / "under-test", b"#!fixed\n")
    added = len("fixed") + 1
    rest = (128 << 10) - 2 * len(f"{path}\0") - 2 * 8 - added - room
    program = launch(path, (str(path), "x" * (rest - 1)), (), cwd=place, stack_limit=256 << 10)
    _, wrong = judge(program, witness, profile)
    assert not wrong


def random_line(source: random.Random, place: bytes) -> bytes:
    """Return a file that begins as a script does, more or less."""
    words = [b"fixed", b"script", place + b"/fixed", b"/no/such", b"a", b"-x", b"", b"y" * 250, b"."]
    blanks = [b" ", b"\t", b"  ", b"", b"\0", b" " * 240, b" \t "]
    line = b"#!" + source.choice(blanks)
    for _ in range(source.randrange(4)):
        line += source.choice(words) + source.choice(blanks)
    if source.random() < 0.3:
        line = line[: source.randrange(2, 260)].ljust(source.choice((0, 254, 255, 256, 257)), b" ")
    return line + source.choice((b"\n", b"", b"\r\n", b"\n#"))


@pytest.mark.parametrize("seed", range(300))
def test_random_line(seed: int, place: Path, witness: Path, profile: MachineProfile) -> None:
    source = random.Random(seed)  # noqa: S311
    executable(place / "under-test", random_line(source, os.fsencode(place)))
    arguments = tuple("x" * source.choice((0, 1, 10, 300)) for _ in range(source.randrange(3)))
    environment = source.choice(((), BASE_ENVIRONMENT))
    path = source.choice(("./under-test", f"{place}/under-test", "../scripts/under-test"))
    _, wrong = judge(launch(path, arguments, environment, cwd=place), witness, profile)
    assert not wrong


@pytest.mark.parametrize("name", ["s", "a-script-with-a-rather-long-name", "\udcff\n"])
def test_the_name_of_the_process_is_the_scripts(name: str, place: Path, profile: MachineProfile) -> None:
    executable(place / name, b"#!script\n")
    program = launch(f"../{place.name}/{name}", cwd=place)
    process = execve(program, Kernel(profile)).process
    assert process is not None
    with start(program) as launched:
        assert Path(f"/proc/{launched.pid}/comm").read_bytes() == process.task.comm + b"\n"
        assert Path(f"/proc/{launched.pid}/exe").readlink() == Path(process.task.executable)


def test_a_script_is_checked_to_the_end_of_its_program(tmp_path: Path) -> None:
    assembler = Assembler(0x08048000)
    assembler.exit(7)
    executable(tmp_path / "program", link(assembler, entry=assembler.start))
    executable(tmp_path / "inner", b"#!./program -x\n")
    executable(tmp_path / "outer", b"#!inner\n")
    done = subprocess.run(
        [sys.executable, "-m", "inspector", "check", "--json", "-", "outer", "--", "argument"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.fspath(Path(__file__).parents[2])},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    check = parse_check(done.stdout)
    assert check.observation is not None
    assert check.prediction.ending == check.observation.ending == Ending(status=7)
    assert check.prediction.script == ScriptChain(
        ("inner", "./program"), ("./program", "-x", "inner", "outer", "argument")
    )
    names = ["outer", "inner", "program"]
    assert [Path(file.path).name for file in check.prediction.files] == names
    assert [file.sha256 for file in check.prediction.files] == [
        hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in names
    ]
    assert check.observation.files == check.prediction.files
