"""A tiny program of our own, run from breakpoint to breakpoint; for probes that execute something."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from signal import SIGTRAP
from typing import TYPE_CHECKING

from inspector.errors import CannotObserve
from inspector.model.prediction import Outcome
from inspector.model.program import BASE_ENVIRONMENT, Program
from inspector.observe import ptrace
from inspector.observe.credentials import current_credentials
from inspector.observe.launch import Launched, anonymous_executable, launch

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
        stop = self._launched.wait(_SECONDS)
        if not isinstance(stop, ptrace.Stopped) or stop.signal != SIGTRAP:
            raise CannotObserve(f"the probe program failed ({stop})", help="see `inspector doctor`")
        return self._launched.registers()

    def call(self, address: int, *, eax: int = 0, ecx: int = 0) -> Registers:
        """Run from `address`, with these registers, to the next breakpoint."""
        ptrace.set_registers(self.pid, replace(self._launched.registers(), eip=address, eax=eax, ecx=ecx))
        return self.run()


@contextmanager
def tiny_process(image: bytes) -> Iterator[TinyProcess]:
    """Start the ELF file `image` and yield it at its first breakpoint; it is killed at the end.

    Raises LaunchFailed or CannotObserve.
    """
    descriptor = anonymous_executable(image)
    try:
        path = f"/proc/{os.getpid()}/fd/{descriptor}"
        program = Program(
            path=path,
            argv=("probe",),
            envp=BASE_ENVIRONMENT,
            requested=path,
            credentials=current_credentials(),
            cwd="/",
        )
        with launch(program) as launched:
            if launched.verdict.outcome is not Outcome.RUNS:
                raise CannotObserve(
                    f"the probe program did not start ({launched.verdict})", help="see `inspector doctor`"
                )
            process = TinyProcess(launched)
            process.run()
            yield process
    finally:
        os.close(descriptor)
