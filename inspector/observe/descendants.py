"""Ending all that a program has started, wherever it went.

Killing a process group takes most children along, but not one that began a session of its own and whose
parent has ended: nothing in /proc leads from the program to it any more. What a process cannot help passing
on through fork, setsid and execve is its resource limits, and one of them the kernel has kept but not looked
at since Linux 2.4.25: RLIMIT_LOCKS. Its soft value, a number that no one else has, marks all that descends
from the program, and /proc/PID/limits shows it to everyone, also to a guard that outlives the tool.
"""

from __future__ import annotations

import os
import re
import resource
import select
import time
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, pidfd_send_signal

_RLIMIT_LOCKS = 10
"""include/uapi/asm-generic/resource.h; what /proc/PID/limits calls "Max file locks"."""
_MARK_BITS = 62
_PATIENCE_SECONDS = 5.0
_POLL_SECONDS = 0.001


def new_mark() -> int:
    """Return a number to mark one program by."""
    # getrandbits() and secrets would import three modules more at every start.
    return int.from_bytes(os.urandom(8), "little") & (1 << _MARK_BITS) - 1


def mark(pid: int, number: int) -> None:
    """Mark `pid`, which has not forked yet, and thereby all that it will fork."""
    # A hard limit below the number is odd enough to do without: the process group is killed in any case.
    with suppress(ValueError, PermissionError):
        hard = resource.prlimit(pid, _RLIMIT_LOCKS)[1]
        resource.prlimit(pid, _RLIMIT_LOCKS, (number, hard))


def end_marked(number: int) -> None:
    """Kill what bears the mark until nothing does, but do not wait for ever for what is stuck."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while _end_all(number) and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)


def _end_all(number: int) -> int:
    """Return how many were found and killed."""
    return sum(_end(int(each.name), number) for each in Path("/proc").iterdir() if each.name.isdecimal())


def _end(pid: int, number: int) -> bool:
    """Kill process `pid` if it bears the mark; return whether it did and was alive."""
    if not _bears(pid, number):
        return False
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        # Asked again: only now can the number not pass to another.
        if not _bears(pid, number) or _has_ended(process):
            return False
        pidfd_send_signal(process, SIGKILL)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(process)


def _bears(pid: int, number: int) -> bool:
    try:
        limits = Path(f"/proc/{pid}/limits").read_bytes()
    except OSError:
        return False
    return re.search(rb"^Max file locks +%d " % number, limits, re.MULTILINE) is not None


def _has_ended(process: int) -> bool:
    """Whether the process is a zombie, which keeps its limits until it is reaped."""
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(0))
