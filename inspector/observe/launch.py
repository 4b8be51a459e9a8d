"""The one way to start a program: the same for gdb, for the witness and for the bare stop.

`launch` leads the new process through execve and leaves it stopped before its first instruction, with
nothing of it touched yet: the pristine state a prediction speaks of. From there it can be looked at,
handed to gdb, or let run.

    tool ── spawn ──> launcher (traced by us)          launcher.py
                        personality, signals, ...
                        int3                            limits set from outside
                        execve entry                    fault counters: the baseline
                        execve return                   errno, death, or the new program
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from signal import SIGKILL, SIGSTOP
from typing import TYPE_CHECKING, Self

from inspector.errors import CannotObserve, LaunchFailed
from inspector.model.prediction import ExecVerdict, Outcome
from inspector.model.snapshot import FaultCounts
from inspector.model.vma import FileBacking
from inspector.observe import descendants, guard, ptrace
from inspector.observe.anonymous import anonymous_executable
from inspector.observe.deadline import Deadline
from inspector.observe.exec_stop import lead_through_exec
from inspector.observe.launcher import launcher_image
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.procfs.maps import parse_maps
from inspector.observe.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.model.program import Program
    from inspector.model.registers import Registers


class Launched:
    """A program at the return of its execve, and the terminal it writes to.

    A context manager: leaving it kills and reaps the process, whoever traces it by then.
    """

    def __init__(self, process: subprocess.Popen[bytes], terminal: Terminal, mark: int) -> None:
        """Take over a spawned launcher, to be marked by `mark`; `launch` calls this."""
        self._process = process
        self._mark = mark
        self.pid = process.pid
        self.terminal = terminal
        self.baseline = FaultCounts(0, 0)
        """Fault counters just before execve."""
        self.verdict = ExecVerdict(Outcome.RUNS)
        self.notes = [] if terminal.note is None else [terminal.note]
        """What is not as it should be about the stage it runs on, in words."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def registers(self) -> Registers:
        """Return the registers, while the process is still ours to trace."""
        return ptrace.registers(self.pid)

    def wait(self, seconds: float) -> ptrace.Stopped | ptrace.Gone:
        """Wait for the process's next stop or its end, while it is ours to trace."""
        stop = ptrace.wait(self.pid, seconds)
        if isinstance(stop, ptrace.Gone):
            self._process.returncode = stop.status if stop.status is not None else -1
        return stop

    def hand_over(self) -> None:
        """Stop tracing but leave the process stopped (SIGSTOP), for gdb to attach to."""
        os.kill(self.pid, SIGSTOP)
        ptrace.detach(self.pid)

    def close(self) -> None:
        """Kill and reap the process and what it started, and close its terminal; may be called twice."""
        if self._process.returncode is None:
            # Before it is reaped: until then its number, and so its process group's, is no one else's.
            for kill in (os.kill, os.killpg):
                with contextlib.suppress(ProcessLookupError):
                    kill(self.pid, SIGKILL)
            # Popen.wait reaps by waitpid; the death of a tracee passes through its tracer first,
            # which gdb's own exit guarantees.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=10)
        descendants.end_marked(self._mark)
        guard.release(self.pid)
        self.terminal.close()


def launch(
    program: Program,
    *,
    seconds: float = 10.0,
    deadline: Deadline | None = None,
    prepare: Callable[[int], None] = lambda _: None,
) -> Launched:
    """Start `program` and lead it to the return of execve.

    It must be there within `seconds`, or by `deadline`, which comes first. `prepare` is given the process's
    number just before execve. The verdict stands in `Launched.verdict`;
    after a refusal or a death there is no process left.
    Raises LaunchFailed where the stage could not be set, or where execve came to load the launcher itself,
    CannotObserve past the deadline.
    """
    deadline = deadline or Deadline.after(seconds)
    image = _launcher(program)
    terminal = Terminal()
    launcher = os.fstat(image)
    try:
        process = _spawn(image, program, terminal)
    except BaseException:
        terminal.close()
        raise
    finally:
        os.close(image)
    mark = descendants.new_mark()
    guard.protect(process.pid, mark)
    launched = Launched(process, terminal, mark)
    try:
        terminal.start()
        descendants.mark(process.pid, mark)
        reached = lead_through_exec(
            process.pid, lambda: launched.wait(deadline.left), program.limits, prepare
        )
        launched.verdict, launched.baseline = reached.verdict, reached.baseline
        if launched.verdict.outcome is Outcome.RUNS:
            _require_another_file(process.pid, launcher)
    except BaseException as error:
        launched.close()
        if isinstance(error, CannotObserve) and deadline.passed:
            raise CannotObserve(
                f"execve was not over within {deadline.seconds:g} s", help="allow it more with --timeout"
            ) from error
        raise
    return launched


def _require_another_file(pid: int, launcher: os.stat_result) -> None:
    """Raise LaunchFailed where what execve has loaded is the launcher once more, as program or interpreter.

    It would run as it did before, and stop for a tracer that may no longer be there.
    """
    own = (os.major(launcher.st_dev), os.minor(launcher.st_dev)), launcher.st_ino
    try:
        with ProcessFiles(pid) as files:
            areas = parse_maps(files.maps())
    except CannotObserve:
        return  # a program that may not be read: the launcher may
    files_of = (area.backing for area in areas if isinstance(area.backing, FileBacking))
    if any((backing.device, backing.inode) == own for backing in files_of):
        raise LaunchFailed(
            "what is executed leads back to whoever starts it: /proc/self/exe or the like",
            help="name the program, or its interpreter, by a path of its own",
        )


def _launcher(program: Program) -> int:
    # Its own descriptor number is part of what it must close, hence the placeholder.
    placeholder = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    try:
        image = anonymous_executable(launcher_image(program, parent=os.getpid(), descriptor=placeholder))
        try:
            os.dup2(image, placeholder, inheritable=False)
        finally:
            os.close(image)
    except BaseException:
        os.close(placeholder)
        raise
    return placeholder


def _spawn(image: int, program: Program, terminal: Terminal) -> subprocess.Popen[bytes]:
    try:
        stdin = _open_stdin(program.stdin)
    except OSError as error:
        raise LaunchFailed(
            f"{program.stdin}: {error.strerror}", help="give --stdin a readable file"
        ) from error
    try:
        return subprocess.Popen(
            ["launcher"],  # noqa: S607 - `executable` names the file
            executable=f"/proc/self/fd/{image}",
            pass_fds=(image,),  # the launcher closes it: the program gets three files and no more
            stdin=stdin,
            stdout=terminal.slave,
            stderr=terminal.slave,
            env={},
            cwd=program.cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise launcher_not_started(error) from error
    finally:
        os.close(stdin)


def launcher_not_started(error: OSError) -> LaunchFailed:
    """Return what to say of a launcher, an i386 program, that the kernel would not start."""
    if error.errno == errno.ENOEXEC:
        return LaunchFailed(
            "this kernel does not run i386 programs",
            help="enable IA32 emulation (CONFIG_IA32_EMULATION, ia32_emulation=on)",
        )
    return LaunchFailed(f"the launcher could not be started: {error.strerror}", help="see `inspector doctor`")


def _open_stdin(path: str) -> int:
    """Open what the program reads, without waiting for anyone to write to a FIFO.

    One that nobody has open for writing reads as empty.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    return descriptor
