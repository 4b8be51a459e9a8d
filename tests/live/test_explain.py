"""`inspector explain` on real programs: what it says of an address is what the process has there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inspector.elf.header import ELF64, EM_X86_64
from tests.elfwriter import Elf
from tests.live.launches import executable

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "fixtures" / "build"

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not (BUILD / "hello").exists(), reason="fixtures not built"),
]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "inspector", "explain", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def explained(program: str, subject: str, *options: str) -> dict[str, Any]:
    if not (BUILD / program).exists():
        pytest.skip(f"this compiler does not build {program}")
    done = run("--json", "-", *options, f"fixtures/build/{program}", subject)
    assert done.returncode == 0, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def predicted_areas(program: str, until: str) -> list[dict[str, str]]:
    """Return the areas at the last stop."""
    command = [sys.executable, "-m", "inspector", "predict", "--until", until, "--json", "-"]
    done = subprocess.run([*command, str(BUILD / program)], capture_output=True, text=True, check=True)
    areas: list[dict[str, str]] = json.loads(done.stdout)["snapshots"][-1]["vmas"]
    return areas


@pytest.mark.parametrize("program", ["hello", "hello_pie", "hello_static_pie", "hello_noseparate_code"])
def test_main_is_code_wherever_it_was_loaded(program: str) -> None:
    found = explained(program, "main")
    assert (found["file"]["symbol"], found["file"]["section"]) == ("main", ".text")
    (stop,) = [each for each in found["stops"] if each["checkpoint"] == "main"]
    assert stop["observed"]["area"] == stop["predicted"]["area"]
    assert stop["observed"]["page"] == stop["predicted"]["page"] == "file"
    assert int(found["address"], 16) & 0xFFF == int(found["file"]["offset"], 16) & 0xFFF
    if os.geteuid() == 0:
        assert int(stop["observed"]["frame"], 16) > 0


def test_an_address_in_a_library_is_found_in_its_file() -> None:
    if not (BUILD / "hello_dynamic").exists():
        pytest.skip("this compiler does not build hello_dynamic")
    areas = predicted_areas("hello_dynamic", "exec")
    loader = next(area for area in areas if "/ld-linux" in area["name"] and "x" in area["perms"])
    found = explained("hello_dynamic", hex(int(loader["start"], 16) + 0x1234))
    assert found["file"]["path"] == loader["name"]
    assert int(found["file"]["offset"], 16) == int(loader["offset"], 16) + 0x1234
    assert found["file"]["section"] == ".text"
    assert found["rules"] == ["vma.segment-file", "layout.mmap-base"]


def test_what_start_up_protects_of_the_interpreter_is_named_relro() -> None:
    if not (BUILD / "hello_dynamic").exists():
        pytest.skip("this compiler does not build hello_dynamic")
    areas = predicted_areas("hello_dynamic", "main")
    loader = [area for area in areas if "/ld-linux" in area["name"]]
    if [area["perms"] for area in loader[-2:]] != ["r--p", "rw-p"]:
        pytest.skip("this loader protects none of its data")
    protected, data = (explained("hello_dynamic", area["start"]) for area in loader[-2:])
    assert protected["rules"] == ["vma.segment-file", "vma.relro", "layout.mmap-base"]
    assert protected["file"]["segment"] == data["file"]["segment"]
    assert data["rules"] == ["vma.segment-file", "layout.mmap-base"]


@pytest.mark.parametrize(
    ("program", "subject", "rule"),
    [
        ("null_read", "0x0", "layout.null-page"),
        ("touch_kernel", "0xc0000000", "vma.gap"),
        ("stack_overflow", "0xff7fd000", "vma.gap"),
    ],
)
def test_where_nothing_is_it_says_why(program: str, subject: str, rule: str) -> None:
    found = explained(program, subject)
    assert found["rules"][0] == rule
    assert found["file"] is None
    assert [each["page"] for stop in found["stops"] for each in (stop["predicted"], stop["observed"])] == [
        "absent"
    ] * (2 * len(found["stops"]))


def test_below_the_stack_s_limit_it_says_how_far_the_stack_may_grow() -> None:
    found = explained("stack_overflow", "0xff7fd000")
    assert "fault.stack-growth" in found["rules"]
    (touched,) = [each for each in found["steps"] if each["title"].startswith("What happens")]
    told = {each["label"]: each["text"] for each in touched["told"]}
    assert told["the stack"].startswith("grows down to 0xff7fe000 at most: its limit")


def test_the_program_s_own_touch_of_nothing_is_named() -> None:
    found = explained("null_read", "0x0")
    assert [each["kind"] for each in found["faults"]] == ["refused"]


def test_the_heap_is_absent_at_exec_and_there_at_main() -> None:
    found = explained("hello", "0x80f1000")
    stops = {each["checkpoint"]: each["observed"]["area"] for each in found["stops"]}
    assert stops["exec"] is None
    assert stops["main"]["name"] == "[heap]"
    assert found["rules"] == ["vma.heap", "layout.brk"]


def test_arguments_go_to_the_program() -> None:
    done = run("--predict-only", "fixtures/build/many_arguments", "main", "--", "a", "b")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("fixtures/build/hello", "mian"),
            2,
            "hello has no symbol 'mian'\n  did you mean main?",
        ),
        (("fixtures/build/hello", ""), 2, "has no symbol ''"),
        (("fixtures/build/hello", "0x123456789"), 2, "is no address of an i386 program"),
        (("/nowhere", "0x1000"), 2, "/nowhere: no such file"),
        (("/dev/null", "0x1000"), 3, "execve is refused: EACCES"),
        (("README.md", "main"), 2, "README.md is not an ELF file"),
        (("fixtures", "main"), 2, "fixtures is a directory"),
        (("fixtures/build/hello_stripped", "main"), 2, "hello_stripped has no symbols at all"),
        (("fixtures/build/hello",), 2, "Missing argument"),
        (("fixtures/build/hello", "--", "-1"), 2, "ADDRESS|SYMBOL is missing in front of --"),
        (("--aslr", "--predict-only", "fixtures/build/hello", "main"), 2, "cannot know what ASLR chooses"),
    ],
)
def test_what_cannot_be_explained_is_one_clear_line(arguments: tuple[str, ...], code: int, said: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("subject", ["0x7fffffffffff", "0x1000", "main"])
def test_a_64_bit_program_is_not_explained(subject: str, tmp_path: Path) -> None:
    path = executable(tmp_path / "native", Elf(machine=EM_X86_64, layout=ELF64).build())
    done = run("--predict-only", str(path), subject)
    assert (done.returncode, done.stdout) == (3, "")
    assert "a 64-bit program, and only addresses of i386 programs are explained" in done.stderr


def test_aslr_is_explained_too() -> None:
    found = explained("hello_pie", "main", "--aslr")
    assert found["file"]["symbol"] == "main"
    assert int(found["address"], 16) != 0x56555000 + int(found["file"]["address"], 16)
    assert [stop["predicted"]["area"] == stop["observed"]["area"] for stop in found["stops"]] == [True] * 3
