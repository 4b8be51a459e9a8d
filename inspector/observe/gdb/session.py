"""A session: one gdb, and the one process it is attached to."""

from __future__ import annotations

import re
from contextlib import suppress
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import TYPE_CHECKING

from inspector.errors import CannotObserve, GdbError, GdbRefused, UsageError
from inspector.observe.gdb import answers, requirements
from inspector.observe.gdb.connection import Connection
from inspector.observe.gdb.execution import Execution, State
from inspector.observe.gdb.mi import text_of, tuple_of
from inspector.observe.gdb.process import GdbProcess, find_gdb
from inspector.observe.gdb.stops import Execed, Exited, KilledBy
from inspector.observe.gdb.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from inspector.model.address import VirtAddr
    from inspector.model.registers import Registers
    from inspector.observe.deadline import Deadline
    from inspector.observe.gdb.stops import SignalInfo, Stop

_GRACE_SECONDS = 1.0
"""How long the end of a process, or of its tracing, may take."""
_SYSCALL = re.compile(r"[A-Za-z0-9_]+")


class GdbSession:
    """gdb attached to a process, as a context manager; leaving it ends gdb, and the process if it is owned.

    The constructor returns at once, gdb starts meanwhile. All calls must come from one thread, which must
    outlive the session: gdb is killed when that ends. Every method raises GdbTimeout if gdb does not answer,
    GdbDied if it ends, GdbRefused if it says no; after the first two only `kill` and `close` make sense.
    """

    def __init__(self, gdb: str | None = None, *, command_timeout: float = 10.0) -> None:
        """Start gdb: the program `gdb`, else $INSPECTOR_GDB, else the one on PATH.

        `command_timeout` is in seconds, for one answer. Raises GdbMissing.
        """
        self._timeout = command_timeout
        self._closed = False
        self._version: str | None = None
        self._target: Target | None = None
        self._owned = False
        self._register_numbers: dict[str, str] | None = None
        self._process = GdbProcess(find_gdb(gdb), requirements.ARGUMENTS)
        try:
            self._connection = Connection(self._process)
            self._run = Execution(self._connection, command_timeout)
            self._setup = self._connection.send(
                *requirements.QUESTIONS, *requirements.SETUP, timeout=command_timeout
            )
        except BaseException:
            self._process.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def version(self) -> str:
        """What gdb calls itself: `(Debian 13.1-3) 13.1`. Raises GdbTooOld if it cannot serve."""
        if self._version is None:
            self._version = self._complete_setup()
        return self._version

    def _complete_setup(self) -> str:
        asked = len(requirements.QUESTIONS)
        try:
            questions = self._connection.answers(self._setup[:asked], timeout=self._run.patience)
        except GdbError as error:
            raise requirements.too_old_by_its_own_words(self._process.executable) or error from error
        version = requirements.check(*questions)
        try:
            self._connection.answers(self._setup[asked:], timeout=self._run.patience)
        except GdbRefused as refusal:
            raise requirements.cannot_be_set_up(version, refusal) from refusal
        return version

    def end_by(self, deadline: Deadline) -> None:
        """Give gdb's answers no more time than is left until `deadline`."""
        self._run.deadline = deadline

    def attach(self, pid: int, *, owned: bool = True) -> None:
        """Attach to `pid`, which stays stopped before its next instruction; not a page of it is touched.

        An `owned` process was started for this observation: it ends with the session, and a SIGSTOP that
        holds it until now is forgotten, so that the first resume runs it. Any other is let go at the end.
        Raises ProcessVanished; CannotObserve where tracing it is not allowed.
        """
        self._run.require(State.IDLE)
        _ = self.version
        self._target, self._owned = Target(pid), owned
        try:
            self._run.attach(pid)
        except GdbRefused as refusal:
            raise self._target.why_gone() or self._target.why_not_traced() or refusal from refusal
        if not self._process.contains(self._target.tracer()):
            raise CannotObserve(f"gdb is not the tracer of process {pid}", help="see `inspector doctor`")
        if owned:
            # The kernel drops pending stops, and calls the group stop off that new threads would join.
            self._target.signal(SIGCONT)
        self._run.ask(*self._run.breakpoints.regions.forbid(()), "catch exec")

    def registers(self) -> Registers:
        """Return the registers of the thread that stopped. Raises NotModelled for a 64-bit program."""
        self._run.require(State.STOPPED)
        if self._register_numbers is None:
            (answer,) = self._run.ask("-data-list-register-names")
            self._register_numbers = answers.register_numbers(answer.results)
        (answer,) = self._run.ask(f"-data-list-register-values x {' '.join(self._register_numbers)}")
        return answers.registers(
            answer.results, self._register_numbers, at_breakpoint=self._run.is_at_breakpoint
        )

    def insert_hardware_breakpoint(self, address: VirtAddr, *, temporary: bool = False) -> int:
        """Stop before the instruction at `address`, and return the breakpoint's number.

        Also where the program stands at `address` already: then the next `resume` reports it at once. A
        temporary one is gone after its first hit. No byte of the program is changed or read. Raises
        UsageError if all four debug registers are taken.
        """
        self._run.require(State.STOPPED)
        return self._run.breakpoints.insert(address, temporary=temporary)

    def remove_breakpoint(self, number: int) -> None:
        """Remove what `insert_hardware_breakpoint`, `catch_syscalls` or `catch_forks` returned."""
        self._run.breakpoints.remove(number)

    def catch_syscalls(self, calls: Iterable[str | int]) -> int:
        """Stop at entry to and return from each of `calls`, i386 names or numbers; return a number.

        With none given, every system call is meant.
        A name that this gdb does not know is refused (GdbRefused); its number is not.
        """
        words = list(map(str, calls))
        for word in words:
            # What else gdb understands here is not ours to promise; least of all another command.
            if not _SYSCALL.fullmatch(word):
                raise UsageError(f"{word!r} is no system call", help="give its name or its number")
        return self._catch(" ".join(("syscall", *words)))

    def catch_forks(self) -> tuple[int, int]:
        """Stop when the program forks or vforks, and return two numbers. Children run on untraced."""
        return self._catch("fork"), self._catch("vfork")

    def _catch(self, event: str) -> int:
        self._run.require(State.STOPPED)
        (answer,) = self._run.ask(f"catch {event}")
        created = next(notice for notice in answer.notices if notice.name == "breakpoint-created")
        return int(text_of(tuple_of(created.results, "bkpt"), "number"))

    def read_memory(self, address: VirtAddr, size: int) -> bytes:
        """Return `size` bytes at `address`. Pages that are absent become resident: a perturbation.

        Raises CannotObserve if not all of it is mapped.
        """
        self._run.require(State.STOPPED)
        try:
            *_, answer = self._run.ask(
                *self._run.breakpoints.regions.forbid(()), f"-data-read-memory-bytes {address:#x} {size}"
            )
        except GdbRefused:
            contents = b""
        else:
            contents = answers.memory(answer.results)
        if len(contents) != size:
            raise CannotObserve(
                f"not all of {address:#x}-{address + size:#x} is mapped",
                help="the program's /proc/PID/maps shows what is",
            )
        return contents

    def siginfo(self) -> SignalInfo | None:
        """Return the siginfo of the signal the process stopped for; None if it stopped for none."""
        self._run.require(State.STOPPED)
        return self._run.siginfo

    def resume(self, timeout: float, *, deliver_signal: bool = True) -> Stop:
        """Let the program run, and return why it stopped; `timeout` is in seconds.

        The signal the last stop reported is delivered, unless told otherwise. A program that stops itself
        (SIGSTOP, or SIGTSTP unhandled) is continued at once, as a shell's `fg` would.
        Raises GdbTimeout if it does not stop in time: it runs on then, and `resume` waits further;
        ProcessVanished if it was killed at a moment when gdb could not see it.
        """
        if self._target is None:
            raise GdbRefused("there is no program to resume", help="attach to one first")
        try:
            stop = self._run.resume(self._target, timeout, deliver_signal=deliver_signal)
        except GdbRefused as refusal:
            raise self._target.why_gone() or refusal from refusal
        if isinstance(stop, Execed):
            self._register_numbers = None  # the new program may be a 64-bit one
        return stop

    def detach(self) -> None:
        """Let the process go on without gdb, and without breakpoints."""
        self._run.require(State.STOPPED)
        self._run.ask("-target-detach")
        self._run.state = State.GONE

    def kill(self) -> None:
        """Kill the process, whatever state it and gdb are in, and have gdb see its end.

        Until its tracer has, a process cannot be waited for by its parent either.
        """
        if self._target is None or not self._run.is_attached:
            return
        self._target.signal(SIGKILL)
        stop: Stop | None = None
        with suppress(GdbError):
            while not isinstance(stop, Exited | KilledBy):
                if self._run.state is State.STOPPED:
                    self._connection.ask("-exec-continue", timeout=_GRACE_SECONDS)
                stop = self._run.next_stop(_GRACE_SECONDS)
        self._run.state = State.GONE

    def close(self) -> None:
        """End gdb, and an owned process with it; any other is let go. May be called twice."""
        if self._closed:
            return
        self._closed = True
        held = self._target if self._run.is_attached else None
        try:
            if held is not None and not self._owned:
                self._let_go(held)
        finally:
            if held is not None and self._owned:
                held.signal(SIGKILL)
            self._process.kill()
            if self._connection.has_ended(_GRACE_SECONDS):
                self._process.close()
            if held is not None and self._owned:
                held.has_ended(_GRACE_SECONDS)
            if self._target is not None:
                self._target.close()

    def _let_go(self, target: Target) -> None:
        """Detach from a process that is not ours, and leave it as it was: running, or stopped."""
        with suppress(GdbError):
            if self._run.state is State.STOPPED:
                self._connection.ask("-target-detach", timeout=_GRACE_SECONDS)
                return
            # -exec-interrupt would do, but its SIGINT may reach the whole process group.
            self._connection.ask("handle SIGSTOP nopass", timeout=_GRACE_SECONDS)
            target.signal(SIGSTOP)
            self._connection.next_stop(_GRACE_SECONDS)
            self._connection.ask("-target-detach", timeout=_GRACE_SECONDS)
            target.signal(SIGCONT)  # should it have stopped for another reason, with our SIGSTOP yet to come
