"""Looks at each block of code when it has been translated and not yet run; stops the engine at errata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unicorn import unicorn_const as uc_const

from inspector.model.address import PAGE_SHIFT, PAGE_SIZE
from inspector.predict.machine.errata import find_errata
from inspector.predict.machine.stack_watch import StackWatch
from inspector.predict.machine.treatment import Then, Treatments
from inspector.predict.machine.x87_stack import survey

if TYPE_CHECKING:
    from inspector.model.address import VirtAddr
    from inspector.predict.machine.cpu import Cpu
    from inspector.predict.machine.engine import Engine
    from inspector.predict.machine.errata import Erratum
    from inspector.predict.machine.event import Event
    from inspector.predict.machine.memory import PhysicalMemory
    from inspector.predict.machine.segment import Segments
    from inspector.predict.machine.tlb import Tlb
    from inspector.predict.machine.x87_stack import Demand


class Inspection:
    """The errata found so far, and the hooks that stop at them.

    Invariant: an erratum is in `_found` with its hook, or was settled: found to do no harm.
    """

    def __init__(
        self, cpu: Cpu, engine: Engine, tlb: Tlb, memory: PhysicalMemory, segments: Segments
    ) -> None:
        """Look at whatever `engine` translates from now on."""
        self._cpu = cpu
        self._engine = engine
        self._tlb = tlb
        self._memory = memory
        self._segments = segments
        self._treatments = Treatments(cpu)
        self._found: dict[int, tuple[Erratum, int]] = {}
        self._settled: set[tuple[int, bytes]] = set()
        self.sees_arithmetic = False
        """Some code has been run that may compute with floating-point numbers."""
        self._stack_watch = StackWatch(cpu)
        engine.uc.hook_add(uc_const.UC_HOOK_EDGE_GENERATED, self._on_new_block)

    def start_over(self) -> None:
        """Forget which code did no harm: circumstances have changed."""
        self._settled.clear()
        self._stack_watch.start_over()
        self._tlb.drop_code()

    def _on_new_block(self, _uc: object, block: Any, _previous: object, _data: object) -> None:  # noqa: ANN401
        address, size = block.pc, block.size
        offset = address % PAGE_SIZE
        frame = self._tlb.executed.get(address >> PAGE_SHIFT)
        if frame is None or offset + size > PAGE_SIZE:
            code = self._cpu.view.peek(address, size)
        else:
            code = self._memory.read(frame, offset, size)
        demands: list[Demand] = []
        if (found := survey(code)) is not None:
            self.sees_arithmetic |= found.computes
            demands = self._stack_watch.fresh(found.demands, address)
        errata = find_errata(code, address, self._segments.nulls, heeds_nans=self._cpu.coprocessor.heeds_nans)
        if errata:
            # A block at which the engine was started may be the rest of one that was looked at whole.
            is_rest = address == self._cpu.started_at
            errata = [erratum for erratum in errata if not self._is_known(erratum, is_rest=is_rest)]
        if demands or errata:
            self._cpu.stop(lambda _: self._watch(errata, demands))

    def check_stack(self) -> None:
        """See `StackWatch.check`."""
        self._stack_watch.check()

    def _is_known(self, erratum: Erratum, *, is_rest: bool) -> bool:
        if (erratum.address, erratum.code) in self._settled:
            return True
        known = self._found.get(erratum.address)
        return known is not None and known[0].covers(erratum, c1_too=not is_rest)

    def _watch(self, errata: list[Erratum], demands: list[Demand]) -> None:
        self._stack_watch.add(demands)
        for erratum in errata:
            known = self._found.get(erratum.address)
            if known is None:
                self._found[erratum.address] = erratum, self._cpu.watch(erratum.address, self._on_erratum)
            else:
                self._found[erratum.address] = erratum.joined(known[0]), known[1]

    def _on_erratum(self, _uc: object, address: int, _size: int, _data: object) -> None:
        known = self._found.get(address)
        if self._cpu.passes(address) or known is None:
            return
        erratum = known[0]
        if self._cpu.view.peek(address, len(erratum.code)) != erratum.code:
            # Other code is mapped here by now; should it contain an erratum, it was looked at too.
            return
        if self._treatments.concerns(erratum):
            self._cpu.stop(lambda ip: self._treat(erratum, ip))
        elif self._treatments.is_settled(erratum):
            self._cpu.stop(lambda _: self._settle(erratum))

    def _treat(self, erratum: Erratum, ip: VirtAddr) -> Event | None:
        self._cpu.check_specials()
        operands = self._cpu.operands_of(erratum.code, ip)
        outcome = self._treatments.treat(erratum)
        if outcome is Then.AFTER:
            self._cpu.carry_out(operands, ip + len(erratum.code))
        elif outcome is Then.THERE:
            self._cpu.let_by(ip)
        else:
            return outcome
        return None

    def _settle(self, erratum: Erratum) -> None:
        self._settled.add((erratum.address, erratum.code))
        self._cpu.unwatch(erratum.address, self._found.pop(erratum.address)[1])
