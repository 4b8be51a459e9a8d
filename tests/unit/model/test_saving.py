"""A file is replaced whole or left alone; the kernel provides the full disks."""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.errors import BadDocument, CannotSave
from inspector.model import saving
from inspector.model.saving import read_document, require_savable, save_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OLD, NEW = b"old contents\n", b"new contents, which are longer\n"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "document.json"
    path.write_bytes(OLD)
    return path


def only(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def in_a_child(work: Callable[[], None]) -> None:
    """Run `work` in a process of its own, which may ruin itself; fail if it raised."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def refused(path: Path | str, reason: int, data: bytes = NEW) -> None:
    with pytest.raises(CannotSave) as caught:
        save_atomically(str(path), data)
    assert str(caught.value) == f"{path}: {os.strerror(reason)}"
    assert caught.value.help
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("durable", [True, False])
def test_a_new_file(tmp_path: Path, durable: bool) -> None:
    save_atomically(str(tmp_path / "a"), NEW, durable=durable)
    assert (tmp_path / "a").read_bytes() == NEW
    assert only(tmp_path) == ["a"]


def test_what_cannot_be_saved_is_known_beforehand_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(OLD)
    (tmp_path / "to file").symlink_to("file")
    os.mkfifo(tmp_path / "fifo")
    before = only(tmp_path)
    for name in ("new", "file", "to file", "fifo"):
        require_savable(f"{tmp_path}/{name}")
    for name in ("", "new/", "absent/a", "file/a", "n" * 256, "a\0b"):
        with pytest.raises(CannotSave) as early:
            require_savable(f"{tmp_path}/{name}")
        with pytest.raises(CannotSave) as late:
            save_atomically(f"{tmp_path}/{name}", NEW)
        assert str(early.value) == str(late.value)
    assert only(tmp_path) == before
    assert (tmp_path / "file").read_bytes() == OLD


def test_a_new_file_gets_the_mode_of_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        save_atomically(str(tmp_path / "a"), NEW)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_an_old_file_is_replaced_and_keeps_its_mode(file: Path) -> None:
    file.chmod(0o604)
    before = file.stat()
    save_atomically(str(file), NEW)
    assert file.read_bytes() == NEW
    assert stat.S_IMODE(file.stat().st_mode) == 0o604
    assert file.stat().st_ino != before.st_ino
    assert only(file.parent) == ["document.json"]


@as_root
def test_an_old_file_keeps_its_owner(file: Path) -> None:
    os.chown(file, 12345, 54321)
    save_atomically(str(file), NEW)
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 54321)


def test_a_relative_path(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    save_atomically("document.json", NEW)
    assert file.read_bytes() == NEW


def test_the_longest_name_and_odd_bytes(tmp_path: Path) -> None:
    for name in ("n" * 255, os.fsdecode(b"caf\xe9\n")):
        save_atomically(str(tmp_path / name), NEW)
        assert (tmp_path / name).read_bytes() == NEW


def test_a_link_stays_and_its_target_is_replaced(file: Path) -> None:
    link = file.parent / "link"
    link.symlink_to("document.json")
    save_atomically(str(link), NEW)
    assert link.is_symlink()
    assert file.read_bytes() == NEW


def test_a_link_to_nothing_yet_creates_its_target(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("target")
    save_atomically(str(link), NEW)
    assert link.is_symlink()
    assert (tmp_path / "target").read_bytes() == NEW


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, errno.EISDIR)
    refused(f"{tmp_path}/new/", errno.EISDIR)
    refused(tmp_path / "absent" / "a", errno.ENOENT)
    refused("", errno.ENOENT)
    (tmp_path / "loop").symlink_to("loop")
    refused(tmp_path / "loop", errno.ELOOP)
    (tmp_path / "file").write_bytes(OLD)
    refused(tmp_path / "file" / "a", errno.ENOTDIR)
    refused(tmp_path / ("n" * 256), errno.ENAMETOOLONG)
    with pytest.raises(CannotSave, match="not a file name"):
        save_atomically(f"{tmp_path}/a\0b", NEW)
    with pytest.raises(CannotSave, match="not a file name"):
        save_atomically(f"{tmp_path}/\ud800", NEW)
    assert only(tmp_path) == ["file", "loop"]


@pytest.fixture
def reachable() -> Iterator[Path]:
    """Yield an old file in a directory that every user can reach, as pytest's own cannot be."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "document.json"
        path.write_bytes(OLD)
        path.parent.chmod(0o777)
        path.chmod(0o666)
        yield path
        path.parent.chmod(0o700)


def as_nobody(work: Callable[[], None]) -> None:
    """Run `work` as someone whom permissions bind."""

    def with_less_power() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        work()

    in_a_child(with_less_power)


def test_a_directory_that_may_not_be_written(reachable: Path) -> None:
    reachable.parent.chmod(0o555)
    as_nobody(lambda: refused(reachable, errno.EACCES))
    assert reachable.read_bytes() == OLD
    assert only(reachable.parent) == ["document.json"]


def test_a_file_that_may_not_be_written_is_not_replaced(reachable: Path) -> None:
    reachable.chmod(0o444)
    as_nobody(lambda: refused(reachable, errno.EACCES))
    assert reachable.read_bytes() == OLD
    assert only(reachable.parent) == ["document.json"]


def test_a_file_of_another_user_that_may_be_written(reachable: Path) -> None:
    as_nobody(lambda: save_atomically(str(reachable), NEW))
    assert reachable.read_bytes() == NEW
    assert stat.S_IMODE(reachable.stat().st_mode) == 0o666


def test_a_limit_on_file_sizes_leaves_the_old_file(file: Path) -> None:
    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        refused(file, errno.EFBIG, bytes(1_000_000))

    in_a_child(work)
    assert file.read_bytes() == OLD
    assert only(file.parent) == ["document.json"]


FULL_DISK = """
import os, subprocess, sys
from inspector.errors import CannotSave
from inspector.model.saving import save_atomically
directory = sys.argv[1]
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory]).returncode:
    sys.exit(77)
path = directory + "/document.json"
save_atomically(path, b"old")
try:
    save_atomically(path, bytes(1_000_000))
except CannotSave as error:
    assert str(error) == f"{path}: No space left on device", error
    assert "make room" in error.help
else:
    sys.exit("it fitted")
assert open(path, "rb").read() == b"old"
assert os.listdir(directory) == ["document.json"]
save_atomically(path, b"it still works")
assert open(path, "rb").read() == b"it still works"
"""


@as_root
def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    command = ["unshare", "-m", sys.executable, "-c", FULL_DISK, str(tmp_path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare")
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"no mount in a namespace of its own: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


def test_a_full_device() -> None:
    refused("/dev/full", errno.ENOSPC)


def test_a_device_is_written_to() -> None:
    save_atomically("/dev/null", NEW)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)  # noqa: PTH116


def test_a_fifo_is_written_to(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(fifo.read_bytes()))
    reader.start()
    save_atomically(str(fifo), NEW * 10_000)
    reader.join()
    assert received == [NEW * 10_000]
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_reader_that_leaves(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: fifo.open("rb").close())
    reader.start()
    refused(fifo, errno.EPIPE, bytes(1_000_000))
    reader.join()


SAVES_TO_ARGUMENT = """
import sys
from inspector.model.saving import save_atomically
print("before")
save_atomically(sys.argv[1], b"document\\n")
print("after")
"""


@pytest.mark.parametrize("name", ["/dev/stdout", "/proc/self/fd/1", "out"])
def test_the_file_we_print_to_is_appended_to(tmp_path: Path, name: str) -> None:
    with (tmp_path / "out").open("wb") as out:
        subprocess.run(
            [sys.executable, "-c", SAVES_TO_ARGUMENT, name], stdout=out, cwd=tmp_path, check=True,
            env={"PYTHONPATH": os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))},
        )  # fmt: skip
    assert (tmp_path / "out").read_bytes() == b"before\ndocument\nafter\n"
    assert only(tmp_path) == ["out"]


