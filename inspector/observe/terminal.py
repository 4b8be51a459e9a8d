"""The program's own terminal: a raw pseudo-terminal, if there is one to be had, that is always drained.

What the program prints goes here and nowhere else, so it can neither block for want of a reader nor
be mistaken for gdb's words.
"""

from __future__ import annotations

import contextlib
import os
import threading
import tty

DEVPTS_FIX = "mount -t devpts devpts /dev/pts"
"""What gives programs a terminal where there is none to be had."""
_KEPT_BYTES = 1 << 20
"""Output beyond this is read and forgotten."""


class Terminal:
    """A pseudo-terminal; `slave` is the program's side until `start` gives it away.

    Where there is none to be had it is a pipe, and `note` says so: a program can tell, and most C libraries
    then write in blocks rather than in lines.
    """

    def __init__(self) -> None:
        """Open the pair; `start` begins to read."""
        self.note: str | None = None
        try:
            self._master, self.slave = os.openpty()
        except OSError as error:
            self._master, self.slave = os.pipe()
            self.note = f"no pseudo-terminal ({error.strerror}; {DEVPTS_FIX}): it wrote to a pipe"
        else:
            tty.setraw(self.slave)
        self._kept = bytearray()
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Begin to drain, after the program has inherited the slave side."""
        os.close(self.slave)
        self.slave = -1
        reader = threading.Thread(target=self._drain, name="terminal", daemon=True)
        reader.start()
        self._reader = reader

    def _drain(self) -> None:
        try:
            # OSError is EIO: the last process that held the slave side is gone.
            with contextlib.suppress(OSError):
                while data := os.read(self._master, 65536):
                    self._kept += data[: _KEPT_BYTES - len(self._kept)]
        finally:
            # By this thread alone: a number closed elsewhere could be another file's at the next read.
            os.close(self._master)

    @property
    def output(self) -> bytes:
        """What was printed so far, capped."""
        return bytes(self._kept)

    def close(self) -> None:
        """Wait for the last output and close both sides; may be called twice."""
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1
        if self._reader is not None:
            # A process that escaped us may keep the slave open for ever: its output is not waited for.
            self._reader.join(timeout=0.5)
        elif self._master >= 0:
            os.close(self._master)
            self._master = -1
