"""The controller: one program, from execve to its end, stopped and looked at on the way.

launch ──> exec          looked at by us alone, undisturbed
       ──> gdb attach    measured: what it makes resident is the first Perturbation
       ──> main, symbols, addresses, system calls      under gdb, as planned (elf/stops.py)
       ──> exit          the entry of exit_group, or the signal that kills
"""

from __future__ import annotations

import os
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from inspector.elf.file import ExecutableFile
from inspector.elf.header import EHDR_SIZE, PHDR_SIZE, ElfHeader, parse_program_headers
from inspector.elf.script import executable_behind, interpreters
from inspector.elf.stops import EXIT_CALLS, Passes, plan_stops, unreached_stops
from inspector.errors import CannotObserve, GdbRefused, InspectorError, NotModelled, UsageError
from inspector.model.address import VirtAddr
from inspector.model.auxv import AuxType
from inspector.model.ending import Ending
from inspector.model.observation import Observation, Perturbation, RawEvidence
from inspector.model.prediction import Outcome
from inspector.model.vma import FileBacking
from inspector.observe.deadline import Deadline
from inspector.observe.family import family_at_rest
from inspector.observe.folios import seen_folios
from inspector.observe.gdb.session import GdbSession
from inspector.observe.gdb.stops import (
    BreakpointHit,
    Execed,
    Exited,
    KilledBy,
    SignalReceived,
    SyscallEntry,
)
from inspector.observe.host import host_facts, sees_page_frames
from inspector.observe.launch import Launched, launch
from inspector.observe.page_cache import code_files, settle
from inspector.observe.signals import is_fatal
from inspector.observe.snapshot import read_fault_counts, read_stack, take_snapshot
from inspector.observe.turns import turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from inspector.elf.stops import StopPlan
    from inspector.model.prediction import FileIdentity
    from inspector.model.program import Program
    from inspector.model.registers import Registers
    from inspector.model.snapshot import FaultCounts, Snapshot
    from inspector.observe.damon import DamonWatch

_PATIENCE_SECONDS = 1.0


def observe(
    program: Program,
    *,
    stops: Sequence[str] = (),
    until: str | None = None,
    seconds: float = 60.0,
    spent: float = 0.0,
    gdb: str | None = None,
    session: GdbSession | None = None,
    faults: bool = True,
) -> Observation:
    """Run `program` and return what was seen at exec, main, each of `stops`, and exit.

    `until` names the last checkpoint wanted; `seconds` bounds the whole run, `spent` of them gone
    before it begins; `gdb` is the path of the debugger, `session` one that has been started already and is
    ended here. What `stops` and `until` may be
    is said in inspector/elf/stops.py. With `faults`, a program that is followed to its end is run once
    more, without gdb, to record its page faults; both runs together have `seconds`.

    A run that cannot be followed to where it was asked to go, for want of time or of a gdb, is not lost: the
    observation holds what was seen until then, and `cut_short` says why there is no more. Raises
    InspectorError where not even the program at exec could be looked at, UsageError for stops that make no
    sense; nothing is left running in any case.
    """
    plan = plan_stops(executable_behind(program.path, program.cwd), stops, until)
    with turn(code_files(program), Deadline.after(seconds)) as late, _watch(plan) as damon:
        settled = settle(program)
        deadline = Deadline.after(seconds, spent=spent)  # what it waited for its turn is not counted
        with launch(program, deadline=deadline) as launched:
            run = _Run(program, launched, deadline)
            run.notes += [*launched.notes, *late]
            if launched.verdict.outcome is Outcome.RUNS:
                run.look_at_exec()
                if run.is_i386:
                    run.follow_if_possible(plan, session, gdb)
            launched.close()
            if launched.verdict.outcome is Outcome.RUNS:
                run.unreached = unreached_stops(
                    stops, until, (snapshot.checkpoint for snapshot in run.snapshots)
                )
                if faults and run.is_i386 and plan.until not in {"exec", "exit"}:
                    run.notes.append(
                        "page faults are recorded only in a run to the program's end (without --until)"
                    )
            observation = run.observation()
            if damon is not None:
                observation = replace(observation, reclaim_at_stops=damon.evidence())
            if run.executed_i386:
                folios = seen_folios((*settled, *_mapped_files(observation.snapshots)))
                observation = replace(observation, large_folios=tuple(folios))
        if not faults or plan.until != "exit" or not run.executed_i386 or deadline.passed:
            return observation
        from inspector.observe.perf.witness import witnessed

        return witnessed(observation, deadline, damon)


def _watch(plan: StopPlan) -> AbstractContextManager[DamonWatch | None]:
    """Return what watches DAMON, for a program that comes to run: before, no fault maps pages in passing."""
    if plan.until == "exec":
        return nullcontext()
    from inspector.observe.damon import DamonWatch  # as late as it is needed: the run to exec is timed

    return DamonWatch()


def _mapped_files(snapshots: Sequence[Snapshot]) -> Iterator[str]:
    for snapshot in snapshots:
        for vma in snapshot.vmas or ():
            if isinstance(vma.backing, FileBacking):
                yield vma.backing.path


