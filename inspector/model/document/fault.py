"""Page faults in order, as the contract promises them; no wing tells the sequence yet."""

from typing import Literal

from msgspec import Struct

from inspector.model.document.scalars import Count, Hex, PageHex


class FaultJson(Struct, frozen=True):
    """One page fault; `ip` is null for the kernel's own.

    Processes are numbered from 0 in order of creation.
    """

    process: Count
    mode: Literal["kernel", "user"]
    page: PageHex
    access: Literal["read", "write", "execute"]
    protection: bool
    ip: Hex | None
    kind: str
