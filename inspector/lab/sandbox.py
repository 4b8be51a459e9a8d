"""Running a student's program, which may be anything.

    bubblewrap   no network, namespaces and a session of its own, a root of read-only system directories and
                 nothing else, a private /tmp, no ptrace and no memory out of sight (syscall_filter.py)
    always       limits on CPU time, memory, processes, file size and descriptors; the memory of all its
                 processes together; a wall clock; capped output; the end of all that it started; and for root
                 another user, whom limits on processes bind

    /lab/submission    the student's files, read-only; the program starts there
    /lab/input         what it is to look at, read-only

Where bubblewrap does not work nothing is run, unless whoever grades says `--unsafe`: then only what stands
under "always" holds, and the program can read what its user can.
"""

from __future__ import annotations

import ctypes
import os
import resource
import selectors
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.lab.assess import CannotRun
from inspector.lab.process_tree import adopting
from inspector.lab.syscall_filter import filter_program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inspector.lab.process_tree import Adopted

SUBMISSION, INPUT = "/lab/submission", "/lab/input"
_MOST_OUTPUT, _MOST_COMPLAINT = 1 << 20, 16 << 10
_MOST_PROCESSES, _MOST_DESCRIPTORS, _MOST_FILE_BYTES = 32, 64, 16 << 20
_TMP_BYTES, _SHM_BYTES = 64 << 20, 16 << 20
_MEMORY_SHARES = 2
"""How often the memory of one process all of them may have together: a fork of the largest fits."""
_LOOKS_SECONDS = 0.05
"""How often that is looked at."""
_CHUNK_BYTES = 1 << 16
_NOBODY = 65534
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SYSTEM_DIRECTORIES = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_SYSTEM_FILES = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d")
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8"}  # noqa: S108 - the sandbox's own
_PROBE_SECONDS = 20.0
_GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Box:
    """What a program is given: directories that it sees, and limits."""

    submission: str
    inputs: str
    seconds: float
    memory_bytes: int
    unsafe: bool = False

    def seen_as(self, name: str) -> str:
        """Return the path by which the program finds a file of `inputs`."""
        return os.path.join(self.inputs if self.unsafe else INPUT, name)  # noqa: PTH118 - text for argv


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ran."""

    output: bytes
    complaint: bytes
    """Its stderr, capped."""
    status: int
    """As Popen has it: negative for a signal."""
    problem: str = ""
    """Why it was ended, or by what; empty: it ended well."""


def run_boxed(command: Sequence[str], box: Box) -> Ran:
    """Run a program and return what came of it; nothing it started is left. Raises CannotRun."""
    if box.unsafe:
        return _run(command, box.submission, box)
    if refusal := why_not():
        raise CannotRun(
            f"a student's program is not run without a sandbox: {refusal}",
            help="install bubblewrap, or run it unprotected with --unsafe",
        )
    return _run_in_bubblewrap(command, box)


@cache
def why_not() -> str:
    """Return why bubblewrap does not work here; empty: it does. Tried once, on a program of our own."""
    if shutil.which("bwrap") is None:
        return "bubblewrap (bwrap) is not installed"
    box = Box("/usr", "/usr", _PROBE_SECONDS, 1 << 30)
    done = _run_in_bubblewrap(["/bin/sh", "-c", "echo works"], box)
    if done.output == b"works\n":
        return ""
    said = done.complaint.decode("utf-8", "replace").strip().splitlines()
    return f"bubblewrap does not work here ({said[-1] if said else done.problem or 'it does not say why'})"


def _run_in_bubblewrap(command: Sequence[str], box: Box) -> Ran:
    # A pipe holds so little at once, and bubblewrap reads it to its end.
    descriptor, inner = os.pipe()
    try:
        try:
            os.write(inner, filter_program())
        finally:
            os.close(inner)
        words = [*_bubblewrap(box), "--seccomp", str(descriptor), "--", *_limited(command)]
        return _run(words, "/", box, (descriptor,))
    finally:
        os.close(descriptor)


def _bubblewrap(box: Box) -> list[str]:
    words = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
    for name, value in _ENVIRONMENT.items():
        words += ["--setenv", name, value]
    words += ["--setenv", "INSPECTOR_PROFILE", f"{INPUT}/profile.json"]
    words += ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM_DIRECTORIES:
        path = Path("/") / name
        if path.is_symlink():
            words += ["--symlink", os.fspath(path.readlink()), f"/{name}"]
        elif path.is_dir():
            words += ["--ro-bind", f"/{name}", f"/{name}"]
    for file in _SYSTEM_FILES:
        words += ["--ro-bind-try", file, file]
    words += ["--proc", "/proc", "--dev", "/dev", "--size", str(_SHM_BYTES), "--tmpfs", "/dev/shm"]  # noqa: S108
    words += ["--remount-ro", "/dev", "--size", str(_TMP_BYTES), "--tmpfs", "/tmp"]  # noqa: S108
    words += ["--ro-bind", box.submission, SUBMISSION, "--ro-bind", box.inputs, INPUT]
    return [*words, "--remount-ro", "/", "--chdir", SUBMISSION]


def _limited(command: Sequence[str]) -> list[str]:
    """Bound the processes inside, where they are counted apart from the user's others."""
    return ["prlimit", f"--nproc={_MOST_PROCESSES}:{_MOST_PROCESSES}", "--", *command]


