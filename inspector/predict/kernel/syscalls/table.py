"""The table of system calls that are modelled."""

from __future__ import annotations

from inspector.predict.kernel.syscalls import (
    children,
    descriptors,
    identity,
    ioctl,
    memory,
    opening,
    process,
    read_write,
    readdir,
    sched,
    stat,
    time,
)
from inspector.predict.kernel.syscalls.registry import HANDLERS, Entry

MODULES = (
    children,
    descriptors,
    identity,
    ioctl,
    memory,
    opening,
    process,
    read_write,
    readdir,
    sched,
    stat,
    time,
)
"""Importing a module enters its calls."""


def entry(number: int) -> Entry | None:
    """Return the system call `number`, or None if it is not modelled."""
    return HANDLERS.get(number)
