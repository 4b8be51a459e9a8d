"""The simulators at the command line: questions, answers, and what is no question."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inspector.elf.header import ELF64, EM_X86_64
from tests.elfwriter import Elf, Phdr, R, W, X, gnu_stack

NATIVE = Path("/bin/true").read_bytes()
BELADY = ["--refs", "1 2 3 4 1 2 5 1 2 3 4 5"]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    inspector = Path(sys.executable).with_name("inspector")
    return subprocess.run([inspector, *words], capture_output=True, text=True, check=False)


def asked(*words: str) -> dict[str, Any]:
    done = run(*words, "--json", "-")
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_a_question_holds_no_answer() -> None:
    done = run("replace", *BELADY)
    assert (done.returncode, done.stderr) == (0, "")
    assert not any(line.strip().startswith(("faults", "hits")) for line in done.stdout.splitlines())
    assert {line.strip() for line in done.stdout.splitlines()} >= {"frame 0", "frame 2", "fault", "leaves"}
    question = asked("replace", *BELADY)
    assert (question["faults"], question["hits"], question["steps"]) == (None, None, None)
    assert asked("replace", "--curve", *BELADY)["faults"] is None
    assert asked("pagetable", "--mapped", "1")["costs"][0]["bytes"] is None
    assert asked("pagetable", "--address", "0x1000")["addresses"][0]["indices"] is None
    tree = asked("overlay", "--calls", "main A>F")
    assert {each["address"] for each in tree["modules"]} == {None}
    assert (tree["memory_bytes"], tree["loads"], tree["refused"], tree["events"]) == (None,) * 4


@pytest.mark.parametrize("words", [("--seed", "5"), ("--seed", "5", "--solve")])
def test_a_tree_is_shown_with_who_calls_whom(words: tuple[str, ...]) -> None:
    parents = {each["name"]: each["parent"] for each in asked("overlay", *words)["modules"]}
    shown = run("overlay", *words).stdout
    assert "called by" in shown
    for name, parent in parents.items():
        row = next(line.split() for line in shown.splitlines() if line.split()[:1] == [name])
        assert row[1] == parent or (parent is None and row[1].isdecimal())


def test_sizes_of_page_tables_are_exact_and_begin_with_the_same_unit() -> None:
    shown = run("pagetable", "--mapped", "0x8048", "--processes", "100", "--solve").stdout
    sizes = [re.split(r"  +", line.strip())[2:] for line in shown.splitlines()[2:5]]
    assert sizes == [["4 MiB", "400 MiB"], ["8 KiB", "800 KiB"], ["8 KiB+32 B", "803 KiB+128 B"]]


def test_an_answer_is_in_the_json() -> None:
    answer = asked("replace", "--policy", "fifo", "--frames", "3", "--refs", "1 2 3 4 1 2 5", "--solve")
    assert (answer["faults"], answer["hits"], answer["schema"]) == (7, 0, "inspector.replacement/1")
    curve = asked("replace", "--policy", "fifo", "--policy", "lru", "--curve", *BELADY, "--solve")
    assert curve["faults"] == {"fifo": [12, 12, 9, 10, 5, 5], "lru": [12, 12, 10, 8, 5, 5]}
    overlay = asked("overlay", "--calls", "A E C A>F", "--solve")
    assert (overlay["memory_without_overlays_bytes"], overlay["memory_bytes"]) == (3072, 1920)
    assert [event["breaks"] for event in overlay["events"]] == [None, None, None, None, None, ["main", "A"]]
    assert overlay["events"][2]["loads"] == [
        {"module": "B", "evicted": ["A"]},
        {"module": "E", "evicted": []},
    ]
    costs = asked("pagetable", "--mapped", "0x8048", "--processes", "100", "--solve")["costs"]
    assert [(each["geometry"], each["bytes_of_all_processes"]) for each in costs[:2]] == [
        ("flat", 400 << 20),
        ("i386", 100 * (8 << 10)),
    ]


@pytest.mark.parametrize(
    "words", [["replace"], ["pagetable"], ["replace", "--policy", "random"], ["overlay"]], ids=" ".join
)
def test_what_is_drawn_is_drawn_again_from_the_seed_shown(words: list[str]) -> None:
    first = run(*words, "--solve")
    assert first.returncode == 0
    seed = first.stdout.rstrip().rpartition("--seed ")[2]
    assert run(*words, "--solve", "--seed", seed).stdout == first.stdout


def test_an_anomaly_is_found_and_shown() -> None:
    done = run("replace", "--anomaly", "--seed", "3", "--solve")
    assert done.returncode == 0
    assert "Belady's anomaly: fifo faults" in done.stdout
    *_, note = done.stdout.splitlines()
    found = note.removeprefix("drawn with --seed ").removesuffix(
        ", the first from 3 on whose string shows the anomaly"
    )
    assert int(found) > 3
    again = run("replace", "--anomaly", "--seed", found, "--solve").stdout
    assert again.replace(f"--seed {found}", note.removeprefix("drawn with ")) == done.stdout


def test_a_long_string_is_told_in_numbers() -> None:
    done = run("replace", "--length", "1000", "--solve", "--seed", "1")
    assert "is not drawn" in done.stdout
    assert "of 1000" in done.stdout


def test_answers_and_questions_fit_eighty_columns() -> None:
    for words in (["--length", "100", "--pages", "5000"], ["--length", "60", "--frames", "12"]):
        for solve in ([], ["--solve"]):
            done = run("replace", "--seed", "1", *words, *solve)
            assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    "words",
    [
        ["replace", "--refs", ""],
        ["replace", "--refs", "1 -2"],
        ["replace", "--policy", "mru"],
        ["replace", "--frames", "0"],
        ["replace", "--frames", "99999999999"],
        ["replace", "--policy", "working-set", "--window", "0"],
        ["replace", "--policy", "working-set", "--curve"],
        ["replace", "--anomaly", "--refs", "1"],
        ["replace", "--anomaly", "--pages", "2"],
        ["replace", "--length", "0"],
        ["replace", "--program", "/bin/true", "--refs", "1"],
        ["replace", "--program", "/bin/true", "--anomaly"],
        ["replace", "--refs", "1", "--", "argument"],
        ["replace", "--refs", "1 0x10000000000000"],
        ["replace", "/bin/true"],
        ["overlay", "--calls", ""],
        ["overlay", "--calls", "main X"],
        ["overlay", "--calls", "A>"],
        ["overlay", "--calls", ">A"],
        ["overlay", "--modules", "0"],
        ["overlay", "--length", "-1"],
        ["overlay", "/etc/passwd"],
        ["overlay", "/nowhere.toml"],
        ["overlay", "/dev/zero"],
        ["pagetable", "--geometry", "vax"],
        ["pagetable", "--mapped", ""],
        ["pagetable", "--mapped", "5-2"],
        ["pagetable", "--mapped", "1", "--address", "2"],
        ["pagetable", "--address", "main"],
        ["pagetable", "--address", "0x100000000", "--geometry", "i386"],
        ["pagetable", "--processes", "0"],
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_one_line_and_a_hint(words: list[str]) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("inspector: ")
    assert second.startswith("  ")


def called(path: Path, code: str) -> str:
    """Write a program of that code and return its path."""
    text = Phdr(offset=0, vaddr=0x08048000, filesz=0x1000, flags=R | X)
    stack_and_data = Phdr(offset=0, vaddr=0x0804A000, filesz=0, memsz=0x2000, flags=R | W)
    elf = Elf([text, stack_and_data, gnu_stack()], entry=0x08048200)
    elf.contents = {0x200: bytes.fromhex(code)}
    path.write_bytes(elf.build())
    path.chmod(0o755)
    return str(path)


STORE_TWICE = "a2 00a00408 a2 00b00408"  # to 0x804a000, then to 0x804b000


def test_references_are_those_of_a_predicted_program(tmp_path: Path) -> None:
    program = called(tmp_path / "program", STORE_TWICE + "b8 01000000 31db cd80")
    answer = asked("replace", "--program", program, "--solve", "--frames", "2", "--policy", "lru")
    code, first, second = 0x8048, 0x804A, 0x804B
    assert answer["references"] == [code, first, code, second, code]
    assert answer["faults"] == 3
    assert answer["program"] == {"path": program, "instructions": 5, "accesses": 2, "not_modelled": None}
    shown = run("replace", "--program", program, "--solve").stdout
    assert "page     8048  804a  8048  804b  8048" in shown
    curve = asked("replace", "--program", program, "--curve", "--policy", "lru", "--solve")
    assert (curve["faults"]["lru"], curve["program"]["instructions"]) == ([5, 3, 3, 3], 5)


def test_references_up_to_what_is_not_modelled_say_so(tmp_path: Path) -> None:
    program = called(tmp_path / "program", STORE_TWICE + "b8 a9010000 cd80")
    done = run("replace", "--program", program)
    assert done.returncode == 3
    assert "not modelled: system call io_uring_setup" in " ".join(done.stdout.split())
    document = run("replace", "--program", program, "--json", "-")
    assert document.returncode == 3
    assert json.loads(document.stdout)["program"]["not_modelled"] == "system call io_uring_setup"


@pytest.mark.parametrize(("contents", "why"), [(b"text", "ENOEXEC"), (NATIVE, "not modelled: 64-bit")])
def test_a_program_that_does_not_run_has_no_references(tmp_path: Path, contents: bytes, why: str) -> None:
    path = tmp_path / "program"
    path.write_bytes(contents)
    path.chmod(0o755)
    done = run("replace", "--program", str(path))
    assert (done.returncode, done.stdout) == (3, "")
    first, second = done.stderr.splitlines()
    assert first.startswith(f"inspector: {path}: there are no references: ")
    assert why in first
    assert second


def test_a_program_that_does_not_run_has_no_tables(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no program")
    text.chmod(0o755)
    done = run("pagetable", "--program", str(text))
    assert done.returncode == 3
    assert "nothing to count: it does not run (refused: ENOEXEC)" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["pagetable", "--program", "{}"],
        ["replace", "--program", "{}"],
        ["loading", "{}"],
        ["layout", "{}"],
        ["story", "{}"],
        ["explain", "{}", "main"],
        ["explain", "{}", "0x1000"],
    ],
)
def test_a_missing_program_is_a_mistake_of_the_caller(words: list[str], tmp_path: Path) -> None:
    done = run(*(word.format(tmp_path / "missing") for word in words))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == f"inspector: {tmp_path}/missing: no such file"


def test_a_64_bit_program_has_tables_of_those_shapes_that_reach_it(tmp_path: Path) -> None:
    load = Phdr(vaddr=0x400000)
    native = tmp_path / "native"
    native.write_bytes(Elf([load], machine=EM_X86_64, layout=ELF64, entry=0x400200).build())
    native.chmod(0o755)
    done = run("pagetable", "--program", str(native), "--solve")
    assert done.returncode == 3, done.stderr
    assert "These are not all: what comes after is not modelled" in " ".join(done.stdout.split())
    heads = next(line for line in done.stdout.splitlines() if line.lstrip().startswith("stop "))
    assert heads.split() == ["stop", "x86-64", "x86-64-la57", "kernel's"]
    narrow = run("pagetable", "--program", str(native), "--geometry", "i386")
    assert narrow.returncode == 2
    assert "--geometry" in narrow.stderr


@pytest.mark.parametrize(
    "words", [["pagetable", "--program", ""], ["replace", "--program", ""], ["loading", ""], ["layout", ""]]
)
def test_an_empty_path_is_shown_as_one(words: list[str]) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("inspector: '': ")


def test_a_tree_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "tree.toml"
    file.write_text(
        'base = 0x1000\n[[module]]\nname="leaf"\nsize=16\nparent="top"\n[[module]]\nname="top"\nsize=32\n'
    )
    tree = asked("overlay", str(file), "--calls", "leaf", "--solve")
    assert [(each["name"], each["address"]) for each in tree["modules"]] == [
        ("leaf", "0x1020"),
        ("top", "0x1000"),
    ]
    assert tree["calls"] == "top leaf"


def test_a_file_that_is_no_tree_is_named(tmp_path: Path) -> None:
    file = tmp_path / "tree.toml"
    file.write_text('[[module]]\nname="A"\nsize=1\nparent="A"\n')
    done = run("overlay", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == f"inspector: {file}: the parents go round in a cycle: A A"


@pytest.mark.parametrize(
    "name",
    [
        "check",
        "compare",
        "explain",
        "layout",
        "loading",
        "observe",
        "overlay",
        "pagetable",
        "predict",
        "replace",
        "story",
    ],
)
def test_the_help_has_an_example(name: str) -> None:
    shown = run(name, "--help").stdout
    assert f"Example: inspector {name} " in shown
    assert "\b" not in shown
