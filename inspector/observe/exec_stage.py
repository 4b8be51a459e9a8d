"""A stage for many programs in a row: each is led through execve, looked at there, and ended.

None executes an instruction of its own, so it needs no terminal, no guard and no mark: it cannot write or
fork, and dies with us (parent-death signal, PTRACE_O_EXITKILL). What every launch shares is made once.

The files have no name. They are executed through a descriptor, by a path that is the same for each, and so
are the strings on their stacks:

    /proc/self/fd/900    the file being tried; what is tried may name itself as its interpreter
    /proc/self/fd/901    its companion, the same file all along
    /proc/self/fd/902    a host: a sound program of a single page, of the companion's class, that asks
                         for 900 as its interpreter

Nothing is left behind, whatever ends us.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from signal import SIGKILL
from typing import TYPE_CHECKING, Self

from inspector.elf.header import ELF32, ELF64, EM_X86_64, ElfHeader
from inspector.errors import CannotObserve, LaunchFailed, NotModelled
from inspector.model.prediction import Outcome
from inspector.model.program import BASE_ENVIRONMENT, Layout, Limits, Personality, Program
from inspector.observe import ptrace
from inspector.observe.anonymous import anonymous_executable
from inspector.observe.credentials import current_credentials
from inspector.observe.exec_stop import lead_through_exec
from inspector.observe.launch import launcher_not_started
from inspector.observe.launcher import launcher_image
from inspector.observe.limits import permitted
from inspector.observe.snapshot import read_stack, take_snapshot
from inspector.observe.tiny_elf import Assembler, link

if TYPE_CHECKING:
    from inspector.model.prediction import ExecVerdict
    from inspector.model.snapshot import FaultCounts, Snapshot

_FILE, _COMPANION, _HOST = 900, 901, 902
FILE_PATH, COMPANION_PATH, HOST_PATH = (f"/proc/self/fd/{number}" for number in (_FILE, _COMPANION, _HOST))
_HOST_BASE = 0x1000_0000


@dataclass(frozen=True, slots=True)
class SeenExec:
    """What execve did with one file."""

    verdict: ExecVerdict
    snapshot: Snapshot | None
    """The process before its first instruction. None: there is none."""


class ExecStage:
    """The stage. A context manager; there can be one at a time in a process."""

    def __init__(
        self,
        companion: bytes,
        *,
        layout: Layout = Layout.DEFAULT,
        arguments: tuple[str, ...] = (),
        seconds: float = 10.0,
    ) -> None:
        """`companion` is what lies at COMPANION_PATH, `arguments` what the file is given.

        No execve may take more than `seconds`. Raises LaunchFailed.
        """
        self.program = _program(FILE_PATH, layout, arguments)
        """The file itself."""
        self.host = _program(HOST_PATH, layout)
        """The program whose interpreter the file is."""
        self._seconds = seconds
        self._held: list[int] = []
        self._launchers: dict[Program, int] = {}
        """Of the two programs as they ordinarily are started."""
        try:
            for number in (_FILE, _COMPANION, _HOST):
                self._reserve(number)
            self._put(_COMPANION, companion)
            self._put(_HOST, _host_image(companion))
            for program in (self.program, self.host):
                self._launchers[program] = _launcher(program, program.personality)
        except BaseException:
            self.close()
            raise

    @property
    def shared_descriptors(self) -> tuple[int, ...]:
        """What the programs have open under the numbers that this process has it by."""
        return tuple(self._held)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files; may be called twice."""
        while self._launchers:
            os.close(self._launchers.popitem()[1])
        while self._held:
            os.close(self._held.pop())

    def _reserve(self, number: int) -> None:
        with contextlib.suppress(OSError):
            os.fstat(number)
            raise LaunchFailed(
                f"descriptor {number} is in use", help=f"start it without: inspector ... {number}>&-"
            )
        try:
            with open(os.devnull, "rb") as null:  # noqa: PTH123
                os.dup2(null.fileno(), number)
        except OSError as error:
            raise LaunchFailed(
                f"descriptor {number} is beyond this session's limit", help="ulimit -n 1024"
            ) from error
        self._held.append(number)

    def _put(self, number: int, contents: bytes) -> None:
        file = anonymous_executable(contents)
        try:
            os.dup2(file, number)
        finally:
            os.close(file)

    def set_file(self, contents: bytes) -> None:
        """Have `contents` tried from now on: a new file each time."""
        self._put(_FILE, contents)

    @staticmethod
    def otherwise(
        program: Program,
        *,
        stack_limit: int,
        argv: tuple[str, ...] | None = None,
        envp: tuple[str, ...] | None = None,
    ) -> Program:
        """Return one of this stage's programs under a stack limit, as far as permitted, with other strings.

        None leaves them as they are.
        """
        limits = replace(program.limits, stack=stack_limit)
        # Whether a limit is permitted is tried on ourselves, who need our stack.
        if stack_limit > program.limits.stack:
            limits = permitted(limits)
        return replace(
            program,
            limits=limits,
            argv=program.argv if argv is None else argv,
            envp=program.envp if envp is None else envp,
        )

    def execute(self, program: Program, *, bottom_up: bool = False) -> SeenExec:
        """Lead `program`, one of this stage's, through execve and end what came of it.

        `bottom_up` gives it ADDR_COMPAT_LAYOUT. Raises LaunchFailed, or CannotObserve if it takes too long.
        """
        personality = program.personality | (
            Personality.ADDR_COMPAT_LAYOUT if bottom_up else Personality.NONE
        )
        if program in self._launchers and not bottom_up:
            return self._lead(self._spawn(self._launchers[program]), program)
        launcher = _launcher(program, personality)
        try:
            return self._lead(self._spawn(launcher), program)
        finally:
            os.close(launcher)

    def _lead(self, pid: int, program: Program) -> SeenExec:
        gone = False

        def wait() -> ptrace.Stopped | ptrace.Gone:
            nonlocal gone
            stop = ptrace.next_stop(pid)
            gone = isinstance(stop, ptrace.Gone)
            return stop

        try:
            with ptrace.killed_after(pid, self._seconds) as expired:
                try:
                    led = lead_through_exec(pid, wait, program.limits)
                finally:
                    if expired.is_set():
                        raise CannotObserve(
                            f"execve was not over within {self._seconds:g} s",
                            help="try it when the machine is less busy",
                        )
            runs = led.verdict.outcome is Outcome.RUNS
            return SeenExec(led.verdict, _look(pid, led.baseline) if runs else None)
        finally:
            if not gone:
                os.kill(pid, SIGKILL)
                os.waitpid(pid, 0)

    def _spawn(self, launcher: int) -> int:
        nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
        # Onto themselves: they stay open in the launcher, and nothing else does.
        kept = [(os.POSIX_SPAWN_DUP2, number, number) for number in self._held]
        try:
            return os.posix_spawn(
                f"/proc/self/fd/{launcher}",
                ["launcher"],
                {},
                file_actions=[*nothing, *kept],
                setsid=True,
            )
        except OSError as error:
            raise launcher_not_started(error) from error


