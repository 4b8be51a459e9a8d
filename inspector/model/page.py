"""The state of one resident page."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from inspector.model.address import Pfn, VirtAddr, Vpn, address_of


class PageKind(enum.Enum):
    """Where a resident page's contents live."""

    FILE = "file"
    """A page-cache page, still the file's own."""
    ANONYMOUS = "anonymous"
    """The process's own frame: written, or copied on write."""
    ZERO = "zero"
    """The shared zero page, or the huge one: an anonymous page that was only read."""
    SPECIAL = "special"
    """A page of the kernel's, such as the vdso's code."""


@dataclass(frozen=True, slots=True)
class PageState:
    """One page that the process's page tables map."""

    vpn: Vpn
    kind: PageKind | None
    """None: the observer could not tell the zero page from an anonymous one."""
    pfn: Pfn | None = None
    """None: the observer may not look (no CAP_SYS_ADMIN), or the page is only predicted."""

    @property
    def address(self) -> VirtAddr:
        """First address of the page."""
        return address_of(self.vpn)
