"""Handlers registered at run time, which are asked before the kernel's own. Source: fs/binfmt_misc.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.elf.file import ExecutableFile
    from inspector.model.profile import BinfmtMisc

_BUFFER_BYTES = 256
"""BINPRM_BUF_SIZE: how much of a file a handler sees."""


def search_binfmt_handler(
    handlers: Sequence[BinfmtMisc], file: ExecutableFile, path: str
) -> BinfmtMisc | None:
    """Return the handler that takes `file`, started as `path`; None if none does."""
    buffer = file.read(0, _BUFFER_BYTES).ljust(_BUFFER_BYTES, b"\0")
    return next((handler for handler in handlers if _takes(handler, buffer, path)), None)


def _takes(handler: BinfmtMisc, buffer: bytes, path: str) -> bool:
    if not handler.magic:
        return "." in path and path.rpartition(".")[2] == handler.extension
    seen = buffer[handler.offset : handler.offset + len(handler.magic)]
    return len(seen) == len(handler.magic) and not any(
        (byte ^ wanted) & mask for byte, wanted, mask in zip(seen, handler.magic, handler.mask, strict=True)
    )
