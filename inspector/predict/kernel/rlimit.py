"""The limits of what a process may have mapped: how much, in how many areas.

Rules `memory.limit` and `memory.map-count`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from inspector.errors import NotModelled
from inspector.model.address import page_down
from inspector.model.program import RLIMIT_AS, RLIMIT_DATA, UNLIMITED
from inspector.predict.kernel.errno import Errno, KernelError

if TYPE_CHECKING:
    from inspector.model.program import Limits
    from inspector.predict.kernel.areas import Areas


_SURELY_ALLOWED = 65530
"""Where vm.max_map_count is not known: the kernel's own (DEFAULT_MAX_MAP_COUNT); hardly any is set lower."""

_RESERVED_TO_MOVE = 5
"""How near to the limit mremap may look at it."""


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """RLIMIT_AS and RLIMIT_DATA, in bytes, and the sysctl vm.max_map_count."""

    address_space: int = UNLIMITED
    data: int = UNLIMITED
    """The soft limit,"""
    hard_data: int = UNLIMITED
    """and the hard one, which counts where the soft one is 0."""
    max_map_count: int | None = None
    """How many areas there may be; None: not known."""

    @classmethod
    def of(cls, limits: Limits, max_map_count: int | None = None) -> Self:
        """Return what `limits` say of memory; a limit that is not among them is none."""
        space, data = limits.of(RLIMIT_AS), limits.of(RLIMIT_DATA)
        soft, hard = data or (UNLIMITED, UNLIMITED)
        return cls(UNLIMITED if space is None else space[0], soft, hard, max_map_count)

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

    def spare_areas(self, areas: Areas) -> int:
        """Return how many areas more there may be; below 0: how many there are too many.

        Raises NotModelled where no one can tell.
        """
        if self.max_map_count is not None:
            return self.max_map_count - len(areas)
        if len(areas) >= _SURELY_ALLOWED - _RESERVED_TO_MOVE:
            raise NotModelled(f"{len(areas)} areas, which vm.max_map_count may forbid")
        return _SURELY_ALLOWED - len(areas)

    def require_another(self, areas: Areas) -> None:
        """Raise KernelError(ENOMEM) where mmap and brk may not map anything more, or NotModelled.

        They may once when the number is just reached. Source: mm/mmap.c:do_mmap(), mm/vma.c:do_brk_flags().
        """
        if self.spare_areas(areas) < 0:
            raise KernelError(Errno.ENOMEM, "memory.map-count")

    def require_split(self, areas: Areas) -> None:
        """Raise KernelError(ENOMEM) where no area may be cut in two, or NotModelled.

        Source: mm/vma.c:split_vma(), vms_gather_munmap_vmas().
        """
        if self.spare_areas(areas) <= 0:
            raise KernelError(Errno.ENOMEM, "memory.map-count")
