"""The fuzzer's own parts: each seed through its target, mutations, and what `make fuzz` says."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from inspector.elf.header import EHDR_SIZE, ELF64, PHDR_SIZE, ElfHeader
from inspector.errors import BadDocument
from inspector.fuzz.fields import class_of
from inspector.model.document import parse_prediction
from inspector.predict.kernel import start_process
from inspector.predict.kernel.elf_tables import reserve_tables
from tests.elfwriter import Elf
from tests.fuzz import __main__ as command
from tests.fuzz.mutators import MUTATORS, mutate_document, mutate_elf
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS
from tests.unit.model.real_documents import PREDICTION


@pytest.mark.parametrize("target", TARGETS)
def test_every_seed_is_taken(target: str) -> None:
    given = list(seeds(target))
    assert len(given) > 5
    for seed in given:
        TARGETS[target](seed)


def test_64_bit_seeds_reach_the_loader_of_64_bit_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = []

    def noting(*arguments: Any) -> None:  # noqa: ANN401
        reserve_tables(*arguments)
        reached.append(arguments)

    monkeypatch.setattr(start_process, "reserve_tables", noting)
    wide = [seed for seed in seeds("program") if class_of(seed) is ELF64]
    for seed in wide:
        TARGETS["program"](seed)
    assert len(reached) == len(wide) == 6


def seeded(seed: object) -> Random:
    return Random(str(seed))  # noqa: S311


def cut_short(data: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


@pytest.mark.parametrize("target", TARGETS)
def test_mutated_seeds_are_taken(target: str) -> None:
    """A little of what `make fuzz` does, where there is no fuzzer; the same inputs every time."""
    rng = seeded(target)
    given = list(seeds(target))
    mutate = MUTATORS.get(target, cut_short)
    for _ in range(150):
        data = rng.choice(given)
        for _ in range(rng.randrange(1, 4)):
            data = mutate(data, rng)
        TARGETS[target](data)


def test_mutations_depend_on_the_number_alone() -> None:
    image, document = Elf().build()[:200], PREDICTION
    for mutate, data in ((mutate_elf, image), (mutate_document, document)):
        once = [mutate(data, seeded(seed)) for seed in range(50)]
        assert once == [mutate(data, seeded(seed)) for seed in range(50)]
        assert len(set(once)) > 20


def test_a_mutation_may_add_a_program_header_or_change_one() -> None:
    image = Elf().build()
    mutants = [ElfHeader.parse(mutate_elf(image, seeded(seed))) for seed in range(3000)]
    assert {header.phnum for header in mutants} >= {2, 3, 0xFFFF}
    changed = {mutate_elf(image, seeded(seed))[EHDR_SIZE : EHDR_SIZE + 2 * PHDR_SIZE] for seed in range(3000)}
    assert len(changed) > 30


def test_some_mutated_documents_are_still_documents() -> None:
    kept = 0
    for seed in range(100):
        try:
            parse_prediction(mutate_document(PREDICTION, seeded(seed)))
        except BadDocument:
            continue
        else:
            kept += 1
    assert 5 < kept < 95


def test_a_finding_can_be_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "input").write_bytes(Elf().build())
    assert command.main(["--replay", "program", str(tmp_path / "input")]) == 0
    assert capsys.readouterr().out.startswith("program: 16384 bytes, ")


def test_an_input_that_takes_too_long_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "input").write_bytes(b"")
    clock = iter((0.0, 1.5, 2.0, 2.5))
    monkeypatch.setattr(time, "process_time", lambda: next(clock))
    monkeypatch.setitem(TARGETS, "program", len)
    assert command.main(["--replay", "program", str(tmp_path / "input")]) == command.FINDING
    assert command.main(["--replay", "program", str(tmp_path / "input")]) == 0


@pytest.mark.parametrize(
    ("words", "seconds"), [(["nothing"], "1"), (["--replay", "program"], "1"), ([], "long"), ([], "-1")]
)
def test_what_makes_no_sense_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], seconds: str
) -> None:
    monkeypatch.setenv("FUZZ_SECONDS", seconds)
    assert command.main(words) == command.USAGE
    assert capsys.readouterr().err.count("\n") == 1


def test_where_there_is_no_fuzzer_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert command.main([]) == command.NO_FUZZER
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("make fuzz: no atheris here: its packages are for CPython 3.11 to 3.14 on x86-64")


def test_a_finding_is_told_with_the_command_that_repeats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the fuzzer replaced by one that finds something at once."""
    monkeypatch.chdir(tmp_path)
    said = (
        "#9 NEW cov: 12 ft: 13 corp: 2/3b exec/s: 1 rss: 50Mb\n === Uncaught Python exception: ===\n"
        "KeyError: 'x'\nTraceback...\n"
        "artifact_prefix='.fuzz/evidence/'; Test unit written to .fuzz/evidence/crash-1\n"
        "stat::number_of_executed_units: 9\nstat::peak_rss_mb:              50\n"
    )

    def found(words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert words[1:4] == ["-m", "tests.fuzz.engine", "evidence"]
        assert "-rss_limit_mb=300" in words
        Path(".fuzz/evidence/log").write_text(said)
        return subprocess.CompletedProcess(words, 77, "", "")

    monkeypatch.setattr(subprocess, "run", found)
    assert command.fuzz("evidence", 1) == command.FINDING
    assert capsys.readouterr().out.splitlines() == [
        "evidence  9 executions, 12 edges, 50 MiB at most",
        "evidence  found something: KeyError: 'x'; .fuzz/evidence/log has it all",
        f"    {sys.executable} -m tests.fuzz --replay evidence .fuzz/evidence/crash-1",
    ]
