"""Who runs the programs."""

from __future__ import annotations

import os
from pathlib import Path

from inspector.model.program import Credentials


def current_credentials() -> Credentials:
    """Return the identity a program started now would have."""
    groups = tuple(sorted(os.getgroups()))
    return Credentials(
        os.getuid(), os.geteuid(), os.getgid(), os.getegid(), groups, _effective_capabilities()
    )


def _effective_capabilities() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            return int(line.partition(":")[2], 16)
    return 0
