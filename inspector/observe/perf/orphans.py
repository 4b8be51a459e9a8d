"""Ending what a program leaves behind, also where it has left its process group.

A killed process group takes most children along. One that has begun a session of its own is found by its
number, known from the recording, and a number alone may by then be someone else's. So orphans are made
ours (PR_SET_CHILD_SUBREAPER): the number of a child that is not yet reaped is nobody else's.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager, suppress
from signal import SIGKILL
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37
_WALL = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Become the parent of the orphans of processes started meanwhile."""
    before = ctypes.c_int(0)
    _libc.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before))
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))
    try:
        yield
    finally:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(before.value))


def end_orphans(pids: Iterable[int]) -> bool:
    """Kill and reap those of `pids` that are our children; return whether there was any.

    What they leave behind becomes ours in turn, so it is to be called until there is none.
    """
    found = False
    for pid in pids:
        with suppress(ChildProcessError):  # not ours: its parent has reaped it, or lives
            if os.waitpid(pid, os.WNOHANG | _WALL) == (0, 0):
                os.kill(pid, SIGKILL)
            found = True
    return found
