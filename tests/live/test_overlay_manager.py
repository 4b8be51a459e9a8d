"""The overlay fixture under gdb, whose own overlay support is told each load, against `inspector overlay`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from elftools.elf.elffile import ELFFile

from inspector.errors import CannotObserve
from inspector.observe.gdb import answers
from inspector.observe.gdb.connection import Connection
from inspector.observe.gdb.mi import text_of
from inspector.observe.gdb.process import GdbProcess, find_gdb
from inspector.observe.gdb.requirements import ARGUMENTS
from inspector.observe.launch import Launched, launch
from inspector.simulators.overlay import (
    BOOK,
    Described,
    OverlayRun,
    Tree,
    calls_text,
    parse_calls,
    place,
    random_calls,
    run,
)
from tests.live import launches
from tests.live.whole_runs import disagreements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.profile import MachineProfile

FIXTURES = Path(__file__).parents[2] / "fixtures"
PROGRAM = FIXTURES / "build" / "overlay"

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not PROGRAM.exists(), reason="overlay is not built: zig cannot link it"),
]

SECONDS = 20.0
FORBIDDEN = 3
TABLE_ENTRY_BYTES = 16
MODULES = "ABCDEF"
LISTED = re.compile(r"\.overlay_(\w), loaded at 0x\w+ - 0x\w+, mapped at 0x(\w+) - 0x(\w+)")


class Section(NamedTuple):
    address: int
    contents: bytes


@pytest.fixture(scope="module")
def sections() -> dict[str, Section]:
    with PROGRAM.open("rb") as file:
        return {
            name: Section(found["sh_addr"], found.data())
            for name in MODULES
            if (found := ELFFile(file).get_section_by_name(f".overlay_{name}"))
        }


@pytest.fixture(scope="module")
def symbols() -> dict[str, int]:
    with PROGRAM.open("rb") as file:
        table: Any = ELFFile(file).get_section_by_name(".symtab")
        return {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}


@pytest.fixture(scope="module")
def tree(sections: dict[str, Section]) -> Tree:
    """Return the simulator's tree; it is told no more than sizes and parents, and where the first byte is."""
    with PROGRAM.open("rb") as file:
        base = min(segment["p_vaddr"] for segment in ELFFile(file).iter_segments("PT_LOAD"))
    resident = sections["A"].address - base
    parents = {module.name: module.parent for module in BOOK.modules.values()}
    sizes = {name: len(section.contents) for name, section in sections.items()}
    return place([Described(name, sizes.get(name, resident), parents[name]) for name in parents], base)


@contextmanager
def under_gdb(calls: str) -> Iterator[tuple[Connection, Launched]]:
    """Run the fixture, stopped before its first instruction, under a gdb that knows the program's symbols."""
    with launch(launches.launch(PROGRAM, (str(PROGRAM), calls))) as launched:
        try:
            process = GdbProcess(find_gdb(), ARGUMENTS)
        except CannotObserve as error:
            pytest.skip(str(error))
        connection = Connection(process)
        try:
            launched.hand_over()
            connection.ask(
                "-gdb-set confirm off",
                "handle SIGCONT nostop noprint pass",
                f"-file-exec-and-symbols {PROGRAM}",
                "overlay auto",
                "-break-insert *&_ovly_debug_event",
                f"-target-attach {launched.pid}",
                timeout=SECONDS,
            )
            connection.next_stop(SECONDS)
            os.kill(launched.pid, signal.SIGCONT)
            yield connection, launched
        finally:
            process.kill()
            connection.has_ended(SECONDS)
            process.close()


class Event(NamedTuple):
    """What is seen when a module has been loaded."""

    loaded: str
    evicted: tuple[str, ...]
    listed: dict[str, tuple[int, int]]
    """What gdb holds to be mapped: first address and end."""
    symbol: str
    """What gdb finds where the loaded module's function is; other modules may have one there too."""


def events(connection: Connection, sections: dict[str, Section], symbols: dict[str, int]) -> Iterator[Event]:
    """Yield each load, and check the bytes of all that is in memory, as long as the program runs."""

    def memory(address: int, size: int) -> bytes:
        (answer,) = connection.ask(f"-data-read-memory-bytes {address:#x} {size}", timeout=SECONDS)
        return answers.memory(answer.results)

    before: set[str] = set()
    while True:
        connection.ask("-exec-continue", timeout=SECONDS)
        stop = connection.next_stop(SECONDS).results
        if text_of(stop, "reason") != "breakpoint-hit":
            return
        table = memory(symbols["_ovly_table"], len(MODULES) * TABLE_ENTRY_BYTES)
        mapped = {name for name, at in zip(MODULES, range(12, 96, 16), strict=True) if table[at]}
        (loaded,) = mapped - before
        assert memory(sections[loaded].address, len(sections[loaded].contents)) == sections[loaded].contents
        _, listing, symbol = connection.ask(
            # gdb cannot read an i386 program's table by itself; what this overlaps it unmaps by itself.
            f"overlay map-overlay .overlay_{loaded}",
            "overlay list-overlays",
            f"info symbol {symbols[f'run_{loaded}']:#x}",
            timeout=SECONDS,
        )
        found = {name: (int(start, 16), int(end, 16)) for name, start, end in LISTED.findall(listing.console)}
        assert set(found) == mapped
        evicted = tuple(sorted(before - mapped, key=lambda name: (sections[name].address, name)))
        yield Event(loaded, evicted, found, symbol.console)
        before = mapped


