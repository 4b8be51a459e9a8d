"""The host's files that simulated programs have open cost us no more descriptors than there are files."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno
from inspector.predict.kernel.host_files import HostFiles
from inspector.predict.kernel.syscalls.path import kernel_error
from tests.unit.predict.kernel.test_run import TEXT, exit_with_result, run

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPEN, _CLOSE = 5, 6
_PATH_AT = 0x800
_TIMES = 100


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """Leave this process a few descriptors only."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(each.name) for each in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 12, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def _opening(*, closes: bool) -> str:
    """Return code that opens what is named at _PATH_AT many times."""
    opens = b"\xbb" + struct.pack("<I", TEXT + _PATH_AT) + b"\x31\xc9\xb8\x05\0\0\0\xcd\x80"
    body = opens + (b"\x89\xc3\xb8\x06\0\0\0\xcd\x80" if closes else b"")
    loop = b"\xbe" + struct.pack("<I", _TIMES) + body + b"\x4e\x75" + struct.pack("b", -len(body) - 3)
    return loop.hex()


def _run_on(directory: Path, path: Path, *, closes: bool) -> int | None:
    code = bytes.fromhex(_opening(closes=closes) + exit_with_result())
    padded = code.ljust(_PATH_AT - 0x200, b"\0") + os.fsencode(path) + b"\0"
    ending = run(directory, padded.hex()).ending
    return None if ending is None else ending.status


@pytest.mark.usefixtures("few_descriptors")
@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_program_may_open_more_than_we_could(tmp_path: Path, kind: str, *, closes: bool) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"12345")
    result = _run_on(tmp_path, path if kind == "file" else tmp_path, closes=closes)
    assert result == (0 if closes else 3 + _TIMES - 1)


def test_who_opens_a_file_twice_is_given_one_that_closes_with_the_last_holder(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"12345")
    with contextlib.closing(HostFiles()) as files:
        first, second = files.open(str(path)), files.open(str(path))
        assert first is second
        descriptor = first.fileno()
        del first
        assert second.read(0, 5) == b"12345"
        del second
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_a_file_that_has_changed_or_has_another_name_is_another(tmp_path: Path) -> None:
    path, link = tmp_path / "data", tmp_path / "link"
    path.write_bytes(b"12345")
    with contextlib.closing(HostFiles()) as files:
        first = files.open(str(path))
        path.write_bytes(b"123456")
        second = files.open(str(path))
        assert (first.size, second.size) == (5, 6)
        link.hardlink_to(path)
        assert files.open(str(link)).resolved_path == str(link)


def test_what_is_left_open_is_closed_in_the_end(tmp_path: Path) -> None:
    files = HostFiles()
    directory = files.open_directory(str(tmp_path))
    files.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(directory.fileno())


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_what_this_process_lacks_is_no_answer_to_the_simulated_one(number: int) -> None:
    with pytest.raises(NotModelled, match=os.strerror(number)):
        kernel_error(OSError(number, os.strerror(number), "/data"))
    assert kernel_error(FileNotFoundError(errno.ENOENT, "")).errno is Errno.ENOENT
