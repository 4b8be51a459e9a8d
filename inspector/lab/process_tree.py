"""All that a program has started, as long as it runs, and as long as anything of it is left.

A process that a hostile program leaves behind, in a session of its own and with limits of its own choice,
becomes a child of the nearest ancestor that has asked for orphans (prctl(2), PR_SET_CHILD_SUBREAPER): ask for
them, and no descendant is ever out of reach.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE_SECONDS = 10.0
_POLL_SECONDS = 0.001
_PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")


@contextmanager
def adopting() -> Iterator[Adopted]:
    """Become the parent of orphans among our descendants; afterwards kill and reap what began meanwhile."""
    prctl = ctypes.CDLL(None).prctl
    adopted = Adopted()
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield adopted
    finally:
        adopted.end()
        prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


class Adopted:
    """The descendants of this process, but for the children it has already and theirs."""

    def __init__(self) -> None:
        self._others = frozenset(_children()[os.getpid()])

    def address_spaces_bytes(self) -> int:
        """Return the size of all their address spaces together.

        Not what is resident: pages of a shared mapping that its process has let go stay where no process
        shows them, but no page is there that was never mapped. Source: fs/proc/task_mmu.c:task_statm().
        """
        children = _children()
        found = self._own(children)
        pages = 0
        for pid in found:
            found += children[pid]
            with suppress(OSError, ValueError, IndexError):
                pages += int(Path(f"/proc/{pid}/statm").read_bytes().split()[0])
        return pages * _PAGE_SIZE

    def end(self) -> None:
        """Kill and reap them until there are none: the death of one makes its own children ours.

        What is stuck in the kernel is not waited for without end.
        """
        end = time.monotonic() + _PATIENCE_SECONDS
        while (left := self._own(_children())) and time.monotonic() < end:
            for child in left:
                with suppress(OSError):
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, os.WNOHANG)
            time.sleep(_POLL_SECONDS)

    def _own(self, children: dict[int, list[int]]) -> list[int]:
        return [child for child in children[os.getpid()] if child not in self._others]


def _children() -> dict[int, list[int]]:
    """Return the children of each process, by /proc/PID/stat: the fourth field is the parent."""
    found: dict[int, list[int]] = defaultdict(list)
    for name in os.listdir("/proc"):  # noqa: PTH208 - ten times a second
        if name.isdecimal():
            with suppress(OSError, ValueError, IndexError):
                # The name, in parentheses, may hold anything; what follows the last of them does not.
                fields = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
                found[int(fields[1])].append(int(name))
    return found