SEQUENCES = [
    "main A C B",
    "C D C E F A C",
    "A>F",
    "E>B>A",
    "C>A>D B",
    "F>B>E",
    "A>C>A>main C B E",
    "main",
    "E",
]


@pytest.mark.parametrize("source", [*SEQUENCES, *range(8)], ids=str)
def test_every_load_is_the_simulators(
    source: str | int, tree: Tree, sections: dict[str, Section], symbols: dict[str, int]
) -> None:
    calls = parse_calls(source, tree) if isinstance(source, str) else random_calls(tree, 25, source)
    simulated = OverlayRun(tree, calls, tuple(run(tree, calls)))
    with under_gdb(calls_text(calls)) as (connection, launched):
        seen = list(events(connection, sections, symbols))
    output = launched.terminal.output.decode()  # whole, now that the terminal is closed
    # The first load is main's, and that is execve.
    expected = simulated.loads[1:]
    assert [(event.loaded, event.evicted) for event in seen] == [
        (load.module.name, tuple(module.name for module in load.evicted)) for load in expected
    ]
    for event in seen:
        for name, extent in event.listed.items():
            assert extent == (tree.modules[name].address, tree.modules[name].end)
        assert re.findall(r" in mapped overlay section \.overlay_(\w)", event.symbol) == [event.loaded]
    said = f"overlay: {simulated.refusal}" if simulated.refusal else ""
    assert [line for line in output.splitlines() if line.startswith("overlay:")] == [said] * bool(said)


def test_gdb_watches_the_overlays_by_itself(symbols: dict[str, int]) -> None:
    with under_gdb("A") as (connection, _):
        (answer,) = connection.ask("maint info breakpoints", timeout=SECONDS)
    (line,) = (line for line in answer.console.splitlines() if "overlay events" in line)
    assert f"{symbols['_ovly_debug_event']:08x}" in line


@pytest.mark.parametrize("calls", ["A E", "A>F", "C>A>D"])
def test_the_exit_status_is_told_too(calls: str, tree: Tree) -> None:
    sequence = parse_calls(calls, tree)
    refusal = list(run(tree, sequence))[-1].refusal
    done = subprocess.run([PROGRAM, calls], capture_output=True, text=True, check=False)
    assert done.returncode == (FORBIDDEN if refusal else 0)
    assert done.stderr == (f"overlay: {refusal}\n" if refusal else "")


@pytest.mark.parametrize("calls", ["A F>B A", "C>A>D", "A X"])
def test_its_run_is_predicted(calls: str, stage: Path, profile: MachineProfile) -> None:
    program = Path(shutil.copy(PROGRAM, stage))
    assert disagreements(launches.launch(program, (str(program), calls)), profile) == []


def test_the_memory_it_takes_is_the_largest_path(tree: Tree, symbols: dict[str, int]) -> None:
    assert symbols["_end"] == tree.root.address + tree.memory_bytes


def test_no_two_modules_of_one_path_overlap_in_the_file(sections: dict[str, Section], tree: Tree) -> None:
    for module in tree.modules.values():
        path = [sections[name] for name in module.path[1:]]
        assert all(one.address + len(one.contents) <= other.address for one, other in pairwise(path))


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize(("module", "other"), [("A", "B"), ("C", "D"), ("A", "F"), ("E", "C"), ("D", "B")])
def test_the_linker_refuses_a_module_that_names_one_across_the_tree(
    module: str, other: str, tmp_path: Path
) -> None:
    """Only the manager leads from one to the other."""
    source = tmp_path / "overlay.c"
    code = (FIXTURES / "overlay.c").read_text(encoding="utf-8")
    across = f'__attribute__((used, section(".module.{module}.data"))) static void *across = run_{other};'
    source.write_text(f"{code}\n{across}\n", encoding="utf-8")
    script = f"-Wl,-T,{FIXTURES / 'overlay.ld'}"
    command = ["gcc", "-m32", "-static", "-no-pie", "-fno-pie", script, "-o", f"{tmp_path}/overlay"]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    refused = rf"prohibited cross reference from \.overlay_{module} to `.*' in \.overlay_{other}"
    assert re.search(refused, done.stderr)
