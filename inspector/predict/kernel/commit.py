"""Whether the kernel grants memory that a program may write (rule `memory.commit`)."""

from __future__ import annotations

from dataclasses import dataclass

from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError

_HEURISTIC, _ALWAYS = 0, 1
_SURELY_GRANTED = 16 << 20
"""Bytes. A machine that could not commit these could not have started the simulator either."""


@dataclass(frozen=True, slots=True)
class CommitPolicy:
    """The sysctl vm.overcommit_memory, and what it is held against."""

    overcommit_memory: int | None
    """None: not known."""
    memory_bytes: int
    """RAM and swap."""

    @property
    def never_overcommits(self) -> bool:
        """Whether the kernel does not honour MAP_NORESERVE. Raises NotModelled where that is not known."""
        if self.overcommit_memory is None:
            raise NotModelled("MAP_NORESERVE where vm.overcommit_memory is not known")
        return self.overcommit_memory not in (_HEURISTIC, _ALWAYS)

    def charge(self, size: int, replaced: int = 0) -> None:
        """Charge `size` bytes, for memory of which `replaced` bytes are charged already.

        Raises KernelError(ENOMEM), or NotModelled where the answer hangs on what else runs, or on
        whether the memory replaced is given back first. Source: mm/util.c:__vm_enough_memory().
        """
        if self.overcommit_memory == _ALWAYS:
            return
        if self.overcommit_memory != _HEURISTIC:
            if size > _SURELY_GRANTED:
                raise NotModelled(
                    "the commit limit",
                    help="it is exact with vm.overcommit_memory 0 or 1 only (sysctl vm.overcommit_memory=0)",
                )
            return
        if size - replaced > self.memory_bytes:
            raise KernelError(Errno.ENOMEM, "memory.commit")
        if size > self.memory_bytes:
            raise NotModelled("a mapping larger than the machine over memory it already has")
