"""Who runs the programs."""

from __future__ import annotations

import os
from pathlib import Path

from inspector.model.program import CAP_SYS_RAWIO, Credentials

_INITIAL_USER_NAMESPACE = 0xEFFFFFFD
"""PROC_USER_INIT_INO, the inode of /proc/PID/ns/user."""


def current_credentials() -> Credentials:
    """Return the identity a program started now would have, with the capabilities that count.

    CAP_SYS_RAWIO is asked for in the initial user namespace alone (security/commoncap.c:cap_mmap_addr()).
    """
    groups = tuple(sorted(os.getgroups()))
    return Credentials(
        os.getuid(), os.geteuid(), os.getgid(), os.getegid(), groups, _effective_capabilities()
    )


def _effective_capabilities() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            mask = int(line.partition(":")[2], 16)
            return mask if _is_in_initial_user_namespace() else mask & ~CAP_SYS_RAWIO
    return 0


def _is_in_initial_user_namespace() -> bool:
    try:
        return Path("/proc/self/ns/user").stat().st_ino == _INITIAL_USER_NAMESPACE
    except OSError:  # a kernel without user namespaces
        return True
