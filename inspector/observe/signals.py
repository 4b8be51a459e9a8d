"""What a signal would do to a process, from the masks in /proc/PID/status."""

from __future__ import annotations

from signal import (
    SIGBUS,
    SIGCHLD,
    SIGCONT,
    SIGFPE,
    SIGILL,
    SIGSEGV,
    SIGSTOP,
    SIGTRAP,
    SIGTSTP,
    SIGTTIN,
    SIGTTOU,
    SIGURG,
    SIGWINCH,
)

from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.procfs.status import parse_status

_HARMLESS = frozenset({SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU})
"""Default action: ignore, stop or continue (signal(7))."""
_FAULTS = frozenset({SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP})


def is_fatal(pid: int, number: int, code: int | None) -> bool:
    """Whether delivering signal `number` with `si_code` now ends process `pid`.

    A fault's signal is forced: blocking or ignoring it does not help.
    Source: kernel/signal.c:force_sig_info_to_task(), get_signal().
    """
    with ProcessFiles(pid) as files:
        status = parse_status(files.status())
    forced = number in _FAULTS and code is not None and code > 0
    if forced:
        return number not in status.sig_cgt or number in status.sig_blk
    return number not in _HARMLESS | status.sig_cgt | status.sig_ign
