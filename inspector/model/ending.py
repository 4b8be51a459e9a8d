"""How a process ends: the same type whether predicted or observed."""

from __future__ import annotations

from dataclasses import dataclass

from inspector.model.address import VirtAddr


@dataclass(frozen=True, slots=True)
class Ending:
    """An exit status, or the signal that ended the process with its si_code and address."""

    status: int | None = None
    signal: str | None = None
    code: int | None = None
    address: VirtAddr | None = None

    def __str__(self) -> str:
        """`exit 0` or `SIGSEGV`."""
        return f"exit {self.status}" if self.signal is None else self.signal
