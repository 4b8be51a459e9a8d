"""A file as execve and maps see it: how it is named, and how much of it is read."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from inspector.elf import file as elf_file
from inspector.elf.file import ExecutableFile
from inspector.model.prediction import Outcome
from inspector.model.vma import FileBacking
from inspector.predict.kernel.exec import execve
from inspector.predict.kernel.kernel import Kernel
from tests.elfwriter import Elf
from tests.machines import PROFILE, write_program

if TYPE_CHECKING:
    from pathlib import Path


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
    read = 0
    honest = os.pread

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        nonlocal read
        data = honest(descriptor, size, offset)
        read += len(data)
        return data

    monkeypatch.setattr(os, "pread", counted)
    result = execve(program, Kernel(PROFILE))
    assert result.verdict is not None
    assert result.verdict.outcome is outcome
    (identity,) = result.files
    assert (identity.size, identity.sha256) == (10 << 30, None)
    assert read < 1 << 20


def test_what_runs_is_hashed_however_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elf_file, "LARGEST_HASHED_BYTES", 100)
    image = Elf().build()
    (identity,) = execve(write_program(tmp_path, image), Kernel(PROFILE)).files
    assert identity.sha256 == hashlib.sha256(image).hexdigest()
