"""What gdb may read of the program: so little that it leaves no trace.

gdb reads of its own accord. At an attach: the ELF header, the vdso, the next instruction. At every stop: the
instruction at the program counter. For every new breakpoint: the instruction there. Reading an absent page
makes it resident (mm/gup.c:faultin_page()), and the observer would appear in the page tables it observes.

gdb refuses itself what lies in a region marked write-only, or, once there is any region, outside them all
(the gdb manual, "Memory Region Attributes"):

    until attached     everything
    afterwards         the byte at each breakpoint: its page may be absent when it is hit

Not everything for good, because of an int3 in the program itself. gdb then reads the byte before eip, to
tell it from a breakpoint of its own that was just removed; unable to, it takes the trap for the latter, sets
eip back and meets the int3 again, for ever. The page of an int3 that has just run is resident, so that this
read adds nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_ALWAYS = 0xFFF0
"""Below mmap_min_addr: nothing is there to be read."""
FORBID_EVERYTHING = ("set mem inaccessible-by-default on", f"mem {_ALWAYS:#x} {_ALWAYS + 1:#x} wo")
"""What a gdb is told before it attaches."""


class Regions:
    """The regions gdb has been told of. It is told nothing it knows already."""

    def __init__(self) -> None:
        """Match `FORBID_EVERYTHING`."""
        self._blind = True
        self._made = 1
        self._numbers: dict[int, int] = {}
        """Address -> gdb's number; gdb counts all the regions it ever had."""

    def forbid(self, addresses: Iterable[int]) -> list[str]:
        """Return the commands after which just the bytes at `addresses` are forbidden; often none."""
        wanted = set(addresses) - {_ALWAYS}
        commands = [f"delete mem {self._numbers.pop(each)}" for each in sorted(self._numbers.keys() - wanted)]
        for address in sorted(wanted - self._numbers.keys()):
            self._made += 1
            self._numbers[address] = self._made
            commands.append(f"mem {address:#x} {address + 1:#x} wo")
        if self._blind:
            self._blind = False
            commands.append("set mem inaccessible-by-default off")
        return commands
