"""Files in large folios: which of their pages come with the one that is touched."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.observe import observe
from inspector.observe.folios import folio_layout
from inspector.predict import predict
from inspector.reconcile import reconcile
from tests.live import launches
from tests.live.compiling import static_program
from tests.live.looking import needs_root
from tests.live.whole_runs import disagreements

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile

pytestmark = [pytest.mark.live, needs_root]

SOURCE = Path(__file__).with_name("maps_file.c")
PAGE = 4096


@dataclass(frozen=True)
class Cached:
    """A file, and how it comes into the page cache."""

    pages: int
    tail: int = 0
    """Bytes behind the last whole page."""
    cut: int = 0
    """Pages taken off its end once it is written."""
    read_again: bool = False
    """Whether it is evicted and read from the disk, as most files came there."""

    def write(self, path: Path) -> None:
        """Make the file."""
        data = random.Random(str(self)).randbytes((self.pages + self.cut) * PAGE)  # noqa: S311
        path.write_bytes(data)
        os.truncate(path, self.pages * PAGE + self.tail)
        if not self.read_again:
            return
        file = os.open(path, os.O_RDONLY)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        for page in range(self.pages):
            os.pread(file, 1, page * PAGE)
        os.close(file)


FILES = {
    "one folio": Cached(64),
    "written": Cached(300),
    "written, odd end": Cached(61, tail=100),
    "cut inside a folio": Cached(60, tail=100, cut=4),
    "read": Cached(200, read_again=True),
    "read, odd end": Cached(77, tail=1, read_again=True),
    "larger than a page table": Cached(1200, read_again=True),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    built = tmp_path_factory.mktemp("folios") / "maps_file"
    return static_program(SOURCE, built)


def steps(source: random.Random, pages: int) -> list[str]:
    """Return what the program is told to do with a file of `pages` pages: some mappings, many reads."""
    told = []
    for number in range(12):
        first = source.choice((0, source.randrange(pages)))
        count = source.choice((pages - first, source.randrange(1, pages - first + 1)))
        place = number * 2048 + source.randrange(600)
        told.append(f"m{place},{first},{count}")
        told += [f"r{place + source.randrange(count)}" for _ in range(source.randrange(1, 12))]
    return told


_SHRINKING = """
import mmap, os, sys
from inspector.observe import observe
from inspector.observe.folios import folio_layout
from inspector.predict import predict
from inspector.reconcile import reconcile
path, real = sys.argv[1], mmap.mmap
def shrink(file, *others, **named):
    mapping = real(file, *others, **named)
    os.truncate(path, 0)
    return mapping
mmap.mmap = shrink
print(folio_layout(path))
"""


def test_a_file_that_shrinks_while_it_is_looked_at(tmp_path: Path) -> None:
    """Reading what has gone would end the command (SIGBUS)."""
    path = tmp_path / "file"
    FILES["written"].write(path)
    done = subprocess.run(
        [sys.executable, "-c", _SHRINKING, path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "None\n"), done.stderr


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", FILES)
def test_large_folios_are_mapped_as_linux_maps_them(
    kind: str, seed: int, program: Path, tmp_path: Path, profile: MachineProfile
) -> None:
    path, cached = tmp_path / "file", FILES[kind]
    cached.write(path)
    layout = folio_layout(str(path))
    assert layout is not None
    if not layout.large:
        pytest.skip("this file system makes no large folios")
    arguments = steps(random.Random(f"{kind} {seed}"), cached.pages)  # noqa: S311
    run = launches.launch(program, argv=(str(program), str(path), *arguments))
    assert disagreements(run, profile) == []


def test_a_prediction_of_a_file_that_was_cached_otherwise_differs_by_a_rule(
    program: Path, tmp_path: Path, profile: MachineProfile
) -> None:
    path, cached = tmp_path / "file", FILES["written"]
    cached.write(path)
    contents = path.read_bytes()
    layout = folio_layout(str(path))
    assert layout is not None
    if not layout.large:
        pytest.skip("this file system makes no large folios")
    reads = [f"r{page}" for page in range(0, cached.pages, 20)]
    run = launches.launch(program, argv=(str(program), str(path), f"m0,0,{cached.pages}", *reads))
    prediction = predict(run, profile, folios=folio_layout)
    assert reconcile(prediction, observe(run)).exit_code == 0
    with path.open("r+b", buffering=0) as file:  # the same file
        file.truncate()
        for start in range(0, len(contents), PAGE):  # a folio is no larger than what is written at once
            file.write(contents[start : start + PAGE])
    later = reconcile(prediction, observe(run))
    assert later.exit_code == 0, later.differences
    assert "fault.page-cache" in {finding.rule for finding in later.findings}
