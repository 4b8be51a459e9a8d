"""Pages of files that leave the page cache: which go, which stay, and which faults wait for the disk."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.elf.file import ExecutableFile
from inspector.observe import observe
from inspector.observe.memory import swap_bytes
from inspector.predict import predict
from tests.live import launches
from tests.live.compiling import static_program
from tests.live.whole_runs import disagreements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program

pytestmark = [pytest.mark.live, pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")]

SOURCE = Path(__file__).with_name("page_cache.c")
PAGES = bytes(64 * 4096 + 10)
NAMED = {
    "ahead": "reading ahead from",
    "reading": "which pages of",
    "others": "several processes, when pages of",
}


@pytest.fixture(scope="module")
def built(stage: Path) -> Path:
    """Return the program that has a group of calls each."""
    path = stage / "page_cache"
    return static_program(SOURCE, path)


def running(built: Path, group: str, file: Path) -> Program:
    return launches.launch(built, (str(built), group, str(file)))


@pytest.fixture
def on_disk(tmp_path: Path) -> Path:
    """Return a file of 64 pages and a bit that lies on a disk."""
    path = tmp_path / "pages"
    path.write_bytes(PAGES)
    with ExecutableFile(str(path)) as file:
        if file.lies_in_memory:
            pytest.skip("temporary files lie on a tmpfs here, which has no disk")
    return path


@pytest.mark.parametrize("group", ["parts", "mapped", "writing", "kernels", "areas", "reclaimed", "own"])
@pytest.mark.parametrize("place", ["disk", "memory"])
def test_what_is_dropped_and_comes_back_is_linuxs(
    group: str, place: str, built: Path, on_disk: Path, profile: MachineProfile
) -> None:
    if group in ("own", "reclaimed") and swap_bytes():
        pytest.skip("where there is swap, what is reclaimed may go there")
    file = on_disk if place == "disk" else built.with_name("pages")
    file.write_bytes(PAGES)
    stops = [f"syscall:getppid#{number}" for number in range(2, 13)]
    program = running(built, group, file)
    reached = {snapshot.checkpoint for snapshot in predict(program, profile, stops=stops).snapshots}
    stops = ["syscall:getppid", *(stop for stop in stops if stop in reached)]
    assert disagreements(program, profile, stops=stops) == []


def drawn(source: random.Random) -> Iterator[str]:
    """Yield what the program is to do, a step each, mostly touches."""
    pages = len(PAGES) // 4096 + 1
    for _ in range(60):
        kind = source.choice("tttttwwddfplm")
        first = source.randrange(pages)
        count = source.randint(1, min(pages - first, source.choice((2, 8, pages))))
        if kind == "d":
            size = count * 4096 - source.choice((0, 0, 1, 4086))
            yield f"d{first * 4096 + source.choice((0, 0, 1))},{size}"
        else:
            yield f"{kind}{first},{count}"


@pytest.mark.skipif(swap_bytes() > 0, reason="where there is swap, what is reclaimed may go there")
@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_dropped_and_touched_in_whatever_order(
    seed: int, built: Path, on_disk: Path, profile: MachineProfile
) -> None:
    steps = tuple(drawn(random.Random(seed)))  # noqa: S311
    program = launches.launch(built, (str(built), "steps", str(on_disk), *steps))
    stops = [f"syscall:getppid#{number}" for number in range(6, len(steps), 6)]
    assert disagreements(program, profile, stops=stops) == [], steps


@pytest.mark.parametrize(
    ("place", "expected"), [("disk", 65 + 0 + 1 + 1 + 2 + 0 + 1 + 1 + 1 + 0 + 2 + 1), ("memory", 0)]
)
def test_faults_wait_for_a_disk_where_there_is_one(
    place: str, expected: int, built: Path, on_disk: Path, profile: MachineProfile
) -> None:
    file = on_disk if place == "disk" else built.with_name("pages")
    file.write_bytes(PAGES)
    program = running(built, "parts", file)
    assert predict(program, profile).snapshots[-1].major_faults == expected
    assert observe(program).snapshots[-1].major_faults == expected


@pytest.mark.parametrize("group", NAMED)
def test_what_the_disk_or_the_scheduler_decides_is_named(
    group: str, built: Path, on_disk: Path, profile: MachineProfile
) -> None:
    prediction = predict(running(built, group, on_disk), profile)
    assert prediction.not_modelled is not None
    assert prediction.not_modelled.what.startswith(NAMED[group])
    assert str(on_disk) in prediction.not_modelled.what


def test_the_report_says_where_the_file_lies(built: Path, on_disk: Path, profile: MachineProfile) -> None:
    in_memory = built.with_name("pages")
    in_memory.write_bytes(PAGES)
    told = [
        {each.name: each.value for each in predict(running(built, "parts", file), profile).assumptions}
        for file in (on_disk, in_memory)
    ]
    assert told[0][f"page cache of {on_disk}"].startswith("its pages are clean")
    assert told[1][f"page cache of {os.path.realpath(in_memory)}"].startswith("a tmpfs")


def test_a_file_that_has_just_been_written_is_dropped_all_the_same(
    stage: Path, on_disk: Path, profile: MachineProfile
) -> None:
    """Its pages are still dirty when it is looked at, and dirty pages would stay (see observe/folios.py)."""
    source = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <sys/mman.h>
        int main(int argc, char **argv)
        {
            int file = open(argv[1], O_RDONLY);
            volatile char *map = mmap(0, 16 * 4096, PROT_READ, MAP_PRIVATE, file, 0);
            madvise((void *)map, 16 * 4096, MADV_RANDOM);
            posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
            return map[0] + map[5 * 4096];
        }
    """
    program = static_program(source, stage / "written")
    new = on_disk.with_name("new")  # what is truncated first would be written back by ext4 at once
    new.write_bytes(PAGES)
    assert disagreements(launches.launch(program, (str(program), str(new))), profile) == []


def test_what_was_let_go_is_not_said_to_stay(stage: Path, profile: MachineProfile) -> None:
    """MADV_PAGEOUT frees it, swap or no swap, and a page that was written to meanwhile stays."""
    source = """
        #define _GNU_SOURCE
        #include <stdlib.h>
        #include <sys/mman.h>
        int main(int argc, char **argv)
        {
            int own = MAP_PRIVATE | MAP_ANONYMOUS;
            volatile char *map = mmap(0, 8 * 4096, PROT_READ | PROT_WRITE, own, -1, 0);
            for (int page = 0; page < 8; page++) map[page * 4096] = 1;
            int free_pages = atoi(argv[1]), pageout_from = atoi(argv[2]), sum = 0;
            madvise((void *)map, free_pages * 4096, MADV_FREE);
            map[2 * 4096] = 9;
            madvise((void *)(map + pageout_from * 4096), (8 - pageout_from) * 4096, MADV_PAGEOUT);
            for (int page = 0; page < 8; page++) sum += map[page * 4096];
            return sum;
        }
    """
    program = static_program(source, stage / "let_go")
    let_go = launches.launch(program, (str(program), "8", "0"))
    prediction = predict(let_go, profile)
    assert str(observe(let_go).ending) == "exit 9"
    assert prediction.not_modelled is not None
    if not swap_bytes():
        assert prediction.not_modelled.what == "reclaiming pages that MADV_FREE has let go"
        apart = launches.launch(program, (str(program), "4", "4"))
        assert disagreements(apart, profile) == []
