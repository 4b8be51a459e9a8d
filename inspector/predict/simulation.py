"""The simulation loop: the processor runs until something happens, and the kernel answers.

page fault          the kernel maps the page, or sends a signal
system call         the kernel carries it out
breakpoint          a snapshot is taken
other exceptions    a signal
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from signal import SIGKILL
from typing import TYPE_CHECKING

from inspector.elf.stops import Passes
from inspector.errors import NotModelled
from inspector.model.address import VirtAddr
from inspector.model.prediction import NotModelledAt
from inspector.model.registers import RESUME_FLAG
from inspector.predict.kernel import signal
from inspector.predict.kernel.entry import do_syscall, enter
from inspector.predict.kernel.exit import do_exit
from inspector.predict.kernel.fault import exc_page_fault
from inspector.predict.kernel.sched import schedule
from inspector.predict.machine.cpu import Breakpoint, Halted, HardwareException, PageFault, SystemCall
from inspector.predict.machine.rerun import Disturbed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.elf.stops import StopPlan
    from inspector.model.ending import Ending
    from inspector.model.snapshot import Snapshot
    from inspector.predict.kernel.kernel import Kernel
    from inspector.predict.kernel.start_process import Process
    from inspector.predict.kernel.task import Task
    from inspector.predict.machine.alarm import Deadline
    from inspector.predict.machine.cpu import CallGate, Event


class Simulation:
    """One program, from its first instruction to its end, and the processes it makes."""

    def __init__(self, process: Process, kernel: Kernel, plan: StopPlan, deadline: Deadline) -> None:
        """Put the program's registers into the processor."""
        self._deadline = deadline
        self._kernel = kernel
        self._plan = plan
        self._first = kernel.current = process.task
        self._cpu = kernel.cpu
        self._cpu.registers = process.registers
        _ = kernel.fresh_context
        self._passes = Passes(plan, process.bias)
        self._is_over = False
        self.snapshots: list[Snapshot] = []
        self.not_modelled: NotModelledAt | None = None
        for address in set(plan.breakpoints.values()):
            self._cpu.add_breakpoint(VirtAddr(address + process.bias))

    @property
    def ending(self) -> Ending | None:
        """How the first process ended; None if not all of the run was followed."""
        return self._first.ending if self.not_modelled is None else None

    def run(self) -> None:
        """Run to the end, to the last checkpoint asked for, or to the first thing that is not modelled.

        Raises Disturbed where a signal to this process came between.
        """
        try:
            with self._cpu.alarm(self._deadline), _without_cyclic_collector():
                while not self._is_over and (task := schedule(self._kernel)) is not None:
                    self._run(task)
        except NotModelled as limit:
            ip = limit.ip if limit.ip is not None else self._cpu.read("eip")
            self.not_modelled = NotModelledAt(limit.what, ip, limit.help)

    def _run(self, task: Task) -> None:
        """Run one task until it waits or ends."""
        cpu, mm = self._cpu, task.mm
        if self._kernel.references is not None:
            self._kernel.references.is_on = task is self._first
        while task.ending is None and task.waits_for is None and not self._is_over:
            if task.signals.pending or task.signals.shared_pending:
                self._deliver_signals(task)
                if task.ending is not None:
                    break
            if mm.tlb_is_stale:
                cpu.flush_tlb()
                mm.tlb_is_stale = False
            self._handle(task, cpu.run())
        if task.ending is not None:
            do_exit(task)

    def _handle(self, task: Task, event: Event) -> None:
        match event:
            case PageFault(address=address, access=access, ip=ip):
                refused = exc_page_fault(task, address, access, ip)
                if refused is not None:
                    self._set_resume_flag()
                    signal.force_fault(task, refused, task.faults[-1])
            case SystemCall(gate=gate):
                self._system_call(task, gate)
            case Breakpoint(address=address):
                self._breakpoint(task, address)
            case HardwareException(vector=vector, ip=ip):
                if vector not in _TRAPS:
                    self._set_resume_flag()
                signal.force_exception(task, vector, ip)
            case Halted():
                if not self._deadline.is_over():
                    raise Disturbed
                raise NotModelled(
                    f"a run of more than {self._deadline.seconds:g} s of simulation",
                    help="allow it more with --timeout",
                )

    def _set_resume_flag(self) -> None:
        """Mark the EFLAGS that a fault saves."""
        if self._kernel.profile.processor.sets_resume_flag:
            self._cpu.write("eflags", self._cpu.read("eflags") | RESUME_FLAG)

    def _system_call(self, task: Task, gate: CallGate) -> None:
        call = enter(task, gate)
        if call is None:
            return
        if task is self._first:
            self._look(self._passes.at_call(call.number, call.name))
        if not self._is_over:
            do_syscall(task, call)

    def _breakpoint(self, task: Task, address: VirtAddr) -> None:
        """Debug registers are the first process's own, and each stop is for once."""
        if task is self._first:
            self._cpu.remove_breakpoint(address)
            self._look(self._passes.at_address(address))

    def _deliver_signals(self, task: Task) -> None:
        """Do on the way back to the program what its signals ask for."""
        while task.ending is None and (info := signal.get_signal(task)) is not None:
            # No debugger is told of SIGKILL.
            if task is self._first and signal.is_fatal(task, info) and info.number != SIGKILL:
                self._look(self._passes.at_death())
            signal.deliver(task, info)

    def _look(self, reached: list[str]) -> None:
        """Take a snapshot for each of the checkpoints that this stop is."""
        self.snapshots += [self._first.snapshot(name, self._cpu.registers) for name in reached]
        self._is_over = self._plan.until in reached and self._plan.until != "exit"


@contextmanager
def _without_cyclic_collector() -> Iterator[None]:
    """Spare what a simulation writes down from being searched for cycles, again and again as it grows.

    It has none, and lives to the end; the search takes a sixth of the time of a program that faults much.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


_TRAPS = (3, 4)
"""Vectors reported behind the instruction, as #BP and #OF are, and not as faults."""
