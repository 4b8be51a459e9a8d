"""Records out of a ring's bytes."""

from __future__ import annotations

import pytest

from inspector.observe.perf.records import (
    Comm,
    Exit,
    Fork,
    Lost,
    Sample,
    SoftwareLayout,
    Throttled,
    TimeLayout,
    TracepointLayout,
    parse_records,
)
from inspector.observe.perf.tracefs import parse_format
from tests.unit.observe.perf import perf_bytes as raw

USER_ID, KERNEL_ID = 190, 189


def tracepoints(word: int = 8) -> TracepointLayout:
    return TracepointLayout(
        parse_format(raw.format_text("page_fault_user", USER_ID, word), "user"),
        parse_format(raw.format_text("page_fault_kernel", KERNEL_ID, word), "kernel"),
    )


def test_each_record_is_what_the_kernel_wrote() -> None:
    cases = [
        (raw.comm(1, 10, b"hello", by_exec=True), Comm(1, 10, "hello", by_exec=True)),
        (raw.comm(2, 10, b"fifteen bytes!!"), Comm(2, 10, "fifteen bytes!!", by_exec=False)),
        (raw.comm(2, 10, b"a\xff b"), Comm(2, 10, "a\udcff b", by_exec=False)),
        (raw.fork(3, 11, 10), Fork(3, 11, 10)),
        (raw.fork(4, 11, 11, tid=12), Fork(4, 11, 11)),
        (raw.lost(5, 42), Lost(5, 42)),
        (raw.throttle(6), Throttled(6)),
        (raw.end(7, 11, tid=12), Exit(7, 11)),
    ]
    for data, expected in cases:
        assert list(parse_records(data, SoftwareLayout())) == [expected]
    together = b"".join(data for data, _ in cases)
    assert list(parse_records(together, tracepoints())) == [expected for _, expected in cases]


def test_the_software_event_tells_mode_address_and_ip() -> None:
    data = raw.software_sample(8, 10, 0x80EB123, 0x8049000) + raw.software_sample(
        9, 11, 0xFFFFD000, 0xFFFFFFFF81000000, raw.KERNEL
    )
    assert list(parse_records(data, SoftwareLayout())) == [
        Sample(8, 10, True, 0x80EB123, 0x8049000, None),
        Sample(9, 11, False, 0xFFFFD000, 0xFFFFFFFF81000000, None),
    ]


@pytest.mark.parametrize(("word", "letter"), [(8, "Q"), (4, "I")], ids=["64-bit kernel", "32-bit kernel"])
def test_the_tracepoints_tell_the_error_code_too(word: int, letter: str) -> None:
    data = raw.tracepoint_sample(8, 10, USER_ID, 0x80EB123, 0x8049000, 7, letter) + raw.tracepoint_sample(
        9, 10, KERNEL_ID, 0x80EC000, 0xC1000000, 2, letter
    )
    assert list(parse_records(data, tracepoints(word))) == [
        Sample(8, 10, True, 0x80EB123, 0x8049000, 7),
        Sample(9, 10, False, 0x80EC000, 0xC1000000, 2),
    ]


def test_records_of_other_types_are_passed_over() -> None:
    data = raw.record(10, bytes(72)) + raw.throttle(1, raw.UNTHROTTLE) + raw.lost(2, 1)
    assert list(parse_records(data, SoftwareLayout())) == [Lost(2, 1)]


def test_what_is_cut_short_is_no_record() -> None:
    whole = raw.fork(3, 11, 10) + raw.software_sample(8, 10, 1, 2) + raw.comm(9, 11, b"x")
    starts = {0, len(raw.fork(3, 11, 10)), len(raw.fork(3, 11, 10)) + len(raw.software_sample(8, 10, 1, 2))}
    for length in range(len(whole)):
        if length in starts:
            assert len(list(parse_records(whole[:length], SoftwareLayout()))) == sorted(starts).index(length)
        else:
            with pytest.raises(ValueError, match="perf record"):
                list(parse_records(whole[:length], SoftwareLayout()))


def test_a_record_of_no_size_does_not_hold_the_reader_up() -> None:
    with pytest.raises(ValueError, match="0 bytes"):
        list(parse_records(bytes(16), SoftwareLayout()))


@pytest.mark.parametrize(
    "fields", [("address", "ip"), ("ip", "address", "error_code"), ("address", "ip", "error")], ids=str
)
def test_tracepoints_with_other_fields_are_refused_not_misread(fields: tuple[str, ...]) -> None:
    odd = parse_format(raw.format_text("page_fault_user", USER_ID, fields=fields), "page_fault_user")
    good = parse_format(raw.format_text("page_fault_kernel", KERNEL_ID), "kernel")
    with pytest.raises(ValueError, match="page_fault_user"):
        TracepointLayout(odd, good)


def test_both_tracepoints_must_lay_out_their_fields_alike() -> None:
    user = parse_format(raw.format_text("page_fault_user", USER_ID, 8), "user")
    kernel = parse_format(raw.format_text("page_fault_kernel", KERNEL_ID, 4), "kernel")
    with pytest.raises(ValueError, match="differ"):
        TracepointLayout(user, kernel)


def test_of_an_event_of_which_only_the_time_is_wanted_the_time_is_read() -> None:
    data = raw.record(raw.SAMPLE, (7).to_bytes(8, "little")) + raw.lost(8, 2)
    assert [record.time for record in parse_records(data, TimeLayout())] == [7, 8]
