"""Makes sure that the x87 stack neither overflows nor underflows, which Unicorn would not notice.

What each block demands of the stack is checked the first times that it runs. From then on a loop pays
nothing: where something leaves the stack fuller each time, it is noticed within eight times. What is left to
go wrong is seen by the next event, at which the registers in use are not those from the top to the bottom any
more; so programs that bring that about on purpose are checked every time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.errors import NotModelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.predict.machine.cpu import Cpu
    from inspector.predict.machine.x87_stack import Demand

_SEVERAL = 16


class StackWatch:
    """The demands found so far, and the hooks that check them.

    Invariant: a demand is in `_watched` with its hook, or was settled: met often enough.
    """

    def __init__(self, cpu: Cpu) -> None:
        """Serve `cpu`."""
        self._cpu = cpu
        self._watched: dict[int, tuple[Demand, int]] = {}
        self._met: dict[int, int] = {}
        self._settled: set[tuple[int, bytes]] = set()
        self._is_regular = True

    def start_over(self) -> None:
        """Forget what was settled."""
        self._settled.clear()
        self._met.clear()

    def fresh(self, demands: Sequence[Demand], address: int) -> list[Demand]:
        """Return which demands of a block at `address` are not watched yet."""
        placed = (replace(demand, address=address + demand.address) for demand in demands)
        return [demand for demand in placed if not self._is_known(demand)]

    def _is_known(self, demand: Demand) -> bool:
        known = self._watched.get(demand.address)
        return (demand.address, demand.code) in self._settled or (
            known is not None and known[0].code.startswith(demand.code)
        )

    def add(self, found: Sequence[Demand]) -> None:
        """Watch them. Not to be called from a hook."""
        for demand in found:
            known = self._watched.get(demand.address)
            hook = self._cpu.watch(demand.address, self._on_demand) if known is None else known[1]
            self._watched[demand.address] = demand, hook
        if self._is_regular and any(demand.irregular for demand in found):
            self._is_regular = False
            self._cpu.look_again()

    def check(self) -> None:
        """Raise NotModelled if the stack has overflowed or underflowed unseen."""
        if self._settled and self._is_regular:
            top, in_use = self._cpu.coprocessor.stack()
            if in_use not in ((0xFF << top) & 0xFF, 0 if top == 0 else None):
                raise NotModelled("x87 registers beyond those in use")

    def _on_demand(self, _uc: object, address: int, _size: int, _data: object) -> None:
        watched = self._watched.get(address)
        if watched is None:
            return
        demand = watched[0]
        if self._cpu.view.peek(address, len(demand.code)) != demand.code:
            return
        if not demand.is_met(*self._cpu.coprocessor.stack()):
            self._cpu.stop(self._refuse)
        elif self._is_regular:
            count = self._met[address] = self._met.get(address, 0) + 1
            if count >= _SEVERAL:
                self._cpu.stop(lambda _: self._settle(demand))

    def _refuse(self, ip: int) -> None:
        raise NotModelled("x87 registers beyond those in use", ip=ip)

    def _settle(self, demand: Demand) -> None:
        self._settled.add((demand.address, demand.code))
        self._met.pop(demand.address, None)
        _, hook = self._watched.pop(demand.address)
        self._cpu.unwatch(demand.address, hook)
