"""Handlers registered at run time, which are asked before the kernel's own. Source: fs/binfmt_misc.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.model.profile import BinfmtMisc


def search_binfmt_handler(handlers: Sequence[BinfmtMisc], buffer: bytes, path: str) -> BinfmtMisc | None:
    """Return the handler that takes a file called `path` that begins with `buffer`; None if none does."""
    return next((handler for handler in handlers if _takes(handler, buffer, path)), None)


def _takes(handler: BinfmtMisc, buffer: bytes, path: str) -> bool:
    if not handler.magic:
        return "." in path and path.rpartition(".")[2] == handler.extension
    seen = buffer[handler.offset : handler.offset + len(handler.magic)]
    return len(seen) == len(handler.magic) and not any(
        (byte ^ wanted) & mask for byte, wanted, mask in zip(seen, handler.magic, handler.mask, strict=True)
    )
