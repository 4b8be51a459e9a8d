"""The simulated CPU: an i386 in user mode, which runs until something happens and says what.

It is Unicorn with its own address translation replaced: every miss of its TLB asks `translate`, which
walks the simulated page tables. A miss without a translation ends the run with a `PageFault` at a
precise instruction, the access named as the hardware would name it. The CPU knows no kernel: what to do
about an event, and where to go on, is the caller's affair.

    engine.py        Unicorn, through its C interface
    tlb.py           its TLB and the page tables; its translated code and memory
    exception.py     which exception, or gate, it was that Unicorn has stopped at
    instruction.py   what an instruction accesses, and in which order
    segment.py       the GDT, and the way into ring 3
    errata.py        instructions with which Unicorn differs from the hardware, found before they run
    treatment.py     what is done about them; coprocessor.py and x87.py: about the floating-point ones
    liveness.py      whether a program looks at a flag
    nan.py           NaNs where Unicorn passes on another one
    x87_stack.py     what code asks of the x87 stack; stack_watch.py: whether it is there

Habits of Unicorn that are undone here, so that they are never seen:

  - It translates ahead into the next page, whether or not the program gets there. Such a fault is no
    event: the code before it runs first.
  - It looks at a breakpoint after fetching its instruction; the hardware (#DB) before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import unicorn
from unicorn import x86_const as x86

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SIZE, VirtAddr, page_down, vpn_of
from inspector.model.registers import REGISTER_NAMES, Registers
from inspector.model.vma import Access
from inspector.predict.machine.alarm import Alarm
from inspector.predict.machine.answers import Answers
from inspector.predict.machine.coprocessor import Coprocessor
from inspector.predict.machine.engine import Engine
from inspector.predict.machine.event import (
    Breakpoint,
    CallGate,
    Event,
    Halted,
    HardwareException,
    PageFault,
    SystemCall,
)
from inspector.predict.machine.exception import Exceptions
from inspector.predict.machine.inspection import Inspection
from inspector.predict.machine.instruction import LONGEST_INSTRUCTION, decode, last_before
from inspector.predict.machine.rerun import Special, SpecialMet
from inspector.predict.machine.segment import SEGMENTS, Segments, descriptor
from inspector.predict.machine.tlb import Tlb
from inspector.predict.machine.view import Translation, View

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from inspector.model.address import Pfn, Vpn
    from inspector.predict.machine.alarm import Deadline
    from inspector.predict.machine.answers import Cpuid
    from inspector.predict.machine.memory import PhysicalMemory
    from inspector.predict.machine.references import PageReferences

__all__ = [
    "Breakpoint",
    "CallGate",
    "Cpu",
    "Event",
    "Halted",
    "HardwareException",
    "PageFault",
    "Special",
    "SpecialMet",
    "SystemCall",
    "Translation",
    "descriptor",
]


_IDENTIFIERS = {
    name: getattr(x86, f"UC_X86_REG_{name.upper()}")
    for name in (*REGISTER_NAMES, "ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "al")
}
_ALL = tuple(_IDENTIFIERS[name] for name in REGISTER_NAMES)
_EIP = _IDENTIFIERS["eip"]
_PAGES = (1 << 32) // PAGE_SIZE
_SETTABLE = tuple(name for name in REGISTER_NAMES if name not in {"cs", "ss"})


@dataclass(frozen=True, slots=True)
class State:
    """Every register of a process that does not run."""

    context: Any
    """Unicorn's own, opaque."""
    flushes: bool
    """See `Coprocessor.flushes`."""


