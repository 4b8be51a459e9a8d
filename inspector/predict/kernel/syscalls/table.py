"""The table of system calls that are modelled."""

from __future__ import annotations

from inspector.predict.kernel.syscalls import (
    changes,
    children,
    descriptors,
    identity,
    ioctl,
    memory,
    opening,
    pipe,
    process,
    read_write,
    readdir,
    sched,
    select,
    signals,
    socket,
    stat,
    time,
)
from inspector.predict.kernel.syscalls.registry import HANDLERS, Entry

MODULES = (
    changes,
    children,
    descriptors,
    identity,
    ioctl,
    memory,
    opening,
    pipe,
    process,
    read_write,
    readdir,
    sched,
    signals,
    select,
    socket,
    stat,
    time,
)
"""Importing a module enters its calls."""


def entry(number: int) -> Entry | None:
    """Return the system call `number`, or None if it is not modelled."""
    return HANDLERS.get(number)
