"""The story of real programs: what is predicted in every step is what the kernel did."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from inspector.observe.doctor import can_check, examine

BUILD = Path(__file__).parents[2] / "fixtures" / "build"
COMMAND = [sys.executable, "-m", "inspector", "story"]
NAMES = (
    "hello",
    "hello_pie",
    "hello_static_pie",
    "hello_nostdlib",
    "hello_omagic",
    "hello_no_gnu_stack",
    "hello_noseparate_code",
    "cow_after_fork",
    "touch_pages",
    "deep_recursion",
    "mmap_threshold",
    "stack_overflow",
    "execute_data",
)
HELLO = BUILD / "hello"

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not HELLO.exists(), reason="fixtures not built"),
]


@pytest.fixture(scope="module", autouse=True)
def _machine_can_check() -> None:
    checks = list(examine())
    if not can_check(checks):
        pytest.skip("; ".join(f"{check.name}: {check.detail}" for check in checks if check.ok is False))


def story(*words: object) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [*COMMAND, "--json", "-", *map(str, words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def values(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [value for step in document["steps"] for value in step["values"]]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_predicted_in_every_step_is_observed(name: str) -> None:
    path = BUILD / name
    if not path.exists():
        pytest.skip("this compiler does not build it")
    code, document = story("--faults", "40", path)
    found = values(document)
    # Of an area that was made and changed between two stops, no stop tells.
    untold = ("area", "page's file offset")
    odd = [value for value in found if value["verdict"] != "agrees" and value["label"] not in untold]
    assert (code, odd) == (0, [])
    assert [value for value in found if value["verdict"] == "differs"] == []
    assert len(found) > 20
    assert document["unobserved"] is None


@pytest.mark.parametrize("options", [["--layout", "3gb"], ["--aslr"]], ids=" ".join)
def test_a_layout_of_another_kind_agrees(options: list[str]) -> None:
    code, document = story(*options, HELLO)
    assert code == 0
    texts = {note["texts"] for step in document["steps"] for note in step["notes"]}
    assert ("a program has 3 GB, up to 0xc0000000" in texts) == (options == ["--aslr"])


def test_pages_of_strings_are_no_faults_of_the_program() -> None:
    code, document = story("--faults", "1", HELLO, "--", "x" * 9000)
    by_title = {step["title"]: step for step in document["steps"]}
    assert by_title["The stack's area"]["told"][0]["text"].startswith("35 pages: 3 for the strings, 32 below")
    (first,) = [step for title, step in by_title.items() if title.startswith("Page fault 1")]
    assert first["values"][0]["predicted"] == "user, execute, absent"
    assert (code, {value["verdict"] for value in first["values"]}) == (0, {"agrees"})


def test_where_nothing_is_run_nothing_is_observed() -> None:
    code, document = story("--predict-only", HELLO)
    assert (code, document["unobserved"]) == (0, "--predict-only")
    assert {value["verdict"] for value in values(document)} == {"unobserved"}


def test_a_script_is_told_with_its_interpreter(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f"#!{HELLO}\n", encoding="utf-8")
    script.chmod(0o755)
    code, document = story(script)
    assert code == 0
    assert [step["title"] for step in document["steps"]].count("The search for a handler") == 2
    assert {value["verdict"] for value in values(document)} == {"agrees"}


@pytest.mark.parametrize(
    ("contents", "ends"),
    [(b"text", "refused: ENOEXEC"), (b"#!/missing\n", "refused: ENOENT")],
)
def test_the_story_of_what_does_not_run_goes_to_where_it_ends(
    contents: bytes, ends: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(contents)
    path.chmod(0o755)
    code, document = story(path)
    assert (code, document["ends"].partition(",")[0]) == (0, ends)
    assert document["steps"][-1]["title"] == "The story ends here"
    assert [(value["predicted"], value["observed"]) for value in values(document)] == [(ends, ends)]


def test_scripts_too_deep_are_told_as_far_as_the_kernel_asks(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f"#!{script}\n", encoding="utf-8")
    script.chmod(0o755)
    code, document = story(script)
    assert code == 0
    # Five scripts deep is the sixth file; the seventh is opened, and not asked of.
    assert [step["title"] for step in document["steps"]].count("The search for a handler") == 6
    assert document["ends"].startswith("refused: ELOOP, by rule script.nesting")


def test_of_a_64_bit_program_it_is_said_that_its_story_is_not_told() -> None:
    code, document = story(sys.executable)
    assert code == 3
    assert "64-bit program, which runs" in document["ends"]
    assert "execve succeeds" in document["steps"][-1]["text"]
    assert "returns an error" not in document["steps"][-1]["text"]


def test_without_a_debugger_the_prediction_is_told_and_the_reason() -> None:
    done = subprocess.run(
        [*COMMAND, "--gdb", "/nonexistent/gdb", str(HELLO)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "The first instruction" in done.stdout
    assert "/nonexistent/gdb" in done.stderr


@pytest.mark.parametrize(
    "words",
    [["--step"], ["--step", "--json", "-"], ["--predict-only", "--aslr"], ["--faults", "-1"]],
    ids=" ".join,
)
def test_what_makes_no_sense_is_one_line_and_a_hint(words: list[str]) -> None:
    done = subprocess.run(
        [*COMMAND, *words, str(HELLO)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("inspector: ")
    assert second.startswith("  ")


def on_a_terminal(answers: str) -> tuple[str, int]:
    """Tell the story of hello step by step on a terminal of its own; return what it printed, and its code.

    A letter of `answers` is given at each pause; behind the last of them, nothing but Enter.
    """
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "--step", "--predict-only", "--faults", "1", str(HELLO)], stdin=slave, stdout=slave
    )
    os.close(slave)
    printed, asked, deadline = b"", 0, time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([master], [], [], 0.1)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            printed += os.read(master, 65536)
        except OSError:
            break
        if printed.count(b"q: end]") > asked:
            answer = answers[asked] if asked < len(answers) else "\n"
            os.write(master, f"{answer.strip()}\n".encode())
            asked += 1
    process.kill()  # does nothing to one that has ended
    return printed.decode(), process.wait()


def test_step_by_step_the_reader_says_when_to_go_on() -> None:
    printed, code = on_a_terminal("\n\nq")
    assert code == 0
    assert "3. The first 256 bytes" in printed
    assert "4. The search" not in printed


def test_step_by_step_it_goes_to_the_end() -> None:
    printed, code = on_a_terminal("")
    assert code == 0
    assert "And so on" in printed
    assert printed.index("1. fork") < printed.index("q: end]") < printed.index("2. execve")