@dataclass(slots=True)
class _Run:
    """One observation in the making."""

    program: Program
    launched: Launched
    deadline: Deadline
    snapshots: list[Snapshot] = field(default_factory=list)
    raw: list[RawEvidence] = field(default_factory=list)
    perturbations: list[Perturbation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unreached: tuple[str, ...] = ()
    cut_short: str | None = None
    ending: Ending | None = None
    gdb_version: str | None = None
    is_i386: bool = True
    sees_frames: bool = field(default_factory=sees_page_frames)
    patience_seconds: float = _PATIENCE_SECONDS
    """How long the stops of the run will still wait, together, for processes that go on running."""

    @property
    def executable(self) -> str:
        """The file whose code runs."""
        return executable_behind(self.program.path, self.program.cwd)

    @property
    def executed_i386(self) -> bool:
        """Whether execve came to load a program, and none of 64 bits."""
        return self.launched.verdict.outcome is not Outcome.REFUSED and self.is_i386

    def look_at_exec(self) -> None:
        """Take the pristine snapshot, before anyone but the kernel has touched the process."""
        try:
            registers: Registers | None = self.launched.registers()
        except NotModelled:
            registers = None
            self.is_i386 = False
            self.notes.append("64-bit program: only its address space was looked at")
        self.look("exec", registers)
        if registers is not None:
            stack = read_stack(self.launched.pid, self.snapshots[-1])
            self.snapshots[-1] = replace(self.snapshots[-1], stack=stack)

    def look(self, checkpoint: str, registers: Registers | None) -> Snapshot:
        """Take a snapshot and keep it."""
        snapshot, raw = take_snapshot(
            self.launched.pid,
            checkpoint,
            baseline=self.launched.baseline,
            registers=registers,
            word_bytes=4 if self.is_i386 else 8,
            relatives=self._relatives(checkpoint),
        )
        self.snapshots.append(snapshot)
        self.raw.append(raw)
        return snapshot

    def _relatives(self, checkpoint: str) -> tuple[int, ...] | None:
        """Return what the program has forked, at rest; None where page frames cannot be looked at."""
        if not self.sees_frames:
            return None
        started = time.monotonic()
        try:
            relatives = family_at_rest(self.launched.pid, Deadline.after(self.patience_seconds))
        except CannotObserve as error:
            self.sees_frames = False
            self.notes.append(f"whose page frames are was not looked at: {error}")
            return None
        if relatives is None:
            self.patience_seconds = max(0.0, self.patience_seconds - (time.monotonic() - started))
            self.notes.append(
                f"whose page frames are at {checkpoint} was not looked at, for a process it forked still ran"
            )
        return relatives

    def _look_as(self, checkpoints: Sequence[str], registers: Registers) -> None:
        """Take one snapshot and keep it under each of its names."""
        self.look(checkpoints[0], registers)
        for other in checkpoints[1:]:
            self.snapshots.append(replace(self.snapshots[-1], checkpoint=other))
            self.raw.append(replace(self.raw[-1], checkpoint=other))

    def follow_if_possible(self, plan: StopPlan, session: GdbSession | None, gdb: str | None) -> None:
        """Follow the process to where `plan` ends, or as far as that goes."""
        try:
            self.follow(plan, session or GdbSession(gdb))
        except CannotObserve as error:
            self.cut_short = f"{error} ({error.help})" if error.help else str(error)
            if self.deadline.passed:
                seconds = self.deadline.seconds
                self.cut_short = f"the run was not over within {seconds:g} s (allow it more with --timeout)"

    def follow(self, plan: StopPlan, session: GdbSession) -> None:
        """Hand the process to gdb and stop it where `plan` says."""
        with session:
            session.end_by(self.deadline)
            self.gdb_version = session.version
            self._attach(session)
            if plan.until == "exec":
                return
            every_call = self._arm(session, plan)
            self._run_to_end(session, plan, every_call)

    def _attach(self, session: GdbSession) -> None:
        before, faults = self.snapshots[-1], read_fault_counts(self.launched.pid)
        self.launched.hand_over()
        session.attach(self.launched.pid)
        registers = session.registers()
        if registers != before.registers:
            self.notes.append("gdb and ptrace read different registers at exec")
        after, _ = take_snapshot(
            self.launched.pid, "exec", baseline=self.launched.baseline, registers=registers, relatives=None
        )
        change = measured("exec", "gdb attach", before, after, faults, read_fault_counts(self.launched.pid))
        if change is not None:
            self.perturbations.append(change)

    def _arm(self, session: GdbSession, plan: StopPlan) -> int | None:
        """Set the stops; return the number of the one at every system call, if there is such."""
        bias = self.load_bias()
        for address in set(plan.breakpoints.values()):
            session.insert_hardware_breakpoint(VirtAddr(address + bias), temporary=True)
        session.catch_syscalls(EXIT_CALLS)
        for name in plan.syscalls:
            try:
                session.catch_syscalls((int(name) if name.isdecimal() else name,))
            except GdbRefused as error:
                raise UsageError(
                    f"gdb knows no system call {name!r}", help="give its i386 number: --stop syscall:45"
                ) from error
        return session.catch_syscalls(()) if plan.counted else None

    def _run_to_end(self, session: GdbSession, plan: StopPlan, every_call: int | None) -> None:
        passes = Passes(plan, self.load_bias())
        fatal: SignalReceived | None = None
        while True:
            match stop := session.resume(self.deadline.left):
                case BreakpointHit(address=address):
                    reached = passes.at_address(address)
                case SyscallEntry():
                    reached = passes.at_call(stop.number, stop.name)
                    if every_call is not None and passes.all_counted:
                        session.remove_breakpoint(every_call)
                        every_call = None
                case SignalReceived() if is_fatal(self.launched.pid, stop.signo, stop.code):
                    fatal, reached = stop, passes.at_death()
                case Exited() | KilledBy():
                    self.ending = _ending(stop, fatal)
                    return
                case Execed(path=path):
                    self.notes.append(f"the program executed {path}: not followed further")
                    return
                case _:
                    reached = []
            if reached:
                self._look_as(reached, session.registers())
            if plan.until in reached and plan.until != "exit":
                return

    def load_bias(self) -> int:
        """Return what was added to the addresses of the program's file."""
        entry = next(
            (item.value for item in self.snapshots[0].auxv or () if item.type == AuxType.AT_ENTRY), None
        )
        return 0 if entry is None else entry - self._file_entry()

    def _file_entry(self) -> int:
        with ExecutableFile(self.executable) as file:
            return ElfHeader.parse(file.read(0, EHDR_SIZE)).entry

    def observation(self) -> Observation:
        """Put together what was seen."""
        observation = Observation(
            program=self.program,
            host=host_facts(gdb=self.gdb_version),
            verdict=self.launched.verdict,
            files=tuple(self._files()),
            input=self._input(),
            snapshots=tuple(self.snapshots),
            perturbations=tuple(self.perturbations),
            ending=self.ending,
            output=self.launched.terminal.output,
            raw=tuple(self.raw),
            notes=tuple(self.notes),
            unreached=self.unreached,
            cut_short=self.cut_short,
        )
        if self.program.randomize and self.snapshots and self.is_i386:
            from inspector.observe.aslr import random_bases

            with ExecutableFile(self.executable) as file:
                header = ElfHeader.parse(file.read(0, EHDR_SIZE))
                segments = parse_program_headers(file.read(header.phoff, header.phnum * PHDR_SIZE))
            return replace(observation, bases=random_bases(self.snapshots[0], header, segments))
        return observation

    def _input(self) -> FileIdentity | None:
        """Return the identity of the file that the program was given to read from, if there is one."""
        if self.program.stdin == "/dev/null" or not self.snapshots:
            return None
        path = os.path.join(self.program.cwd, self.program.stdin)  # noqa: PTH118 - a Path would tidy it
        with suppress(OSError, InspectorError), ExecutableFile(path) as file:
            return file.identity
        return None

    def _files(self) -> list[FileIdentity]:
        """Return the identity of the program, of a script's interpreters, of every file mapped at exec."""
        path, cwd = self.program.path, self.program.cwd
        paths = dict.fromkeys((path, *interpreters(path, cwd), *_mapped_files(self.snapshots[:1])))
        identities: dict[tuple[tuple[int, int], int], FileIdentity] = {}
        for path in paths:
            with suppress(OSError, InspectorError), ExecutableFile(path) as file:
                identity = file.identity if self.snapshots else file.identity_if_small
                identities.setdefault((file.device, file.inode), identity)
        return list(identities.values())


def _ending(stop: Exited | KilledBy, fatal: SignalReceived | None) -> Ending:
    """Return how the process ended; `fatal` is the signal it last received that it could not survive."""
    if isinstance(stop, Exited):
        return Ending(status=stop.status)
    if fatal is None or fatal.name != stop.signal:
        return Ending(signal=stop.signal)
    return Ending(signal=stop.signal, code=fatal.code, address=fatal.address)


def measured(
    checkpoint: str,
    action: str,
    before: Snapshot,
    after: Snapshot,
    faults_before: FaultCounts,
    faults_after: FaultCounts,
) -> Perturbation | None:
    """Return what changed between two looks at a stopped process; None if nothing did."""
    old = {page.vpn: page for page in before.pages or ()}
    new = {page.vpn: page for page in after.pages or ()}
    change = Perturbation(
        checkpoint=checkpoint,
        action=action,
        pages_added=tuple(new[vpn].address for vpn in sorted(new.keys() - old.keys())),
        pages_changed=tuple(
            new[vpn].address for vpn in sorted(new.keys() & old.keys()) if new[vpn].kind != old[vpn].kind
        ),
        minor_faults=faults_after.minor - faults_before.minor,
        major_faults=faults_after.major - faults_before.major,
    )
    unchanged = Perturbation(checkpoint, action)
    return None if change == unchanged else change


__all__ = ["measured", "observe"]
