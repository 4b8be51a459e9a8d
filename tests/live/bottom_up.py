"""The bottom-up layout, as vm.legacy_va_layout=1 gives it to every program: here by personality, to one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.model.program import Personality
from tests.live.stop_at_exec import Witnessed, witness_exec

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program


def searching_from_below(profile: MachineProfile) -> MachineProfile:
    """Return this machine as it would be with vm.legacy_va_layout=1."""
    layouts = {name: replace(layout, bottom_up=True) for name, layout in profile.layouts.items()}
    return replace(profile, layouts=layouts)


def witness_from_below(witness: Path, program: Program) -> Witnessed:
    """Stop `program` at exec as on such a machine."""
    personality = program.personality | Personality.ADDR_COMPAT_LAYOUT
    return witness_exec(witness, program, "--personality", f"{personality.value:x}")
