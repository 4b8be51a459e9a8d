"""Growing, shrinking and moving a mapping (mm/mremap.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.errors import NotModelled

if TYPE_CHECKING:
    from inspector.model.address import VirtAddr
    from inspector.predict.kernel.mm import AddressSpace


def mremap(
    mm: AddressSpace, old: VirtAddr, old_length: int, new_length: int, flags: int, new: VirtAddr
) -> int:
    """Not modelled yet."""
    raise NotModelled(f"mremap({old:#x}, {old_length}, {new_length}, {flags:#x}, {new:#x}) in {mm!r}")
