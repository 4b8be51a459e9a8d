"""inspector: predict what Linux does when it loads a program, then prove it on the live process.

The three verbs of the package are `predict`, `observe` and `reconcile`. Each is a package that can be
called by its own name; it is imported on first use, so that a command pays only for the wing it walks in.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspector.observe import observe as observe
    from inspector.predict import predict as predict
    from inspector.reconcile import reconcile as reconcile

__all__ = ["__version__", "observe", "predict", "reconcile"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import a verb when it is first asked for (PEP 562)."""
    if name in {"predict", "observe", "reconcile"}:
        return import_module(f"inspector.{name}")
    raise AttributeError(f"module 'inspector' has no attribute {name!r}")
