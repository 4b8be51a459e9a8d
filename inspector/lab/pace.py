"""How slow this machine is: time limits of exercises are for an ordinary one, and grow with it."""

from __future__ import annotations

import hashlib
import time

_WORK = bytes(1 << 20)
_ROUNDS = 4
_ORDINARY_SECONDS = 0.012
"""What the work takes on a desktop of 2020: SHA-256 of 4 MiB at some 350 MB/s."""
_MOST = 20.0


def machine_pace() -> float:
    """Return by how much a time limit is to be multiplied here: 1 on an ordinary machine, more on a slow one.

    The best of three tries counts, so that what else runs does not make a machine slow.
    """
    best = min(_tried() for _ in range(3))
    return min(max(1.0, best / _ORDINARY_SECONDS), _MOST)


def _tried() -> float:
    start = time.perf_counter()
    for _ in range(_ROUNDS):
        hashlib.sha256(_WORK).digest()
    return time.perf_counter() - start