def _run(words: Sequence[str], directory: str, box: Box, kept: tuple[int, ...] = ()) -> Ran:
    with adopting() as adopted:
        return _started(words, directory, box, kept, adopted)


def _started(words: Sequence[str], directory: str, box: Box, kept: tuple[int, ...], adopted: Adopted) -> Ran:
    root = os.geteuid() == 0
    try:
        process = subprocess.Popen(  # noqa: S603 - what is untrusted runs in the box or not at all
            list(words),
            pass_fds=kept,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=directory,
            env={**_ENVIRONMENT, "INSPECTOR_PROFILE": box.seen_as("profile.json")},
            start_new_session=True,
            user=_NOBODY if root else None,
            group=_NOBODY if root else None,
            extra_groups=[] if root else None,
            preexec_fn=_preparation(box),  # noqa: PLW1509 - the workers of grading have a single thread
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return Ran(b"", b"", 127, f"it could not be started: {error}")
    try:
        output, complaint, problem = _drained(process, box, adopted)
    finally:
        _end(process)
    return Ran(output, complaint, process.returncode, problem or _ending(process.returncode))


def _preparation(box: Box) -> Callable[[], None]:
    cpu = max(1, round(box.seconds + 0.5))
    limits = {
        resource.RLIMIT_CPU: (cpu, cpu + 1),
        resource.RLIMIT_AS: (box.memory_bytes, box.memory_bytes),
        resource.RLIMIT_FSIZE: (_MOST_FILE_BYTES, _MOST_FILE_BYTES),
        resource.RLIMIT_NOFILE: (_MOST_DESCRIPTORS, _MOST_DESCRIPTORS),
        resource.RLIMIT_CORE: (0, 0),
    }
    if box.unsafe:
        most = _own_processes() + _MOST_PROCESSES
        limits[resource.RLIMIT_NPROC] = (most, most)
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def prepare() -> None:
        for name, pair in limits.items():
            hard = resource.getrlimit(name)[1]
            soft, most = (each if hard < 0 else min(each, hard) for each in pair)
            resource.setrlimit(name, (soft, most))
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # had it died before, no signal would come
            os._exit(127)

    return prepare


def _own_processes() -> int:
    """Return how many processes and threads the user has who will run the program."""
    user = _NOBODY if os.geteuid() == 0 else os.getuid()
    count = 0
    for task in Path("/proc").glob("[0-9]*/task/*"):
        try:
            count += task.stat().st_uid == user
        except OSError:
            continue
    return count


def _drained(process: subprocess.Popen[bytes], box: Box, adopted: Adopted) -> tuple[bytes, bytes, str]:
    """Read both streams until the program has ended, and return them with what made us end it."""
    deadline = time.monotonic() + box.seconds
    looked = 0.0
    assert process.stdout is not None  # noqa: S101 - they are pipes
    assert process.stderr is not None  # noqa: S101
    output, complaint = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, (output, _MOST_OUTPUT))
        selector.register(process.stderr, selectors.EVENT_READ, (complaint, _MOST_COMPLAINT))
        problem = ""
        while not problem:
            ended = process.poll() is not None
            ready = selector.select(0 if ended else _LOOKS_SECONDS)
            if ended and not ready:
                break  # what it left behind may still hold the pipes
            for key, _ in ready:
                data = os.read(key.fd, _CHUNK_BYTES)
                buffer, most = key.data
                buffer += data[: most - len(buffer)]
                if not data:
                    selector.unregister(key.fileobj)
            now = time.monotonic()
            if len(output) >= _MOST_OUTPUT:
                problem = f"it printed more than {_MOST_OUTPUT >> 10} KiB"
            elif now >= deadline:
                problem = f"it was not over within {box.seconds:.1f} s"
            elif now - looked >= _LOOKS_SECONDS:
                looked = now
                if adopted.address_spaces_bytes() > _MEMORY_SHARES * box.memory_bytes:
                    problem = (
                        f"its processes together took more than {_MEMORY_SHARES * box.memory_bytes >> 20} MiB"
                    )
    return bytes(output), bytes(complaint), problem


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the program and its session; what it started besides is adopted, and ended with us."""
    if process.returncode is None:
        for kill in (os.killpg, os.kill):
            try:
                kill(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        process.wait(_GRACE_SECONDS)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _ending(status: int) -> str:
    if status == 0:
        return ""
    if status < 0:
        return f"it was killed by {signal.Signals(-status).name}"
    if status > 128:  # noqa: PLR2004 - what bubblewrap and shells make of a signal
        try:
            return f"it was killed by {signal.Signals(status - 128).name}"
        except ValueError:
            pass
    return f"it ended with status {status}"
