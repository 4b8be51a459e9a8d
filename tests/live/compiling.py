"""Compiling the tests' own programs, written in C, for i386."""

from __future__ import annotations

import functools
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def static_program(source: Path | str, built: Path, *flags: str) -> Path:
    """Compile `source`, a file or C itself, to a static program at `built`, and return that.

    The test is skipped where gcc cannot link static i386 programs; what is wrong with the source is an error.
    """
    if not _can_link():
        pytest.skip("gcc cannot link static i386 programs")
    text, name = (source, "-") if isinstance(source, str) else (None, str(source))
    built.unlink(missing_ok=True)
    command = ["gcc", "-m32", "-static", *(flags or ("-O1", "-w")), "-x", "c", "-o", str(built), name]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return built


@functools.cache
def _can_link() -> bool:
    if shutil.which("gcc") is None:
        return False
    command = ["gcc", "-m32", "-static", "-x", "c", "-o", "/dev/null", "-"]
    done = subprocess.run(
        command, input="int main(void) { return 0; }", text=True, capture_output=True, check=False
    )
    return done.returncode == 0
