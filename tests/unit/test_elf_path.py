"""Paths that lead each process to something of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inspector.elf.path import below_self

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("path", "below"),
    [
        ("/proc/self", ()),
        ("/proc/self/exe", ("exe",)),
        ("/proc//./self/../self/fd/0", ("..", "self", "fd", "0")),
        ("/proc/thread-self/exe", ("exe",)),
        ("/proc/mounts", ("mounts",)),
        ("/dev/fd/0", ("fd", "0")),
        ("/dev/stdin", ("fd", "0")),
        ("../../../../../../../../../../proc/self/exe", ("exe",)),
    ],
)
def test_what_is_below_self(path: str, below: tuple[str, ...]) -> None:
    assert below_self(path) == below


@pytest.mark.parametrize("path", ["", "/", ".", "/bin/sh", "/proc/1/exe", "/no/such", "a\0b", "x" * 5000])
def test_the_same_file_to_all(path: str) -> None:
    assert below_self(path) is None


def test_links(tmp_path: Path) -> None:
    for name, target in {"p": "/proc", "mine": "p/self", "loop": "loop", "self": "1"}.items():
        (tmp_path / name).symlink_to(target)
    assert below_self(f"{tmp_path}/mine/exe") == ("exe",)
    assert below_self(f"{tmp_path}/loop/exe") is None
    assert below_self(f"{tmp_path}/self/exe") is None
