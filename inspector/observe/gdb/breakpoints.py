"""Hardware breakpoints: the CPU's four debug registers, and what gdb gets wrong about them.

Debug status. DR6 says which breakpoint was hit. gdb clears it only when it sets a debug register for some
breakpoint, and takes any signal that arrives while DR6 still shows one for a late trap of it, to be ignored
(gdb/infrun.c:handle_signal_stop(), gdb/nat/x86-linux-dregs.c:x86_linux_prepare_to_resume()). Once the only
breakpoint has been hit and removed, or is being stepped over, a SIGSEGV is no longer reported. So as long as
a register is free there is a guard: a breakpoint below mmap_min_addr, where nothing is ever executed.

Silence. A breakpoint on the instruction the program stands at is taken for one that was just hit, and
stepped over; `take_due` finds it. And a fifth breakpoint is only refused when the program is resumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.errors import UsageError
from inspector.model.address import VirtAddr
from inspector.observe.gdb.mi import text_of, tuple_of
from inspector.observe.gdb.regions import Regions
from inspector.observe.gdb.stops import BreakpointHit

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.observe.gdb.connection import Answer

SLOTS = 4
"""DR0 to DR3."""
_GUARDS = tuple(map(VirtAddr, range(0xFFF1, 0xFFF1 + SLOTS + 2)))
"""More than there are breakpoints and program counters, should these be here too."""


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """One breakpoint that gdb has accepted."""

    number: int
    address: VirtAddr
    temporary: bool
    """Gone once it has been hit."""


class Breakpoints:
    """The breakpoints that stand, and what gdb may read because of them."""

    def __init__(self, ask: Callable[..., list[Answer]]) -> None:
        """`ask` sends gdb commands and returns their answers."""
        self.regions = Regions()
        self._ask = ask
        self._standing: dict[int, Breakpoint] = {}
        self._guard: Breakpoint | None = None
        self._guard_wanted = False
        self._aside: list[int] = []
        self._reported: VirtAddr | None = None

    @property
    def addresses(self) -> frozenset[VirtAddr]:
        """Where breakpoints stand, the guard aside."""
        return frozenset(each.address for each in self._standing.values())

    def insert(self, address: VirtAddr, *, temporary: bool) -> int:
        """Set a breakpoint and return its number; UsageError if it would need a fifth debug register."""
        addresses = self.addresses | {address}
        if len(addresses) > SLOTS:
            raise UsageError(
                f"no hardware breakpoint left for {address:#x}: the CPU has {SLOTS}",
                help=f"ask for at most {SLOTS} addresses at once",
            )
        if len(addresses) == SLOTS:
            self._drop_guard()
        made = self._set(address, temporary=temporary, forbidden=addresses)
        self._standing[made.number] = made
        self._guard_wanted = True
        return made.number

    def remove(self, number: int) -> None:
        """Remove a breakpoint, or anything else that gdb counts with them."""
        self._ask(f"-break-delete {number}")
        self._standing.pop(number, None)
        self._aside = [each for each in self._aside if each != number]

    def prepare(self, ip: VirtAddr | None, *, readable: bool, aside: bool) -> list[str]:
        """See to the guard, and return the commands that must come right before resuming at `ip`.

        What stands at a breakpoint gdb may not read, unless it is at `ip` and `readable`. With `aside` the
        breakpoints at `ip` are out of the way until the next stop: on the entry to a system call gdb would
        step over them, and lose the return.
        """
        if self._guard_wanted and self._guard is None and len(self.addresses) < SLOTS:
            free = next(each for each in _GUARDS if each not in self.addresses and each != ip)
            self._guard = self._set(free, temporary=False, forbidden=self.addresses | {free})
        commands = self.regions.forbid(self.addresses - {ip} if readable else self.addresses)
        commands += [f"-break-enable {number}" for number in self._aside]
        here = [each.number for each in self._standing.values() if each.address == ip]
        self._aside = here if aside else []
        return commands + [f"-break-disable {number}" for number in self._aside]

    def hit(self, number: int, address: VirtAddr) -> bool:
        """Note that breakpoint `number` was hit, and return whether that is worth reporting."""
        if self._guard is not None and number == self._guard.number:
            self._drop_guard()
            return False
        self._reported = address
        for spent in self._temporary_at(address):
            del self._standing[spent]
        return True

    def moved(self, ip: VirtAddr | None) -> None:
        """Note a stop of another kind: a breakpoint at `ip` has not been reported, unless just now."""
        if ip != self._reported:
            self._reported = None

    def take_due(self, ip: VirtAddr | None) -> BreakpointHit | None:
        """Return the hit of a breakpoint at `ip`, where the program stands, if it was not reported yet."""
        if ip == self._reported:
            return None
        due = next((each for each in self._standing.values() if each.address == ip), None)
        if due is None:
            return None
        for spent in self._temporary_at(due.address):
            self._ask(f"-break-delete {spent}")
        self.hit(due.number, due.address)
        return BreakpointHit(due.address, due.number)

    def _temporary_at(self, address: VirtAddr) -> list[int]:
        """Return the numbers of the breakpoints that one hit at `address` uses up."""
        return [each.number for each in self._standing.values() if each.temporary and each.address == address]

    def _set(self, address: VirtAddr, *, temporary: bool, forbidden: frozenset[VirtAddr]) -> Breakpoint:
        *_, answer = self._ask(
            *self.regions.forbid(forbidden),
            f"-break-insert {'-t ' if temporary else ''}-h *{address:#x}",
        )
        return Breakpoint(int(text_of(tuple_of(answer.results, "bkpt"), "number")), address, temporary)

    def _drop_guard(self) -> None:
        if self._guard is not None:
            self._ask(f"-break-delete {self._guard.number}")
            self._guard = None
