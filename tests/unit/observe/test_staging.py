from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest

from inspector.errors import CannotObserve
from inspector.observe import staging
from inspector.observe.staging import Staged, merged_environment, prepare, stage
from tests.elfwriter import Elf
from tests.machines import write_program

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue
    from multiprocessing.synchronize import Barrier


@pytest.fixture(autouse=True)
def _has_tmpfs() -> None:
    if not os.access("/dev/shm", os.W_OK):  # noqa: S108
        pytest.skip("no writable /dev/shm on this machine")


def test_the_copy_is_equal_and_goes_when_no_one_uses_it(tmp_path: Path) -> None:
    program = write_program(tmp_path, Elf().build())
    with stage(program.path) as one, stage(program.path) as other:
        assert one == other
        copy = Path(one.path)
        assert copy.read_bytes() == Path(program.path).read_bytes()
        assert copy.stat().st_mode & 0o7777 == 0o755
        assert copy.name == "program"
    assert not copy.exists()
    assert not copy.parent.exists()


def test_the_path_is_made_from_the_contents(tmp_path: Path) -> None:
    first = write_program(tmp_path, Elf().build(), name="a")
    same = write_program(tmp_path, Elf().build(), name="b")
    other = write_program(tmp_path, Elf(entry=0x08048200).build(), name="c")
    with stage(first.path) as one, stage(same.path) as two, stage(other.path) as three:
        assert Path(one.path).parent == Path(two.path).parent != Path(three.path).parent


def test_set_user_id_is_not_copied(tmp_path: Path) -> None:
    program = write_program(tmp_path, Elf().build(), mode=0o4755)
    with stage(program.path) as staged:
        assert Path(staged.path).stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize("what", ["missing", "directory", "empty", "text", "not executable", "fifo"])
def test_what_execve_would_refuse_runs_where_it_stands(tmp_path: Path, what: str) -> None:
    path = tmp_path / "it"
    match what:
        case "directory":
            path.mkdir()
        case "empty" | "text":
            path.write_text("" if what == "empty" else "echo\n")
            path.chmod(0o755)
        case "not executable":
            write_program(tmp_path, Elf().build(), name="it", mode=0o644)
        case "fifo":
            os.mkfifo(path, 0o755)
    with stage(str(path)) as staged:
        assert staged.path == str(path)


def test_a_directory_someone_else_may_write_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = write_program(tmp_path, Elf().build())
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 12345)
    with stage(program.path) as staged:
        assert staged.path == program.path
        assert staged.note is not None


def test_the_environment_is_the_base_and_what_is_added() -> None:
    assert merged_environment(["A=1", "LC_ALL=zh_CN.UTF-8", "A=2"]) == (
        "PATH=/usr/bin:/bin",
        "LC_ALL=zh_CN.UTF-8",
        "GLIBC_TUNABLES=glibc.pthread.rseq=0",
        "A=2",
    )


def test_in_place_is_in_place(tmp_path: Path) -> None:
    program = write_program(tmp_path, Elf().build())
    with prepare(program.path, in_place=True, arguments=["x"]) as prepared:
        assert prepared.argv == (program.path, "x")
        assert prepared.not_staged is None


def test_without_room_it_runs_where_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(_source: object, _target: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    program = write_program(tmp_path, Elf(entry=0x08048300).build())
    monkeypatch.setattr(shutil, "copyfileobj", no_room)
    with stage(program.path) as staged:
        assert staged == Staged(program.path, "it could not be copied (No space left on device)")


def test_a_copy_whose_user_was_killed_is_swept_away(tmp_path: Path) -> None:
    program = write_program(tmp_path, Elf().build())
    with stage(program.path) as staged:
        abandoned = Path(staged.path).parents[1] / "abandoned"
    abandoned.mkdir()
    (abandoned / "copy").touch()
    with stage(program.path):
        assert not abandoned.exists()


def test_a_sweep_between_the_making_and_the_use_of_a_directory_is_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = write_program(tmp_path, Elf().build())
    swept: list[Path] = []
    chmod = Path.chmod

    def swept_first(path: Path, mode: int) -> None:
        if not swept and path.parent.name.startswith("inspector-"):
            swept.append(path)
            path.rmdir()
        chmod(path, mode)

    monkeypatch.setattr(Path, "chmod", swept_first)
    with stage(program.path) as staged:
        assert staged.note is None
        assert Path(staged.path).parent == swept[0]


def test_the_umask_does_not_lock_us_out(tmp_path: Path) -> None:
    program = write_program(tmp_path, Elf(entry=0x08048400).build())
    before = os.umask(0o777)
    try:
        with stage(program.path) as staged:
            assert Path(staged.path).read_bytes() == Path(program.path).read_bytes()
    finally:
        os.umask(before)


def test_a_copy_in_use_stays_the_file_it_is_when_the_mode_changes(tmp_path: Path) -> None:
    program = write_program(tmp_path, Elf(entry=0x08048500).build())
    with stage(program.path) as staged:
        before = Path(staged.path).stat()
        Path(program.path).chmod(0o711)
        with stage(program.path) as other:
            assert Path(other.path).stat().st_mode & 0o7777 == 0o711
        after = Path(staged.path).stat()
        assert (after.st_ino, after.st_mode, after.st_ctime_ns) == (
            before.st_ino,
            before.st_mode,
            before.st_ctime_ns,
        )


def _stage_and_look(path: str, together: Barrier, seen: SimpleQueue[tuple[str, int, int, bytes]]) -> None:
    together.wait()
    with stage(path) as staged:
        before = Path(staged.path).stat().st_ino
        contents = Path(staged.path).read_bytes()
        together.wait()
        seen.put((staged.path, before, Path(staged.path).stat().st_ino, contents))
        together.wait()


def test_tools_that_stage_a_program_at_once_share_one_copy(tmp_path: Path) -> None:
    """No copy is replaced, or seen half written, while another tool may be running it."""
    context = multiprocessing.get_context("fork")
    contents = Elf(entry=0x08048600).build() + bytes(1 << 20)
    for _ in range(10):
        program = write_program(tmp_path, contents)
        together, seen = context.Barrier(6), context.SimpleQueue()
        tools = [
            context.Process(target=_stage_and_look, args=(program.path, together, seen)) for _ in range(6)
        ]
        for tool in tools:
            tool.start()
        looks = {seen.get() for _ in tools}
        for tool in tools:
            tool.join()
        assert len(looks) == 1
        ((path, before, after, copied),) = looks
        assert before == after
        assert copied == contents
        assert not Path(path).exists()


def test_the_program_knows_why_it_was_not_staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = write_program(tmp_path, Elf().build())
    with prepare(program.path) as prepared:
        assert prepared.path != program.path
        assert prepared.not_staged is None
    monkeypatch.setattr(staging, "_LARGEST_COPY_BYTES", 0)
    with prepare(program.path) as prepared:
        assert prepared.path == program.path
        assert prepared.not_staged == "0 MiB are too much to copy"


def test_a_program_that_is_written_to_while_it_is_copied_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = write_program(tmp_path, Elf().build())
    honest = shutil.copyfileobj

    def meddled(source: BinaryIO, target: BinaryIO) -> None:
        os.truncate(program.path, 100)
        honest(source, target)

    monkeypatch.setattr(shutil, "copyfileobj", meddled)
    with pytest.raises(CannotObserve, match="changed while it was read"), prepare(program.path):
        pass
