"""The limits of how much memory a process may have mapped (rule `memory.limit`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from inspector.model.address import page_down
from inspector.model.program import RLIMIT_AS, RLIMIT_DATA, UNLIMITED
from inspector.predict.kernel.errno import Errno, KernelError

if TYPE_CHECKING:
    from inspector.model.program import Limits
    from inspector.predict.kernel.areas import Areas


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """RLIMIT_AS and RLIMIT_DATA, in bytes."""

    address_space: int = UNLIMITED
    data: int = UNLIMITED
    """The soft limit,"""
    hard_data: int = UNLIMITED
    """and the hard one, which counts where the soft one is 0."""

    @classmethod
    def of(cls, limits: Limits) -> Self:
        """Return what `limits` say of them; what is not known is no limit."""
        space, data = limits.of(RLIMIT_AS), limits.of(RLIMIT_DATA)
        return cls(UNLIMITED if space is None else space[0], *(data or ()))

    def may_expand(self, areas: Areas, growth: int, *, is_data: bool) -> bool:
        """Whether `areas` may hold `growth` bytes more, whole pages.

        `is_data`: see areas.is_data_mapping(). Source: mm/mmap.c:may_expand_vm().
        """
        if areas.total_bytes + growth > page_down(self.address_space):
            return False
        return not is_data or areas.data_bytes + growth <= page_down(self.data or self.hard_data)

    def require(self, areas: Areas, growth: int, *, is_data: bool) -> None:
        """Raise KernelError(ENOMEM) where they may not."""
        if not self.may_expand(areas, growth, is_data=is_data):
            raise KernelError(Errno.ENOMEM, "memory.limit")
