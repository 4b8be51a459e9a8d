"""What the system calls itself."""

from __future__ import annotations

import os
from pathlib import Path

from inspector.model.profile import SystemNames


def system_names() -> SystemNames:
    """Return what uname tells beside release and machine."""
    names = os.uname()
    try:
        domain = Path("/proc/sys/kernel/domainname").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        domain = "(none)"
    return SystemNames(names.nodename, names.version, domain)
