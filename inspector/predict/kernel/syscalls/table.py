"""The table of system calls that are modelled."""

from __future__ import annotations

from inspector.predict.kernel.syscalls import (  # noqa: F401 - importing a module enters its calls
    changes,
    children,
    descriptors,
    identity,
    ioctl,
    memfd,
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


def entry(number: int) -> Entry | None:
    """Return the system call `number`, or None if it is not modelled."""
    return HANDLERS.get(number)
