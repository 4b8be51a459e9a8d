"""How much memory this machine has. Asked at the start of every command: it can change at any time."""

from __future__ import annotations

import os

from inspector.model.address import PAGE_SIZE


def ram_bytes() -> int:
    """Return the memory the kernel has to give (totalram_pages())."""
    return os.sysconf("SC_PHYS_PAGES") * PAGE_SIZE


def swap_bytes() -> int:
    """Return the swap space there is, used or not; 0 where /proc does not tell."""
    try:
        with open("/proc/meminfo", "rb") as meminfo:  # noqa: PTH123
            for line in meminfo:
                if line.startswith(b"SwapTotal:"):
                    return int(line.split()[1]) << 10
    except (OSError, ValueError, IndexError):
        return 0
    return 0
