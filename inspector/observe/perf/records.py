"""The records in a ring, as types: pure functions over bytes.

    struct perf_event_header   type, misc, size
    ... what the type says ...
    struct sample_id           pid, tid, time: at the end of every record but a sample (sample_id_all)

A sample holds what PERF_SAMPLE_* asked for: here pid and tid, the time, and either ip and address
(the software event) or the raw record of a tracepoint, whose fields lie where its format file says.

Source: include/uapi/linux/perf_event.h, enum perf_event_type; kernel/events/core.c:perf_output_sample().
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, NamedTuple, Protocol

from inspector.observe.perf.event import SampleType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inspector.observe.perf.tracefs import Tracepoint

_LOST, _COMM, _EXIT, _THROTTLE, _FORK, _SAMPLE = 2, 3, 4, 5, 7, 9
_MISC_CPUMODE, _MISC_USER = 7, 2
_MISC_COMM_EXEC = 1 << 13

_HEADER = struct.Struct("<IHH")
_TASK = struct.Struct("<8xIIIIQ")
"""pid, ppid, tid, ptid, time."""
_COMM_IDS = struct.Struct("<8xII")
_LOST_COUNT = struct.Struct("<8xQQ")
"""id, lost."""
_TIME = struct.Struct("<Q")
_SAMPLE_ID_BYTES = 16
_UNSIGNED = {2: "H", 4: "I", 8: "Q"}


class Sample(NamedTuple):
    """One page fault."""

    time: int
    pid: int
    """The process: the thread group's number."""
    user: bool
    """Whether user mode took it, rather than the kernel."""
    address: int
    ip: int
    error_code: int | None
    """The processor's, see arch/x86/include/asm/trap_pf.h. None: the event does not tell."""


class Fork(NamedTuple):
    """A new task: a process, or a thread if `pid` is its parent's."""

    time: int
    pid: int
    parent: int


class Exit(NamedTuple):
    """The end of a task of process `pid`."""

    time: int
    pid: int


class Comm(NamedTuple):
    """A task has a new name; `by_exec`: because it runs a new program."""

    time: int
    pid: int
    name: str
    by_exec: bool


class Lost(NamedTuple):
    """So many records found no room in the ring before this one."""

    time: int
    records: int


class Throttled(NamedTuple):
    """The kernel stopped sampling for a while."""

    time: int


Record = Sample | Fork | Exit | Comm | Lost | Throttled


class SampleLayout(Protocol):
    """How one kind of event lays out its samples."""

    @property
    def sample_type(self) -> SampleType:
        """What to ask for."""

    def parse(self, data: bytes, offset: int, misc: int) -> Sample:
        """Return the sample whose header is at `offset`; struct.error if it is cut short."""


class SoftwareLayout:
    """The software event page-faults."""

    sample_type = SampleType.IP | SampleType.TID | SampleType.TIME | SampleType.ADDR
    _fields = struct.Struct("<8xQI4xQQ")
    """ip, pid, time, address."""

    def parse(self, data: bytes, offset: int, misc: int) -> Sample:
        """Return the sample at `offset`."""
        ip, pid, time, address = self._fields.unpack_from(data, offset)
        return Sample(time, pid, misc & _MISC_CPUMODE == _MISC_USER, address, ip, None)


class TracepointLayout:
    """The tracepoints exceptions:page_fault_user and page_fault_kernel, told apart by common_type."""

    sample_type = SampleType.TID | SampleType.TIME | SampleType.RAW

    def __init__(self, user: Tracepoint, kernel: Tracepoint) -> None:
        """ValueError if they do not have the fields that are read, or not in the same places."""
        self._user = user.id
        self._fields = _tracepoint_fields(user)
        if _tracepoint_fields(kernel).format != self._fields.format:
            raise ValueError(f"{user.name} and {kernel.name} differ in their fields")

    def parse(self, data: bytes, offset: int, misc: int) -> Sample:
        """Return the sample at `offset`."""
        del misc
        pid, time, kind, address, ip, error_code = self._fields.unpack_from(data, offset)
        return Sample(time, pid, kind == self._user, address, ip, error_code)


class TimeLayout:
    """Any event of which only its time is wanted; the other columns mean nothing."""

    sample_type = SampleType.TIME

    def parse(self, data: bytes, offset: int, misc: int) -> Sample:
        """Return the sample at `offset`."""
        del misc
        return Sample(_TIME.unpack_from(data, offset + _HEADER.size)[0], 0, False, 0, 0, None)


def _tracepoint_fields(tracepoint: Tracepoint) -> struct.Struct:
    """Return pid and time of a sample, and common_type, address, ip and error_code of its raw data."""
    layout, end = "<8xI4xQ4x", 0
    for name in ("common_type", "address", "ip", "error_code"):
        field = tracepoint.fields.get(name)
        if field is None or field.offset < end or field.size not in _UNSIGNED:
            raise ValueError(f"{tracepoint.name}: {name} is not where it is known to be")
        layout += f"{field.offset - end}x{_UNSIGNED[field.size]}"
        end = field.offset + field.size
    return struct.Struct(layout)


def parse_records(data: bytes, layout: SampleLayout) -> Iterator[Record]:
    """Yield the records of `data`, whole records end to end; of other types than above, none.

    ValueError where the bytes are not records.
    """
    offset, end = 0, len(data)
    try:
        while offset < end:
            kind, misc, size = _HEADER.unpack_from(data, offset)
            if size < _HEADER.size or offset + size > end:
                raise ValueError(f"a perf record of {size} bytes at {offset} of {end}")
            if kind == _SAMPLE:
                yield layout.parse(data, offset, misc)
            elif kind in _PARSERS:
                yield _PARSERS[kind](data[offset : offset + size], misc)
            offset += size
    except struct.error as error:
        raise ValueError(f"a perf record cut short at {offset} of {end}") from error


def _time(record: bytes) -> int:
    time: int = _TIME.unpack_from(record, len(record) - _TIME.size)[0]
    return time


def _fork(record: bytes, _misc: int) -> Fork:
    pid, parent, _, _, time = _TASK.unpack_from(record)
    return Fork(time, pid, parent)


def _exit(record: bytes, _misc: int) -> Exit:
    pid, _, _, _, time = _TASK.unpack_from(record)
    return Exit(time, pid)


def _comm(record: bytes, misc: int) -> Comm:
    pid, _ = _COMM_IDS.unpack_from(record)
    name = record[_COMM_IDS.size : -_SAMPLE_ID_BYTES].split(b"\0", 1)[0]
    return Comm(_time(record), pid, os.fsdecode(name), bool(misc & _MISC_COMM_EXEC))


def _lost(record: bytes, _misc: int) -> Lost:
    return Lost(_time(record), _LOST_COUNT.unpack_from(record)[1])


_PARSERS: dict[int, Callable[[bytes, int], Record]] = {
    _LOST: _lost,
    _COMM: _comm,
    _EXIT: _exit,
    _THROTTLE: lambda record, _misc: Throttled(_time(record)),
    _FORK: _fork,
}