def _program(path: str, layout: Layout, arguments: tuple[str, ...] = ()) -> Program:
    return Program(
        path=path,
        argv=(path, *arguments),
        envp=BASE_ENVIRONMENT,
        requested=path,
        credentials=current_credentials(),
        cwd=str(Path.cwd()),
        limits=permitted(Limits(core=_core_limit())),
        layout=layout,
    )


def _core_limit(pattern: Path = Path("/proc/sys/kernel/core_pattern")) -> int:
    """Return the limit of core files under which the kernel makes nothing of a death.

    A program that core files are piped to is started whatever the limit, unless that is 1.
    Source: fs/coredump.c:coredump_pipe().
    """
    try:
        return 1 if pattern.read_bytes()[:1] in (b"|", b"@") else 0
    except OSError:
        return 0


def _launcher(program: Program, personality: Personality) -> int:
    image = launcher_image(program, parent=os.getpid(), descriptor=_HOST + 1, personality=personality)
    return anonymous_executable(image)


def _host_image(companion: bytes) -> bytes:
    code = Assembler(_HOST_BASE)
    name = FILE_PATH.encode() + b"\0"
    layout = ELF64 if ElfHeader.parse(companion).machine == EM_X86_64 else ELF32
    return link(code, entry=code.start, interpreter=(code.data(name), len(name)), layout=layout)


def _look(pid: int, baseline: FaultCounts) -> Snapshot:
    try:
        registers = ptrace.registers(pid)
    except NotModelled:
        return take_snapshot(pid, "exec", baseline=baseline, registers=None, word_bytes=8, relatives=())[0]
    snapshot, _ = take_snapshot(pid, "exec", baseline=baseline, registers=registers, relatives=())
    return replace(snapshot, stack=read_stack(pid, snapshot))
