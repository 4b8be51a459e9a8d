"""Tracepoints of the kernel: their number, and where their fields lie in a sample.

tracefs need not be mounted. Where it is not, root opens one of its own that is attached to no directory
(fsmount, Linux 5.2): it is seen by nobody else and gone when its descriptor is closed.

    name: page_fault_user
    ID: 190
    format:
            field:unsigned short common_type;       offset:0;       size:2; signed:0;
            field:unsigned long address;    offset:8;       size:8; signed:0;
"""

from __future__ import annotations

import ctypes
import os
import re
from dataclasses import dataclass

_MOUNTED_AT = "/sys/kernel/tracing"
# The numbers are the same on every architecture.
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_CLOEXEC = 1
_FSCONFIG_CMD_CREATE = 6

_ID = re.compile(r"^ID: (\d+)$", re.MULTILINE)
_FIELD = re.compile(r"field:[^;]*?(\w+);\s*offset:(\d+);\s*size:(\d+);", re.ASCII)

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Field:
    """Where a field lies in the raw data of a sample, in bytes."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Tracepoint:
    """One tracepoint of this kernel."""

    name: str
    id: int
    fields: dict[str, Field]


def parse_format(text: str, name: str) -> Tracepoint:
    """Return what a `format` file says; ValueError if it is not one."""
    number = _ID.search(text)
    fields = {match[1]: Field(int(match[2]), int(match[3])) for match in _FIELD.finditer(text)}
    if number is None or "common_type" not in fields:
        raise ValueError(f"{name}: not the format of a tracepoint")
    return Tracepoint(name, int(number[1]), fields)


def read_tracepoint(name: str) -> Tracepoint:
    """Return a tracepoint by its name, `exceptions:page_fault_user`.

    OSError if it may not be read here or the kernel has none, ValueError if its format is not understood.
    """
    path = f"events/{name.replace(':', '/')}/format"
    try:
        descriptor = os.open(f"{_MOUNTED_AT}/{path}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        root = _detached_mount()
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=root)
        finally:
            os.close(root)
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        return parse_format(file.read(), name)


def _detached_mount() -> int:
    context = _call(_FSOPEN, b"tracefs", _CLOEXEC)
    try:
        _call(_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0)
        return _call(_FSMOUNT, context, _CLOEXEC, 0)
    finally:
        os.close(context)


def _call(number: int, *arguments: object) -> int:
    result: int = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"tracefs: {os.strerror(number)}")
    return result