def test_a_pipe_we_print_to() -> None:
    command = [sys.executable, "-c", SAVES_TO_ARGUMENT, "/dev/stdout"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"before\ndocument\nafter\n"


@pytest.mark.parametrize("call", ["write", "fsync", "replace", "fchmod"])
def test_an_interrupt_leaves_nothing_behind(file: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, call, interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_atomically(str(file), NEW)
    monkeypatch.undo()
    assert file.read_bytes() == OLD
    assert only(file.parent) == ["document.json"]


def test_a_crash_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    pid = os.fork()
    if pid == 0:
        monkeypatch.setattr(os, "replace", crash)
        save_atomically(str(file), NEW)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert file.read_bytes() == OLD


def test_a_file_system_without_fsync(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(_: int) -> None:
        raise OSError(errno.EINVAL, "")

    monkeypatch.setattr(os, "fsync", unable)
    save_atomically(str(file), NEW)
    assert file.read_bytes() == NEW


def test_an_error_of_the_disk_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, "")

    monkeypatch.setattr(os, "fsync", broken)
    refused(file, errno.EIO)
    assert file.read_bytes() == OLD


def test_a_document_is_read_whole(file: Path) -> None:
    assert read_document(str(file)) == OLD


def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, reason in ((tmp_path, errno.EISDIR), (tmp_path / "absent", errno.ENOENT)):
        with pytest.raises(BadDocument) as caught:
            read_document(str(path))
        assert str(caught.value) == f"{path}: {os.strerror(reason)}"
        assert caught.value.help
    with pytest.raises(BadDocument, match="not a file name"):
        read_document("a\0b")
    monkeypatch.setattr(saving, "_LARGEST_DOCUMENT_BYTES", 1 << 20)
    large = tmp_path / "large"
    large.write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(BadDocument, match="larger than any document"):
        read_document(str(large))
    with pytest.raises(BadDocument, match="not a regular file"):
        read_document("/dev/zero")


def test_what_says_itself_that_it_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = tmp_path / "large"
    large.touch()
    os.truncate(large, 100 << 30)

    def never(*_: object) -> bytes:
        raise AssertionError("read")

    monkeypatch.setattr(os, "read", never)
    with pytest.raises(BadDocument, match="larger than any document"):
        read_document(str(large))


def test_what_is_no_regular_file_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo")

    def never(*_: object) -> int:
        raise AssertionError("opened")

    monkeypatch.setattr(os, "open", never)
    for path in (tmp_path / "fifo", "/dev/zero"):
        with pytest.raises(BadDocument, match="not a regular file"):
            read_document(str(path))


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: socket.socket(socket.AF_UNIX).bind(str(path))])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "odd")
    with pytest.raises(BadDocument) as caught:
        read_document(str(tmp_path / "odd"))
    assert caught.value.help
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_stdin_may_be_anything(name: str) -> None:
    code = f"from inspector.model.saving import read_document as r; print(r({name!r}))"
    done = subprocess.run([sys.executable, "-c", code], input=NEW, capture_output=True, check=True)
    assert done.stdout.decode() == f"{NEW!r}\n"


def test_a_pipe_of_the_shell_is_read(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, NEW)
    os.close(writing)
    try:
        assert read_document(f"/dev/fd/{reading}") == NEW
    finally:
        os.close(reading)
    with pytest.raises(BadDocument, match="Bad file descriptor"):
        read_document("/dev/fd/987654")
    assert not list(tmp_path.iterdir())
