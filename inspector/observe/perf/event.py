"""perf_event_open(2) and the few ioctls a recording needs.

Every system call of this package that a machine may refuse goes through here, `ring` or `tracefs`, and is
refused as OSError.
"""

from __future__ import annotations

import ctypes
import enum
import fcntl
import os
import struct
from dataclasses import dataclass

from inspector.errors import CannotObserve

_PERF_EVENT_OPEN = {"x86_64": 298, "i686": 336, "i586": 336, "i486": 336, "i386": 336}
_FLAG_FD_CLOEXEC = 8
_IOC_SET_OUTPUT = 0x2405
_CLOCK_MONOTONIC_RAW = 4

SOFTWARE, TRACEPOINT = 1, 2
"""enum perf_type_id."""
PAGE_FAULTS = 2
"""enum perf_sw_ids: PERF_COUNT_SW_PAGE_FAULTS."""
ANY_CPU = -1

# struct perf_event_attr up to PERF_ATTR_SIZE_VER3, the first with a clock:
#   type, size, config, sample_period, sample_type, read_format, flags, wakeup_watermark, bp_type,
#   config1, config2, branch_sample_type, sample_regs_user, sample_stack_user, clockid
_ATTR = struct.Struct("<IIQQQQQIIQQQQIi")


class SampleType(enum.IntFlag):
    """enum perf_event_sample_format: what a sample holds, in the order in which it holds it."""

    IP = 1 << 0
    TID = 1 << 1
    TIME = 1 << 2
    ADDR = 1 << 3
    RAW = 1 << 10


class Flag(enum.IntFlag):
    """The bit-field of struct perf_event_attr."""

    DISABLED = 1 << 0
    INHERIT = 1 << 1
    EXCLUDE_KERNEL = 1 << 5
    EXCLUDE_HV = 1 << 6
    COMM = 1 << 9
    ENABLE_ON_EXEC = 1 << 12
    TASK = 1 << 13
    WATERMARK = 1 << 14
    SAMPLE_ID_ALL = 1 << 18
    COMM_EXEC = 1 << 24
    USE_CLOCKID = 1 << 25


@dataclass(frozen=True, slots=True)
class Attr:
    """What is to be counted or sampled: the part of struct perf_event_attr that is used here."""

    type: int
    config: int
    flags: Flag
    sample_type: SampleType | None = None
    """None: only counted. Otherwise every single event is a sample."""
    wakeup_bytes: int = 0
    """With Flag.WATERMARK: a reader is woken when so much lies in the ring."""

    def pack(self) -> bytes:
        """Return the structure. Sampled events carry the time of one clock that all CPUs share."""
        sampled = self.sample_type is not None
        return _ATTR.pack(
            self.type,
            _ATTR.size,
            self.config,
            1 if sampled else 0,
            self.sample_type or 0,
            0,
            self.flags | (Flag.USE_CLOCKID if sampled else 0),
            self.wakeup_bytes,
            0,
            0,
            0,
            0,
            0,
            0,
            _CLOCK_MONOTONIC_RAW if sampled else 0,
        )


_libc = ctypes.CDLL(None, use_errno=True)


def open_event(attr: Attr, pid: int, cpu: int) -> int:
    """Return the descriptor of a new event on process `pid` and one CPU, or ANY_CPU.

    OSError as the kernel gives it; CannotObserve on a processor whose call number is not known.
    """
    number = _PERF_EVENT_OPEN.get(os.uname().machine)
    if number is None:
        raise CannotObserve(f"no perf events on {os.uname().machine}")
    descriptor: int = _libc.syscall(
        ctypes.c_long(number), attr.pack(), pid, cpu, -1, ctypes.c_ulong(_FLAG_FD_CLOEXEC)
    )
    if descriptor < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return descriptor


def send_to_ring_of(descriptor: int, owner: int) -> None:
    """Have the event write into the ring of `owner`, an event on the same CPU and of the same clock."""
    fcntl.ioctl(descriptor, _IOC_SET_OUTPUT, owner)


def count_of(descriptor: int) -> int:
    """Return how often the event has happened, in the process and all it has forked."""
    return int.from_bytes(os.read(descriptor, 8), "little")
