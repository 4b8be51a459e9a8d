"""A program takes the same faults whether or not anyone has read its libraries before."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from inspector.observe.page_cache import settle
from inspector.observe.perf import witness
from inspector.observe.perf.witness import record_faults
from tests.live import launches

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.program import Program

pytestmark = pytest.mark.live

LIBRARY = "\n".join(f"int f{number}(void) {{ return {number}; }}" for number in range(5000))
MAIN = "int f0(void); int f4999(void); int main(void) { return f0() + f4999() - 4999; }"


def compile_c(source: str, output: Path, *options: str | Path) -> Path:
    command = ["gcc", "-m32", "-o", output, "-x", "c", "-", "-x", "none", *options]
    subprocess.run(command, input=source, text=True, check=True)
    return output


def evict(path: Path) -> None:
    """Take the file at `path`, which no process maps, out of the page cache."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)  # a dirty page stays
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)


def addresses(program: Program) -> list[int]:
    trace = record_faults(program, seconds=20)
    if trace.faults is None:
        pytest.skip(trace.notes[0])
    assert trace.ending is not None
    assert trace.ending.status == 0
    return [fault.page for fault in trace.faults]


def test_a_library_read_from_the_disk_a_moment_ago_makes_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = compile_c(LIBRARY, tmp_path / "libown.so", "-shared", "-fPIC")
    program = launches.launch(compile_c(MAIN, tmp_path / "program", library, f"-Wl,-rpath,{tmp_path}"))
    usual = addresses(program)
    evict(library)
    assert addresses(program) == usual
    assert addresses(program) == usual

    monkeypatch.setattr(witness, "settle", lambda _: None)
    evict(library)
    if addresses(program) == usual:
        pytest.skip("this directory is in memory, or its file system reads a file whole")


def test_what_cannot_be_read_in_is_left(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for path in (tmp_path / "missing", tmp_path, tmp_path / "empty"):
        assert settle(launches.launch(path)) == [str(path)]
