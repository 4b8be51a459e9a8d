"""Small system calls: what they return and store, and which pages the kernel touches on the way."""

from __future__ import annotations

import resource
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.observe.limits import permitted
from tests.live import launches
from tests.live.compiling import static_program
from tests.live.whole_runs import disagreements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.profile import MachineProfile

pytestmark = [pytest.mark.live, pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")]

SOURCE = Path(__file__).with_name("calls.c")


@pytest.fixture(scope="module")
def calls(stage: Path) -> Path:
    """Return the program, compiled."""
    built = stage / "calls"
    return static_program(SOURCE, built)


GROUPS = (
    "descriptors",
    "paths",
    "itself",
    "machine",
    "names",
    "sleeping",
    "moving",
    "directories",
    "identity",
    "clocks",
    "waiting",
    "pipes",
    "sockets",
    "small",
    "structures",
    "changes",
    "special",
    "advice",
    "merging",
    "heap",
    "parts",
    "addresses",
    "children",
)


@pytest.fixture(scope="module")
def directory(stage: Path) -> Path:
    """Return a directory with a few names of all lengths, and a link."""
    directory = stage / "directory-of-calls"
    directory.mkdir()
    for name in ("b", "a-name", "n" * 255, "another-name", *map(str, range(9))):
        (directory / name).write_text(name)
    (directory / "link").symlink_to("b")
    return directory


@pytest.mark.parametrize("group", GROUPS)
def test_calls_are_linuxs(group: str, calls: Path, directory: Path, profile: MachineProfile) -> None:
    text = calls.with_name("text-of-calls")
    text.write_text("some text\n" * 1000)
    arguments = (str(calls), str(text), group, str(directory))
    launch = launches.launch(calls, arguments, cwd=calls.parent)
    assert disagreements(launch, profile) == []


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """Let the session, and with it the programs it starts, have not many more descriptors than it has now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(each.name) for each in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 100, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("few_descriptors")
def test_descriptors_come_to_an_end(calls: Path, profile: MachineProfile) -> None:
    launch = launches.launch(calls, (str(calls), str(calls), "many"))
    launch = replace(launch, limits=permitted(launch.limits))
    assert disagreements(launch, profile) == []
