"""What the live tests share: the compiled witness, this machine's profile, a place on a tmpfs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from inspector.errors import CannotObserve
from inspector.observe.gdb.process import find_gdb
from inspector.observe.probe import probe_profile
from inspector.observe.tiny_elf import Assembler, link
from tests.lab_sheets import SECRET
from tests.live.odd_programs import INTERPRETERS
from tests.live.stop_at_exec import build_witness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.profile import MachineProfile

_JUMP_TO_ITSELF = b"\xeb\xfe"


@pytest.fixture(scope="session")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bare-ptrace witness, compiled."""
    if shutil.which("gcc") is None:
        pytest.skip("the witness is written in C, and there is no gcc")
    built = build_witness(tmp_path_factory.mktemp("witness"))
    if subprocess.run([built, "--", "/bin/true"], stdout=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("this machine does not let the witness trace a program")
    return built


@pytest.fixture(scope="session")
def gdb() -> None:
    """Skip the tests that ask for it where there is no gdb."""
    try:
        find_gdb()
    except CannotObserve as error:
        pytest.skip(str(error))


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return a program that does nothing else than to exit with 7."""
    return _program_file(tmp_path / "program", b"")


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """Return a program that does not end."""
    return _program_file(tmp_path / "endless", _JUMP_TO_ITSELF)


def _program_file(path: Path, code: bytes) -> Path:
    assembler = Assembler(0x08048000)
    assembler.code += code
    assembler.exit(7)
    path.write_bytes(link(assembler, entry=assembler.start))
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def profile() -> MachineProfile:
    """Return the profile of the running machine."""
    return probe_profile()


@pytest.fixture(scope="session")
def stage() -> Iterator[Path]:
    """Yield a directory on a tmpfs, where there is one, for programs to run from."""
    shared_memory = Path("/dev/shm")  # noqa: S108
    parent = shared_memory if shared_memory.is_dir() else None
    with tempfile.TemporaryDirectory(dir=parent) as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def beside(stage: Path) -> Path:
    """Return a directory with the interpreters that odd programs name."""
    directory = stage / "odd"
    directory.mkdir()
    for name, contents in INTERPRETERS.items():
        path = directory / name
        path.write_bytes(contents)
        path.chmod(0o644 if name.endswith("0644") else 0o755)
    return directory


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory for labs, with the secret of their tests."""
    (tmp_path / "secret").write_bytes(SECRET)
    return tmp_path


@pytest.fixture
def nothing_is_left() -> Iterator[None]:
    """Fail a test after which a child of ours or a process of the sandbox's user runs that did not before."""
    before = _running()
    yield
    left = _running() - before
    assert not left, left


def _running() -> set[tuple[int, str]]:
    found = set()
    for process in psutil.process_iter(["pid", "name", "uids", "ppid", "status"]):
        info = process.info
        ours = info["ppid"] == os.getpid() or (info["uids"] and info["uids"].real == 65534)
        if ours and info["status"] != psutil.STATUS_ZOMBIE:
            found.add((info["pid"], info["name"]))
    return found