class Cpu:
    """One i386 processor, running one program at a time."""

    def __init__(
        self,
        memory: PhysicalMemory,
        translate: Callable[[Vpn], Translation | None],
        cpuid: Cpuid,
        xcr0: int | None = None,
        read_tsc: Callable[[], int] | None = None,
        first_of: Mapping[Special, int] | None = None,
        references: PageReferences | None = None,
    ) -> None:
        """Create a processor in ring 3 with every register 0.

        `translate` says what ring 3 may do with a page right now; after it has become stricter about a
        page it once allowed, or names another frame for it (but in answer to a fault there),
        `flush_tlb` must be called. `cpuid` answers the instruction of that name, `xcr0` is what xgetbv
        finds (None: it raises #UD), `read_tsc` the time-stamp counter (None: rdtsc is not modelled).
        `first_of` holds the kinds that `run` has raised `SpecialMet` with before, and the numbers.
        `references`, if given, is told of every instruction and access, which takes some 2 us each.
        """
        self._memory = memory
        self.view = View(memory, translate)
        self._stopped: Callable[[VirtAddr], Event | None] | None = None
        """What the hook that has stopped the engine wants done now that it stands."""
        self._let_by: int | None = None
        """The address whose hook is to let the engine by, once."""
        self._breakpoints: dict[int, int] = {}
        self.started_at = 0
        """Where the engine was started last."""
        self._engine = Engine()
        self._alarm = Alarm(self._engine.uc.emu_stop)
        self._segments = Segments(self._engine, memory)
        self._tlb = Tlb(self._engine, memory, translate, self._system_page)
        self._segments.enter_ring_3()
        self.coprocessor = Coprocessor(self._engine)
        self._runs = 0
        self._first_of = dict(first_of or {})
        self._inspection = Inspection(self, self._engine, self._tlb, memory, self._segments)
        answers = Answers(self._engine, self.view, cpuid, xcr0, read_tsc)
        self._exceptions = Exceptions(self, self._engine, answers)
        self._references = references
        if references is not None:
            self._tlb.tell_pages()
            self._engine.on_every_access(references.fetch, self._accessed)
        self._engine.uc.ctl_exits_enabled(True)
        self._tlb.drop_code()

    # --- state ----------------------------------------------------------------------------------

    @property
    def registers(self) -> Registers:
        """The user registers."""
        return Registers(*self._engine.read_all(_ALL))

    @registers.setter
    def registers(self, values: Registers) -> None:
        """Set every register but cs and ss, which ring 3 cannot change."""
        for name in _SETTABLE:
            self.write(name, getattr(values, name))

    def read(self, name: str) -> int:
        """Return one register."""
        return self._engine.read(_IDENTIFIERS[name])

    def write(self, name: str, value: int) -> None:
        """Set one register. Raises NotModelled for a selector that no descriptor of the GDT answers."""
        if name in SEGMENTS:
            self._segments.load(name, value & 0xFFFF)
        else:
            self._engine.write(_IDENTIFIERS[name], value & 0xFFFF_FFFF)

    @property
    def null_segments(self) -> tuple[str, ...]:
        """Those of fs and gs that hold a null selector."""
        return self._segments.nulls

    def save(self) -> State:
        """Return the whole register state, floating point included."""
        return State(self._engine.uc.context_save(), self.coprocessor.flushes)

    def restore(self, state: State) -> None:
        """Go back to what `save` returned."""
        self._engine.uc.context_restore(state.context)
        self.coprocessor.flushes = state.flushes
        if not self.coprocessor.watches:
            self.coprocessor.set_switches()
        self._segments.forget()

    def set_descriptor(self, entry: int, contents: bytes, *, reload: bool = False) -> None:
        """Set one entry of the GDT; registers that select it keep what they hold, unless `reload`."""
        self._segments.set_descriptor(entry, contents)
        if reload:
            self._segments.reload(entry)

    def flush_tlb(self) -> None:
        """Forget every translation."""
        self._tlb.flush()

    def look_again(self) -> None:
        """Look at all code again before it runs: whether it does harm may depend on what has just changed."""
        self._inspection.start_over()

    def add_breakpoint(self, address: VirtAddr) -> None:
        """Stop before the instruction at `address`, as a debug register would."""
        if address not in self._breakpoints:
            self._breakpoints[address] = self.watch(address, self._on_breakpoint)

    def remove_breakpoint(self, address: VirtAddr) -> None:
        """Stop there no longer."""
        self.unwatch(address, self._breakpoints.pop(address))

    def alarm(self, deadline: Deadline) -> AbstractContextManager[None]:
        """Halt when the deadline is over, or when a signal to this process waits to be handled."""
        return self._alarm.set(deadline)

    # --- memory ---------------------------------------------------------------------------------

    def peek(self, address: int, size: int) -> bytes:
        """Return up to `size` bytes of memory, ending before the first page that is not mapped."""
        return self.view.peek(address, size)

    def operand_address(self, code: bytes, ip: int) -> VirtAddr:
        """Return where the first memory operand of the instruction `code` at `ip` lies."""
        found = decode(code, ip)
        if found is None or not found.places:
            raise NotModelled(f"instruction {code.hex(' ')}", ip=ip)
        return found.places[0].address(self.register_or_base)

    def register_or_base(self, name: str) -> int:
        """Return a register's value, or what a segment register adds to an address."""
        return self._segments.base(name) if name in SEGMENTS else self.read(name)

    # --- running --------------------------------------------------------------------------------

    def run(self) -> Event:
        """Run from eip until something happens. Afterwards eip stands where the program goes on.

        Raises SpecialMet where that cannot be known without having been told in `first_of`.
        """
        if self._runs == self._first_of.get(Special.DENORMAL):
            self.coprocessor.stop_watching()
        if self._runs == self._first_of.get(Special.NAN):
            self.coprocessor.heeds_nans = True
            self.look_again()
        try:
            event = self._run()
        except NotModelled:
            self.check_specials()
            raise
        if self._inspection.sees_arithmetic:
            self.check_specials()
            self._inspection.check_stack()
        self._runs += 1
        return event

    def check_specials(self) -> None:
        """Raise SpecialMet if an operand that nothing was prepared for may have taken part in the run."""
        met = self.coprocessor.special_met()
        if met is not None:
            self.meet(met)

    def meet(self, kind: Special, *, since_start: bool = False) -> NoReturn:
        """Raise SpecialMet; `since_start`: there may have been one in any run before, too."""
        raise SpecialMet(kind, 0 if since_start else self._runs)

    def _run(self) -> Event:
        if self._let_by is not None and self._let_by != self.read("eip"):
            self._let_by = None
        until: int | None = None
        stuck: int | None = None
        while True:
            if self._memory.stale:
                self._tlb.drop_code()
            ip = self._start(until)
            reached, until = until, None
            if self._stopped is not None:
                event = self._stopped(ip)
            elif self._tlb.missing is not None:
                until = self._translated_ahead(ip, *self._tlb.missing)
                event = self._page_fault(ip, *self._tlb.missing) if until is None else None
            elif self._tlb.stale:
                self._tlb.drop_code()
                continue
            elif self._alarm.has_rung:
                event = Halted()
            else:
                event = self._exceptions.stuck(ip) if ip == stuck else None
                stuck = ip if ip != reached else None
            if event is not None:
                return event

    def _start(self, until: int | None) -> VirtAddr:
        """Run the engine from eip until it stops, at the latest at `until`; return eip."""
        uc = self._engine.uc
        self._tlb.missing = self._stopped = None
        self.started_at = self._engine.read(_EIP)
        if until is not None:
            uc.ctl_set_exits([until])
        try:
            self._engine.run(self.started_at)
        finally:
            if until is not None:
                uc.ctl_set_exits([])
            self._undo_references()
        return VirtAddr(self._engine.read(_EIP))

    def _undo_references(self) -> None:
        """Forget what an instruction has begun that the engine has not ended: what stopped it is no fetch."""
        missing = self._tlb.missing
        faulted = missing is not None and missing[1] is not Access.EXECUTE
        if self._references is not None and (faulted or self._alarm.has_rung):
            self._references.undo()

    def _translated_ahead(self, ip: VirtAddr, address: int, access: Access) -> int | None:
        """Return where to stop first, if the fetch that failed is not yet the program's own."""
        page = page_down(address)
        if access is not Access.EXECUTE or page_down(ip) == page:
            return None
        stop = last_before(self.peek(ip, page - ip), ip, page)
        return stop if stop != ip else None

    def _page_fault(
        self, ip: VirtAddr, page: int, access: Access
    ) -> PageFault | Breakpoint | HardwareException:
        if ip in self._breakpoints:
            # An instruction that faults after its breakpoint does not stop there again (EFLAGS.RF).
            if access is Access.EXECUTE and self._let_by != ip:
                self._let_by = ip
                return Breakpoint(ip)
            self._let_by = ip
        return self._exceptions.page_fault(ip, page, access)

    # --- hooks ----------------------------------------------------------------------------------

    def stop(self, then: Callable[[VirtAddr], Event | None]) -> None:
        """Stop the engine from within a hook, and do `then` once it stands; None: go on.

        What else happens until it stands does not count.
        """
        if self._stopped is None:
            self._stopped = then
            self._engine.uc.emu_stop()

    def watch(self, address: int, callback: Callable[..., None]) -> int:
        """Have `callback` called before the instruction at `address`. Not to be called from a hook."""
        uc = self._engine.uc
        hook: int = uc.hook_add(unicorn.UC_HOOK_CODE, callback, begin=address, end=address)
        uc.ctl_remove_cache(address, address + 1)
        return hook

    def unwatch(self, address: int, hook: int) -> None:
        """Undo `watch`. Not to be called from a hook."""
        uc = self._engine.uc
        uc.hook_del(hook)
        # Where another hook of the same block went before, its code would stay, many times slower.
        uc.ctl_remove_cache(address, address + 1)

    def let_by(self, address: int) -> None:
        """Ignore the hook at `address`, where the engine stands, once."""
        self._let_by = address

    def passes(self, address: int) -> bool:
        """Whether the hook at `address` is to be ignored this time."""
        if self._let_by != address:
            return False
        self._let_by = None
        return True

    def _on_breakpoint(self, _uc: object, address: int, _size: int, _data: object) -> None:
        if not self.passes(address):
            self._let_by = address
            self.stop(Breakpoint)

    def _accessed(self, physical: int, size: int) -> None:
        page = self._tlb.page_at(physical)
        if page is not None and self._references is not None:
            reaches_next = physical % PAGE_SIZE + size > PAGE_SIZE
            self._references.access(page, (page + 1) % _PAGES if reaches_next else None)

    def carry_out(self, operands: Sequence[Vpn], ip: int) -> None:
        """Go on at `ip`: the instruction before was carried out elsewhere, and has accessed `operands`."""
        self.write("eip", ip)
        if self._references is not None:
            for page in operands:
                self._references.access(page)

    def operands_of(self, code: bytes, ip: int) -> list[Vpn]:
        """Return the pages where the instruction `code` at `ip` would read and write, in its order."""
        found = decode(code, ip)
        places = found.places if found is not None else ()
        return [
            vpn_of(address)
            for place in places
            for address in place.parts(place.address(self.register_or_base))
        ]

    def _system_page(self, vpn: Vpn, access: Access) -> Pfn | None:
        return self._segments.frame_of(vpn, access, lambda: self.peek(self.read("eip"), LONGEST_INSTRUCTION))
