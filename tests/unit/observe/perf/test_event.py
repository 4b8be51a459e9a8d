"""struct perf_event_attr, and what becomes of the kernel's refusals."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

import pytest

from inspector.errors import CannotObserve
from inspector.observe.perf import event
from inspector.observe.perf.event import SOFTWARE, Attr, Flag, SampleType, open_event


def word(packed: bytes, offset: int, form: str) -> int:
    value: int = struct.unpack_from(f"<{form}", packed, offset)[0]
    return value


def test_a_sampling_event_lies_as_the_kernel_reads_it() -> None:
    flags = Flag.DISABLED | Flag.INHERIT | Flag.WATERMARK
    packed = Attr(SOFTWARE, 2, flags, SampleType.TID | SampleType.TIME, wakeup_bytes=4096).pack()
    assert len(packed) == word(packed, 4, "I") == 96  # PERF_ATTR_SIZE_VER3
    assert word(packed, 0, "I") == 1  # type
    assert word(packed, 8, "Q") == 2  # config
    assert word(packed, 16, "Q") == 1  # sample_period: every one of them
    assert word(packed, 24, "Q") == 1 << 1 | 1 << 2  # sample_type
    assert word(packed, 40, "Q") == 1 << 0 | 1 << 1 | 1 << 14 | 1 << 25  # with use_clockid
    assert word(packed, 48, "I") == 4096  # wakeup_watermark
    assert word(packed, 92, "i") == 4  # clockid: CLOCK_MONOTONIC_RAW


def test_a_counting_event_asks_for_no_samples_and_no_clock() -> None:
    packed = Attr(SOFTWARE, 2, Flag.INHERIT).pack()
    assert word(packed, 16, "Q") == word(packed, 24, "Q") == word(packed, 92, "i") == 0
    assert word(packed, 40, "Q") == 1 << 1


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ENOSYS, errno.EMFILE])
def test_a_refusal_is_an_os_error(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Kernel:
        def syscall(self, *_: object) -> int:
            ctypes.set_errno(number)
            return -1

    monkeypatch.setattr(event, "_libc", Kernel())
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        open_event(Attr(SOFTWARE, 2, Flag.INHERIT), 0, -1)
    assert caught.value.errno == number


def test_another_processor_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event, "_PERF_EVENT_OPEN", {})
    with pytest.raises(CannotObserve, match="no perf events on"):
        open_event(Attr(SOFTWARE, 2, Flag.INHERIT), 0, -1)
