"""Wing 2: what Linux did. It never imports `inspector.predict`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from inspector.verb import Verb

if TYPE_CHECKING:
    from inspector.observe.controller import observe as observe
    from inspector.observe.live import observe_pid as observe_pid

__all__ = ["observe", "observe_pid"]

sys.modules[__name__].__class__ = Verb


def __getattr__(name: str) -> object:
    """Import gdb's side only for those who drive a program (PEP 562)."""
    if name == "observe":
        from inspector.observe.controller import observe

        return observe
    if name == "observe_pid":
        from inspector.observe.live import observe_pid

        return observe_pid
    raise AttributeError(f"module 'inspector.observe' has no attribute {name!r}")
