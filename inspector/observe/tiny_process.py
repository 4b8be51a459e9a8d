"""A tiny program of our own, run from breakpoint to breakpoint; for probes that execute something."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from signal import SIGTRAP
from typing import TYPE_CHECKING

from inspector.errors import CannotObserve
from inspector.model.prediction import Outcome
from inspector.observe import ptrace
from inspector.observe.anonymous import anonymous_executable
from inspector.observe.launch import Launched, launch
from inspector.observe.probe_launch import probe_launch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.registers import Registers

_SECONDS = 10.0


class TinyProcess:
    """The running program, stopped between calls."""

    def __init__(self, launched: Launched) -> None:
        """Take over a program at its exec; `tiny_process` calls this."""
        self._launched = launched
        self.pid = launched.pid

    def run(self) -> Registers:
        """Run to the next breakpoint. Raises CannotObserve if the program stops for anything else."""
        ptrace.resume(self.pid)
        return self._stopped_by(SIGTRAP)

    def call(self, address: int, **registers: int) -> Registers:
        """Run from `address`, with these registers, to the next breakpoint."""
        self._jump(address, registers)
        return self.run()

    def call_into_signal(self, address: int, signal: int, **registers: int) -> Registers:
        """Run from `address` into `signal`, which the program is not told of."""
        self._jump(address, registers)
        ptrace.resume(self.pid)
        return self._stopped_by(signal)

    def call_into_handler(self, address: int, signal: int, **registers: int) -> Registers:
        """Run from `address` into `signal`, and then to the breakpoint in its handler."""
        self._jump(address, registers)
        ptrace.resume(self.pid)
        self._stopped_by(signal)
        ptrace.resume(self.pid, signal)
        return self._stopped_by(SIGTRAP)

    def _jump(self, address: int, registers: dict[str, int]) -> None:
        ptrace.set_registers(self.pid, replace(self._launched.registers(), eip=address, **registers))

    def _stopped_by(self, signal: int) -> Registers:
        stop = self._launched.wait(_SECONDS)
        if not isinstance(stop, ptrace.Stopped) or stop.signal != signal:
            raise CannotObserve(f"the probe program failed ({stop})", help="see `inspector doctor`")
        return self._launched.registers()


@contextmanager
def tiny_process(image: bytes) -> Iterator[TinyProcess]:
    """Start the ELF file `image` and yield it at its first breakpoint; it is killed at the end.

    Raises LaunchFailed or CannotObserve.
    """
    descriptor = anonymous_executable(image)
    try:
        with launch(probe_launch(f"/proc/{os.getpid()}/fd/{descriptor}")) as launched:
            if launched.verdict.outcome is not Outcome.RUNS:
                raise CannotObserve(
                    f"the probe program did not start ({launched.verdict})", help="see `inspector doctor`"
                )
            process = TinyProcess(launched)
            process.run()
            yield process
    finally:
        os.close(descriptor)
