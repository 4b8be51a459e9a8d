"""The probe on the running kernel: what it finds does not hang on who asks."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.model.document import parse_profile
from inspector.observe import probe_programs
from inspector.observe.anonymous import anonymous_executable
from inspector.observe.probe import probe_profile

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile

pytestmark = pytest.mark.live

_PROBE = (
    "import sys; from inspector.observe.probe import probe_profile;"
    "from inspector.model.document import profile_document;"
    "sys.stdout.buffer.write(profile_document(probe_profile()))"
)


def test_a_low_hard_limit_of_the_stack_hides_nothing(profile: MachineProfile) -> None:
    command = ["prlimit", "--stack=8388608:8388608", sys.executable, "-c", _PROBE]
    document = subprocess.run(command, capture_output=True, check=True).stdout
    assert at_no_time(parse_profile(document, "-")) == at_no_time(profile)


def test_the_machine_has_no_moods(profile: MachineProfile) -> None:
    assert at_no_time(probe_profile()) == at_no_time(profile)


def at_no_time(profile: MachineProfile) -> MachineProfile:
    """Return `profile` without what the time of the probe is seen in."""
    return replace(profile, ram_bytes=0, vvar=b"", tsc=0)


@pytest.mark.parametrize(
    "program",
    [probe_programs.fixed(), probe_programs.position_independent()],
    ids=["fixed", "position-independent"],
)
def test_a_probe_program_that_starts_ends_by_itself(program: bytes) -> None:
    """They are looked at before their first instruction; that they have one shows that they are whole."""
    image = anonymous_executable(program)
    try:
        done = subprocess.run([f"/proc/{os.getpid()}/fd/{image}"], env={}, check=False)
    finally:
        os.close(image)
    assert done.returncode == 0


def test_interpreters_end_on_a_page() -> None:
    """A kernel without elf_load() clears the rest of the last page, which is read-only here, and gives up."""
    for image in (probe_programs.position_independent(), probe_programs.interpreter_at(0x1000)):
        filesz = int.from_bytes(image[52 + 16 : 52 + 20], "little")
        assert (filesz % 4096, len(image)) == (0, filesz)
