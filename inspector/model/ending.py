"""How a process ends: the same type whether predicted or observed."""

from __future__ import annotations

from dataclasses import dataclass

from inspector.model.address import VirtAddr
from inspector.model.siginfo import si_code_name


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

    @property
    def in_full(self) -> str:
        """`SIGSEGV, si_code 1 (SEGV_MAPERR), address 0x0`."""
        parts = [str(self)]
        if self.code is not None:
            name = si_code_name(self.signal or "", self.code)
            parts.append(f"si_code {self.code}" + (f" ({name})" if name else ""))
        if self.address is not None:
            parts.append(f"address {self.address:#x}")
        return ", ".join(parts)
