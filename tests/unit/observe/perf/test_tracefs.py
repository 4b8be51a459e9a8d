"""What tracefs says of a tracepoint, and what it does where it says nothing."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

import pytest

from inspector.observe.perf import tracefs
from inspector.observe.perf.tracefs import Field, parse_format, read_tracepoint
from tests.unit.observe.perf.perf_bytes import format_text


def test_the_format_names_id_and_fields() -> None:
    found = parse_format(format_text("page_fault_user", 190), "exceptions:page_fault_user")
    assert (found.name, found.id) == ("exceptions:page_fault_user", 190)
    assert found.fields == {
        "common_type": Field(0, 2),
        "common_flags": Field(2, 1),
        "common_preempt_count": Field(3, 1),
        "common_pid": Field(4, 4),
        "address": Field(8, 8),
        "ip": Field(16, 8),
        "error_code": Field(24, 8),
    }


@pytest.mark.parametrize("text", ["", "ID: 190\n", "ID: x\n" + format_text("a", 1)[16:], "<html>"], ids=repr)
def test_anything_else_is_no_format(text: str) -> None:
    with pytest.raises(ValueError, match="exceptions:a"):
        parse_format(text, "exceptions:a")


def test_a_mounted_tracefs_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "events" / "exceptions" / "page_fault_user"
    place.mkdir(parents=True)
    (place / "format").write_text(format_text("page_fault_user", 190))
    monkeypatch.setattr(tracefs, "_MOUNTED_AT", str(tmp_path))
    assert read_tracepoint("exceptions:page_fault_user").id == 190


class Refusing:
    """A C library whose every system call ends in an error."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls = 0

    def syscall(self, *_: object) -> int:
        self.calls += 1
        ctypes.set_errno(self.number)
        return -1


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.ENODEV], ids=errno.errorcode.get)
def test_where_none_is_mounted_nor_may_be_the_answer_is_the_kernels(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracefs, "_MOUNTED_AT", str(tmp_path))
    kernel = Refusing(number)
    monkeypatch.setattr(tracefs, "_libc", kernel)
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        read_tracepoint("exceptions:page_fault_user")
    assert caught.value.errno == number
    assert kernel.calls == 1
    assert set(Path("/proc/self/fd").iterdir()) <= before  # others may be collected meanwhile
