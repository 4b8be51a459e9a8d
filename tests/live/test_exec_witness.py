"""The fixtures at exec, started in every way, held against the bare-ptrace witness."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inspector.model.program import Layout
from inspector.predict import predict
from tests.live.against_witness import mismatches
from tests.live.launches import (
    EXTREME,
    ORDINARY,
    STACK_LIMITS,
    launch,
    random_stack_limit,
    random_strings,
)
from tests.live.stop_at_exec import witness_exec

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile

pytestmark = pytest.mark.live

BUILT = Path(__file__).parents[2] / "fixtures" / "build"
FIXTURES: list[Any] = [
    path for path in sorted(BUILT.glob("*")) if path.is_file() and os.access(path, os.X_OK)
] or [pytest.param(None, marks=pytest.mark.skip("fixtures not built: run make fixtures"), id="fixtures")]
LAYOUT_STYLES = [
    BUILT / f"hello{style}" for style in ("", "_static_pie", "_dynamic", "_pie", "_no_gnu_stack")
]


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path and path.name)
def test_fixture_at_exec(fixture: Path, layout: Layout, witness: Path, profile: MachineProfile) -> None:
    found = []
    for shape, (arguments, envp) in ORDINARY.items():
        program = launch(fixture, (str(fixture), *arguments), envp, layout=layout)
        seen = witness_exec(witness, program)
        found += [f"{shape}: {each}" for each in mismatches(predict(program, profile, until="exec"), seen)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
@pytest.mark.parametrize("shape", EXTREME)
@pytest.mark.parametrize("fixture", LAYOUT_STYLES, ids=lambda path: path.name)
def test_extreme_strings(
    fixture: Path, shape: str, layout: Layout, witness: Path, profile: MachineProfile
) -> None:
    _skip_unless_built(fixture)
    arguments, envp = EXTREME[shape]
    program = launch(fixture, (str(fixture), *arguments), envp, layout=layout)
    wrong = mismatches(predict(program, profile, until="exec"), witness_exec(witness, program))
    assert not wrong


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
@pytest.mark.parametrize("stack_limit", STACK_LIMITS, ids=hex)
@pytest.mark.parametrize("fixture", LAYOUT_STYLES, ids=lambda path: path.name)
def test_stack_limit(
    fixture: Path, stack_limit: int, layout: Layout, witness: Path, profile: MachineProfile
) -> None:
    _skip_unless_built(fixture)
    program = launch(fixture, layout=layout, stack_limit=stack_limit)
    wrong = mismatches(predict(program, profile, until="exec"), witness_exec(witness, program))
    assert not wrong


def test_pointers_count_against_the_room_for_strings(witness: Path, profile: MachineProfile) -> None:
    """Each of the strings takes two bytes and a pointer; the room is 128 KiB at the least."""
    fixture = BUILT / "hello"
    _skip_unless_built(fixture)
    verdicts = set()
    for count in range(13_085, 13_115):
        program = launch(fixture, ("x",) * (count // 2), ("y",) * (count - count // 2), stack_limit=400_000)
        prediction = predict(program, profile)
        verdicts.add(str(prediction.verdict))
        wrong = mismatches(prediction, witness_exec(witness, program))
        assert not wrong, count
    assert verdicts == {"runs", "refused: E2BIG"}


@pytest.mark.parametrize("seed", range(200))
def test_random_strings_and_limits(seed: int, witness: Path, profile: MachineProfile) -> None:
    source = random.Random(seed)  # noqa: S311
    fixture = source.choice(LAYOUT_STYLES)
    _skip_unless_built(fixture)
    program = launch(
        fixture,
        random_strings(source),
        random_strings(source),
        layout=source.choice(list(Layout)),
        stack_limit=random_stack_limit(source),
    )
    wrong = mismatches(predict(program, profile, until="exec"), witness_exec(witness, program))
    assert not wrong


@pytest.mark.parametrize("argv", [(), ("",), ("another name",)], ids=["none", "empty", "another name"])
def test_argv0_unlike_the_path(argv: tuple[str, ...], witness: Path, profile: MachineProfile) -> None:
    fixture = BUILT / "hello"
    _skip_unless_built(fixture)
    program = launch(fixture, argv)
    wrong = mismatches(predict(program, profile, until="exec"), witness_exec(witness, program))
    assert not wrong


@pytest.mark.parametrize("length", range(5), ids="path of x{}".format)
def test_path_length_shifts_the_stack(
    length: int, witness: Path, profile: MachineProfile, stage: Path
) -> None:
    fixture = BUILT / "hello"
    _skip_unless_built(fixture)
    path = stage / ("é \n" + "x" * length)
    path.symlink_to(fixture)
    program = launch(path)
    wrong = mismatches(predict(program, profile, until="exec"), witness_exec(witness, program))
    assert not wrong


def test_any_difference_is_told(witness: Path, profile: MachineProfile) -> None:
    """The comparison itself: each aspect of what the witness saw is changed in turn."""
    fixture = BUILT / "hello_dynamic"
    _skip_unless_built(fixture)
    program = launch(fixture)
    prediction, seen = predict(program, profile, until="exec"), witness_exec(witness, program)
    area, (address, kind) = seen.areas[1], seen.pages[0]
    changed_areas = [
        replace(area, start=area.start - 4096),
        replace(area, end=area.end + 4096),
        replace(area, perms="rwxp"),
        replace(area, offset=area.offset + 4096),
        replace(area, device=(area.device[0], area.device[1] + 1)),
        replace(area, inode=area.inode + 1),
        replace(area, name=area.name + " (deleted)"),
        replace(area, flags=area.flags + " gd"),
    ]
    assert not mismatches(prediction, seen)
    changes: list[dict[str, Any]] = [
        *({"areas": (seen.areas[0], changed, *seen.areas[2:])} for changed in changed_areas),
        *({"registers": seen.registers | {name: value ^ 1}} for name, value in seen.registers.items()),
        {"areas": seen.areas[:-1]},
        {"pages": seen.pages[1:]},
        {"pages": ((address, "file"), *seen.pages[1:])},
        {"pages": ((address - 4096, kind), *seen.pages)},
        {"minor_faults": seen.minor_faults + 1},
        {"major_faults": seen.major_faults + 1},
        {"page_table_bytes": seen.page_table_bytes + 4096},
        {"start_brk": seen.start_brk + 4096},
        {"auxv": seen.auxv[1:]},
        {"auxv": (*seen.auxv, (99, 0))},
        {"auxv": (*seen.auxv[:-1], (seen.auxv[-1][0], seen.auxv[-1][1] ^ 1))},
        {"stack": seen.stack[:-1] + b"\1"},
        {"stack": b"\0" + seen.stack[1:]},
        {"stack": seen.stack + b"\0"},
        {"verdict": "killed: SIGSEGV"},
    ]
    for change in changes:
        assert mismatches(prediction, replace(seen, **change)), change


def _skip_unless_built(fixture: Path) -> None:
    if not fixture.exists():
        pytest.skip(f"{fixture.name} is not built here")
