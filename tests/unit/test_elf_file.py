"""A file as execve and maps see it: how it is named, and how much of it is read."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.elf import file as elf_file
from inspector.elf.file import ExecutableFile, is_elf
from inspector.errors import CannotObserve
from inspector.model.prediction import Outcome
from inspector.model.vma import FileBacking
from inspector.predict import predict
from inspector.predict.kernel.exec import execve
from inspector.predict.kernel.kernel import Kernel
from tests.elfwriter import Elf, Phdr, R, W
from tests.machines import PROFILE, write_program

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_device_is_the_one_that_maps_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system such as btrfs answers stat with a device that is in no line of maps."""
    program = write_program(tmp_path, Elf().build())
    with ExecutableFile(program.path) as file:
        true_device, true_inode = file.device, file.inode
    honest = os.fstat

    def dishonest(descriptor: int) -> os.stat_result:
        parts = list(honest(descriptor))
        parts[1:3] = [12345, 0xABCD]
        return os.stat_result(parts)

    monkeypatch.setattr(os, "fstat", dishonest)
    with ExecutableFile(program.path) as file:
        assert (file.stat.st_dev, file.stat.st_ino) == (0xABCD, 12345)
        assert (file.device, file.inode) == (true_device, true_inode)
    process = execve(program, Kernel(PROFILE)).process
    assert process is not None
    mapped = {vma.backing for vma in process.task.mm.vmas if isinstance(vma.backing, FileBacking)}
    assert {(backing.device, backing.inode) for backing in mapped} == {(true_device, true_inode)}


def test_an_empty_file_is_named_by_stat(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    found = (tmp_path / "empty").stat()
    with ExecutableFile(str(tmp_path / "empty")) as file:
        assert file.device == (os.major(found.st_dev), os.minor(found.st_dev))
        assert file.inode == found.st_ino


@pytest.mark.parametrize(
    ("elf", "outcome"), [(Elf(type=1), Outcome.REFUSED), (Elf(entry=0xFFFFF000), Outcome.KILLED)]
)
def test_a_large_file_that_does_not_run_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elf: Elf, outcome: Outcome
) -> None:
    program = write_program(tmp_path, elf.build())
    os.truncate(program.path, 10 << 30)
    read = counted(monkeypatch)
    result = execve(program, Kernel(PROFILE))
    assert result.verdict is not None
    assert result.verdict.outcome is outcome
    (identity,) = result.files
    assert (identity.size, identity.sha256) == (10 << 30, None)
    assert sum(read) < 1 << 20


def test_what_runs_is_hashed_though_it_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elf_file, "LARGEST_HASHED_BYTES", 100)
    image = Elf().build()
    (identity,) = execve(write_program(tmp_path, image), Kernel(PROFILE)).files
    assert identity.sha256 == hashlib.sha256(image).hexdigest()


def test_beyond_what_program_headers_reach_nothing_is_hashed_and_the_prediction_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = write_program(tmp_path, Elf().build())
    os.truncate(program.path, 100 << 30)
    read = counted(monkeypatch)
    prediction = predict(program, PROFILE, until="exec")
    assert prediction.verdict is not None
    assert prediction.verdict.outcome is Outcome.RUNS
    (identity,) = prediction.files
    assert (identity.size, identity.sha256) == (100 << 30, None)
    (assumption,) = prediction.assumptions
    assert (assumption.name, assumption.value) == (
        f"contents of {program.path}",
        "what they were: too large to be hashed",
    )
    assert sum(read) < 1 << 20


def test_a_small_program_is_predicted_without_assumptions(tmp_path: Path) -> None:
    assert predict(write_program(tmp_path, Elf().build()), PROFILE, until="exec").assumptions == ()


def test_a_file_without_a_length_is_not_read_to_an_end_it_may_not_have() -> None:
    """/proc/PID/pagemap has a word for each of 2^35 pages."""
    with ExecutableFile("/proc/self/pagemap") as file:
        assert file.size == 0
        assert file.identity_if_small.sha256 == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "fifo", "socket", "."])
def test_what_is_no_regular_file_is_not_even_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """To open a FIFO lets its writer go on, to open a watchdog arms it."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")

        def never(*_: object) -> int:
            raise AssertionError("opened")

        monkeypatch.setattr(os, "open", never)
        with pytest.raises(CannotObserve, match="not a regular file"):
            ExecutableFile(path)
        assert not is_elf(path)


def test_a_file_that_is_replaced_by_a_fifo_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.touch()
    regular = path.stat()
    path.unlink()
    os.mkfifo(path)
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda _: regular)
        with pytest.raises(CannotObserve, match="not a regular file"):
            ExecutableFile(str(path))
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def meddle(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object], *, at_read: int) -> None:
    """Have `change` done to the file right before the read of that number."""
    reads = 0
    honest = os.pread

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        nonlocal reads
        reads += 1
        if reads == at_read:
            change()
        return honest(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", pread)


@pytest.mark.parametrize("at_read", [1, 2, 3])
@pytest.mark.parametrize("size", [0, 3, 60, 0x1004, 0x9000])
def test_a_file_that_changes_while_it_is_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, at_read: int
) -> None:
    """Cut short or made longer, whatever has been read by then."""
    program = write_program(
        tmp_path, Elf([Phdr(), Phdr(vaddr=0x0804A000, filesz=0x1800, memsz=0x5000, flags=R | W)]).build()
    )
    meddle(monkeypatch, partial(os.truncate, program.path, size), at_read=at_read)
    with pytest.raises(CannotObserve, match=r"program: changed while it was read$") as caught:
        predict(program, PROFILE, until="exec")
    assert caught.value.help == "try again when no one writes to it"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = write_program(tmp_path, Elf().build())

    def broken() -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    for at_read in (1, 2, 3):
        with monkeypatch.context() as patch:
            meddle(patch, broken, at_read=at_read)
            with pytest.raises(CannotObserve, match=r"program: Input/output error, at byte \d+$"):
                predict(program, PROFILE, until="exec")


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the bytes of each read that is made."""
    sizes: list[int] = []
    honest = os.pread

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        data = honest(descriptor, size, offset)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(os, "pread", pread)
    return sizes
