"""What a rule is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A fact about Linux, the CPU or gdb that a prediction, a tolerance or an explanation rests on."""

    id: str
    statement: str
    """One sentence."""
    reason: str
    source: str
    """Where Linux says so: `fs/binfmt_elf.c:load_elf_binary()`."""
