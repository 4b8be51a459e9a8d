"""Bytes as perf writes them into its ring, written down from include/uapi/linux/perf_event.h."""

from __future__ import annotations

import struct

LOST, COMM, EXIT, THROTTLE, UNTHROTTLE, FORK, SAMPLE = 2, 3, 4, 5, 6, 7, 9
KERNEL, USER = 1, 2
COMM_EXEC = 1 << 13


def record(kind: int, body: bytes, misc: int = 0) -> bytes:
    assert len(body) % 8 == 0
    return struct.pack("<IHH", kind, misc, 8 + len(body)) + body


def sample_id(pid: int, time: int) -> bytes:
    return struct.pack("<IIQ", pid, pid, time)


def software_sample(time: int, pid: int, address: int, ip: int, misc: int = USER) -> bytes:
    return record(SAMPLE, struct.pack("<QIIQQ", ip, pid, pid, time, address), misc)


def tracepoint_sample(
    time: int, pid: int, tracepoint: int, address: int, ip: int, error_code: int, word: str = "Q"
) -> bytes:
    raw = struct.pack(f"<HBBi3{word}", tracepoint, 0, 0, pid, address, ip, error_code)
    raw += bytes(-(len(raw) + 4) % 8)
    return record(SAMPLE, struct.pack("<IIQI", pid, pid, time, len(raw)) + raw, misc=KERNEL)


def fork(time: int, pid: int, parent: int, tid: int | None = None) -> bytes:
    return record(
        FORK, struct.pack("<IIIIQ", pid, parent, tid or pid, parent, time) + sample_id(parent, time)
    )


def end(time: int, pid: int, tid: int | None = None) -> bytes:
    return record(EXIT, struct.pack("<IIIIQ", pid, 1, tid or pid, 1, time) + sample_id(pid, time))


def comm(time: int, pid: int, name: bytes, *, by_exec: bool = False) -> bytes:
    padded = (name + b"\0").ljust(-(-(len(name) + 1) // 8) * 8, b"\0")
    body = struct.pack("<II", pid, pid) + padded + sample_id(pid, time)
    return record(COMM, body, COMM_EXEC if by_exec else 0)


def lost(time: int, count: int) -> bytes:
    return record(LOST, struct.pack("<QQ", 77, count) + sample_id(1, time))


def throttle(time: int, kind: int = THROTTLE) -> bytes:
    return record(kind, struct.pack("<QQQ", time, 77, 77) + sample_id(1, time))


def format_text(name: str, number: int, word: int = 8, fields: tuple[str, ...] = ()) -> str:
    """Return a format file as kernel/trace/trace_events.c prints it; an `unsigned long` has `word` bytes."""
    lines = [
        f"name: {name}",
        f"ID: {number}",
        "format:",
        "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;",
        "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;",
        "\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;",
        "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;",
        "",
    ]
    for place, field in enumerate(fields or ("address", "ip", "error_code")):
        lines.append(f"\tfield:unsigned long {field};\toffset:{8 + place * word};\tsize:{word};\tsigned:0;")
    printed = '"address=%ps ip=%ps error_code=0x%lx", (void *)REC->address, (void *)REC->ip, REC->error_code'
    return "\n".join([*lines, "", f"print fmt: {printed}", ""])
