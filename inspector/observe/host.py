"""Facts about the machine an observation is made on, for its reader."""

from __future__ import annotations

import os

from inspector.model.observation import Host


def host_facts(*, gdb: str | None, sees_pfn: bool) -> Host:
    """Return the facts that stand in a recording."""
    system = os.uname()
    return Host(kernel=system.release, machine=system.machine, gdb=gdb, uid=os.geteuid(), sees_pfn=sees_pfn)
