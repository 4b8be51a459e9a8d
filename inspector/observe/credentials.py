"""Who runs the programs."""

from __future__ import annotations

import os

from inspector.model.program import Credentials


def current_credentials() -> Credentials:
    """Return the identity a program started now would have."""
    return Credentials(os.getuid(), os.geteuid(), os.getgid(), os.getegid(), tuple(sorted(os.getgroups())))
