"""Messages of the process connector: which tell of an end, and what the status in them means."""

from __future__ import annotations

import struct

import pytest

from inspector.model.ending import Ending
from inspector.observe.perf.endings import ending_of_status, parse_exits

EXIT, FORK, ACK = 0x8000_0000, 1, 0


def message(what: int, pid: int = 4712, tgid: int = 4712, code: int = 0x1700, index: int = 1) -> bytes:
    event = struct.pack("=IIQ iiI I ii", what, 0, 99, pid, tgid, code, 17, 4711, 4711)
    return struct.pack("=IHHII IIIIHH", 36 + len(event), 3, 0, 0, 0, index, 1, 0, 0, len(event), 0) + event


@pytest.mark.parametrize(
    ("data", "exits"),
    [
        (message(EXIT), [(4712, 0x1700)]),
        (message(EXIT, pid=4713), []),  # a thread, not the last of its process
        (message(FORK), []),
        (message(ACK), []),
        (message(EXIT, index=2), []),
        (message(EXIT)[:50], []),
        (b"", []),
    ],
)
def test_an_end_is_told_of_a_whole_process(data: bytes, exits: list[tuple[int, int]]) -> None:
    assert list(parse_exits(data)) == exits


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        (0, Ending(status=0)),
        (0xFF00, Ending(status=255)),
        (15, Ending(signal="SIGTERM")),
        (11 | 0x80, Ending(signal="SIGSEGV")),  # and left a core
        (35, Ending(signal="SIG35")),
    ],
)
def test_a_status_is_what_wait_would_store(status: int, ending: Ending) -> None:
    assert ending_of_status(status) == ending
