"""The traced process, held by a pidfd: a signal meant for it never reaches a stranger with its old pid."""

from __future__ import annotations

import os
import select
import signal
from typing import TYPE_CHECKING

from inspector.errors import CannotObserve, ProcessVanished
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.procfs.status import parse_status

if TYPE_CHECKING:
    from signal import Signals


class Target:
    """A process that is not ours to wait for."""

    def __init__(self, pid: int) -> None:
        """Take hold of `pid`. Raises ProcessVanished, or CannotObserve where the kernel has no pidfd."""
        self.pid = pid
        try:
            self._pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            raise ProcessVanished(
                f"there is no process {pid} (any more)", help="It has ended; start it again."
            ) from None
        except OSError as error:
            raise CannotObserve(
                f"process {pid}: pidfd_open failed: {error.strerror}", help="it takes Linux 5.3 or newer"
            ) from error

    def signal(self, number: Signals) -> None:
        """Send a signal; none is sent, and nothing said, if the process has ended."""
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return

    def tracer(self) -> int:
        """Return the pid of the process that traces this one, 0 if none does."""
        with ProcessFiles(self.pid) as files:
            return parse_status(files.status()).tracer_pid

    def why_gone(self) -> ProcessVanished | None:
        """Return the error to raise if this process has ended; None if it has not."""
        if not self.has_ended(0):
            return None
        return ProcessVanished(f"process {self.pid} ended while gdb was at it", help="start it again")

    def why_not_traced(self) -> CannotObserve | None:
        """Return the error to raise if another process traces this one; None if none does."""
        tracer = self.tracer()
        if not tracer:
            return None
        return CannotObserve(
            f"process {self.pid} is already traced, by process {tracer}", help="end that one first"
        )

    def has_ended(self, timeout: float) -> bool:
        """Wait for the end of the process, `timeout` seconds at most; a zombie has ended."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(timeout * 1000))

    def close(self) -> None:
        """Let go of the process."""
        os.close(self._pidfd)
