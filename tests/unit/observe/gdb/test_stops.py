"""What gdb 13 and gdb 18 wrote, in recorded transcripts, and what it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.model.address import VirtAddr
from inspector.observe.gdb.mi import ExecRecord, RecordReader, StrayRecord, parse_line
from inspector.observe.gdb.stops import (
    BreakpointHit,
    Execed,
    Exited,
    Forked,
    KilledBy,
    Paused,
    SignalReceived,
    Stop,
    SyscallEntry,
    SyscallReturn,
    parse_stop,
    signal_name,
    signal_number,
    stop_address,
)

TRANSCRIPTS = Path(__file__).parents[3] / "golden" / "mi"
SIGSTOP, SIGTRAP, SIGTSTP = (
    SignalReceived(name, signal_number(name)) for name in ("SIGSTOP", "SIGTRAP", "SIGTSTP")
)

SITUATIONS: dict[str, list[Stop]] = {
    "hello": [Paused(""), BreakpointHit(VirtAddr(0x8049715), 2), SyscallEntry(252, "exit_group"), Exited(3)],
    "segv": [Paused(""), SignalReceived("SIGSEGV", 11), KilledBy("SIGSEGV")],
    "execs": [Paused(""), Execed("/stage/hello--static"), Exited(3)],
    # Each stop signal twice: about to be delivered, and having stopped the process. SIGTSTP, alone in its
    # process group's session, stops nothing.
    "stops_itself": [Paused(""), SIGSTOP, SIGSTOP, SIGTSTP, SIGSTOP, SIGSTOP, Exited(5)],
    "int3": [Paused(""), SIGTRAP, KilledBy("SIGTRAP")],
    "late_error": [Paused("")],
}


def stops_in(transcript: Path) -> list[ExecRecord]:
    reader = RecordReader()
    records = [*reader.feed(transcript.read_bytes()), *reader.finish()]
    assert not [record for record in records if isinstance(record, StrayRecord)]
    return [record for record in records if isinstance(record, ExecRecord) and record.name == "stopped"]


@pytest.mark.parametrize("version", ["gdb13", "gdb18"])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_recorded_stops(version: str, situation: str) -> None:
    stops = [parse_stop(record.results) for record in stops_in(TRANSCRIPTS / version / f"{situation}.mi")]
    assert stops == SITUATIONS[situation]


@pytest.mark.parametrize("version", ["gdb13", "gdb18"])
def test_recorded_forks(version: str) -> None:
    _, fork, vfork, end = [
        parse_stop(record.results) for record in stops_in(TRANSCRIPTS / version / "forks.mi")
    ]
    assert isinstance(fork, Forked)
    assert isinstance(vfork, Forked)
    assert (fork.shares_memory, vfork.shares_memory) == (False, True)
    assert fork.child != vfork.child
    assert end == Exited(5)


@pytest.mark.parametrize("version", ["gdb13", "gdb18"])
def test_a_process_that_is_gone_has_no_address(version: str) -> None:
    addresses = [stop_address(record.results) for record in stops_in(TRANSCRIPTS / version / "segv.mi")]
    assert addresses[-1] is None
    assert None not in addresses[:-1]


PAYLOADS: dict[str, Stop] = {
    'reason="exited-normally"': Exited(0),
    'reason="exited",exit-code="0377"': Exited(255),
    'reason="exited",exit-code="nine"': Paused("exited"),
    'reason="exited"': Paused("exited"),
    'reason="breakpoint-hit",bkptno="1"': Paused("breakpoint-hit"),
    'reason="breakpoint-hit",bkptno="1",frame={addr="<unavailable>"}': Paused("breakpoint-hit"),
    'reason="syscall-return",syscall-number="999"': SyscallReturn(999, "999"),
    'reason="signal-received",signal-name="SIG34"': SignalReceived("SIG34", 34),
    'reason="signal-received",signal-name="SIGLOST"': SignalReceived("SIGLOST", 0),
    'reason="signal-received",signal-name="0"': Paused("signal-received"),
    'reason="solib-event"': Paused("solib-event"),
    'reason={odd="one"}': Paused(""),
}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_payloads(payload: str) -> None:
    record = parse_line(f"*stopped,{payload}")
    assert isinstance(record, ExecRecord)
    assert parse_stop(record.results) == PAYLOADS[payload]


def test_signals_have_names_and_numbers() -> None:
    assert (signal_name(11), signal_name(34), signal_name(99)) == ("SIGSEGV", "SIG34", "SIG99")
    assert (signal_number("SIGBUS"), signal_number("SIG40"), signal_number("SIGEMT")) == (7, 40, 0)
