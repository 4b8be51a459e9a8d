"""Links that lead each process to something of its own: the simulated program's, never the simulator's."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.predict import predict
from tests.live import launches
from tests.live.compiling import static_program
from tests.live.whole_runs import disagreements

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile

pytestmark = [pytest.mark.live, pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")]

SOURCE = Path(__file__).with_name("own_links.c")

OPENS = """
#include <fcntl.h>
#include <unistd.h>
int main(int count, char **arguments)
{
    (void)count;
    return read(open(arguments[1], O_RDONLY), arguments, 0) & 0x7f;
}
"""


@pytest.fixture(scope="module")
def own_links(stage: Path) -> Path:
    """Return the program, compiled, beside a text and a link to /dev/stdin."""
    (stage / "text-of-links").write_text("some text\n" * 1000)
    (stage / "link-to-stdin").symlink_to("/dev/stdin")
    return static_program(SOURCE, stage / "own-links")


@pytest.mark.parametrize("stdin", ["/dev/null", "text-of-links"])
def test_a_process_finds_its_own(stdin: str, own_links: Path, profile: MachineProfile) -> None:
    arguments = (str(own_links), "link-to-stdin", "text-of-links")
    launch = launches.launch(own_links, arguments, cwd=own_links.parent)
    launch = replace(launch, stdin=os.path.join(own_links.parent, stdin))  # noqa: PTH118
    assert disagreements(launch, profile) == []


@pytest.mark.parametrize(
    "path",
    [
        "/dev/stdout",  # a terminal, which would become the session's
        "/proc/self/maps",
        "/dev/fd",
        "/etc/mtab",  # a link to self/mounts
        "link-to-uptime",
    ],
)
def test_what_is_no_ones_to_know_is_named(path: str, stage: Path, profile: MachineProfile) -> None:
    source = stage / "opens.c"
    source.write_text(OPENS)
    (stage / "link-to-uptime").unlink(missing_ok=True)
    (stage / "link-to-uptime").symlink_to("/proc/uptime")
    if not os.path.lexists(os.path.join(stage, path)):  # noqa: PTH118
        pytest.skip(f"there is no {path}")
    opens = static_program(source, stage / "opens")
    prediction = predict(launches.launch(opens, (str(opens), path), cwd=stage), profile)
    assert prediction.not_modelled is not None
    assert path in prediction.not_modelled.what
