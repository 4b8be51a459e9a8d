"""A process that is already running: stopped for a moment, looked at, and let go on.

No debugger is needed: PTRACE_SEIZE and PTRACE_INTERRUPT stop it without a signal and without touching
a page, and a signal that arrives meanwhile is passed on. What the kernel does at any stop it does at this one
too: a few system calls that wait, epoll_wait for one, return EINTR (signal(7), "Interruption of system calls
and library functions by stop signals"). Its past is unknown, so fault counts are since its creation and
there is no verdict of execve.
"""

from __future__ import annotations

import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.elf.file import ExecutableFile
from inspector.errors import CannotObserve, NotModelled, ProcessVanished
from inspector.model.observation import Observation
from inspector.model.program import Credentials, Layout, Limits, Personality, Program
from inspector.model.snapshot import FaultCounts
from inspector.observe import ptrace
from inspector.observe.host import host_facts
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.procfs.status import parse_status
from inspector.observe.snapshot import take_snapshot

if TYPE_CHECKING:
    from inspector.model.prediction import FileIdentity

_MOST_NAMED = 8


def observe_pid(pid: int, *, seconds: float = 10.0) -> Observation:
    """Return what process `pid` looks like now; it goes on as it was, stopped or running.

    Raises ProcessVanished if it ends meanwhile, and CannotObserve if it may not be looked at or does not stop
    within `seconds`.
    """
    # A thread is a tracer of its own, and its end lets go of what it traces in whatever state that is
    # (kernel/ptrace.c:exit_ptrace()); PTRACE_DETACH only of what has stopped.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="tracer") as tracer:
        return tracer.submit(_observe, pid, seconds).result()


def _observe(pid: int, seconds: float) -> Observation:
    program = _program(pid)
    notes = _company(pid)
    ptrace.seize(pid)
    signal = 0
    try:
        signal = ptrace.interrupt(pid, seconds)
        try:
            registers = ptrace.registers(pid)
        except NotModelled:
            registers = None
            notes.append("64-bit process: its registers were not read")
        snapshot, raw = take_snapshot(
            pid,
            "now",
            baseline=FaultCounts(),
            registers=registers,
            relatives=None,
            word_bytes=8 if registers is None else 4,
        )
    finally:
        ptrace.release(pid, signal)
    try:
        with ExecutableFile(f"/proc/{pid}/exe") as file:
            files: tuple[FileIdentity, ...] = (file.identity,)
    except (OSError, CannotObserve):
        files = ()
        notes.append("its file could not be read")
    return Observation(
        program=program,
        host=host_facts(gdb=None),
        verdict=None,
        files=files,
        snapshots=(snapshot,),
        raw=(raw,),
        notes=tuple(notes),
    )


def _company(pid: int) -> list[str]:
    """Return what goes on while the process is looked at, in words: its other threads, its children."""
    # Only this command needs it, and it takes ten milliseconds to import.
    import psutil

    try:
        process = psutil.Process(pid)
        threads, children = process.num_threads(), process.children(recursive=True)
    except psutil.Error:
        return []
    notes = []
    if threads > 1:
        notes.append(f"{threads} threads: only the first was stopped, the others went on meanwhile")
    if children:
        numbers = " ".join(str(child.pid) for child in children[:_MOST_NAMED])
        more = " and more" if len(children) > _MOST_NAMED else ""
        notes.append(f"it has descendants, which were not looked at: {numbers}{more}")
    return notes


def _program(pid: int) -> Program:
    """Describe a running process in the words used for one to be started."""
    with ProcessFiles(pid) as files:
        status = parse_status(files.status())
    try:
        directory = Path(f"/proc/{pid}")
        path = os.readlink(directory / "exe")  # noqa: PTH115 - a Path would tidy the text
        cwd = os.readlink(directory / "cwd")  # noqa: PTH115
        argv = _strings((directory / "cmdline").read_bytes())
        envp = _strings((directory / "environ").read_bytes())
        personality = Personality(int((directory / "personality").read_text(encoding="ascii"), 16))
    except (FileNotFoundError, ProcessLookupError) as error:
        raise ProcessVanished(
            f"there is no program in process {pid}", help="kernel threads and ended processes have none"
        ) from error
    except OSError as error:
        raise CannotObserve(
            f"process {pid} may not be looked at: {error.strerror}", help="run as its owner or as root"
        ) from error
    return Program(
        path=path,
        argv=argv,
        envp=envp,
        requested=path,
        credentials=Credentials(status.uid.real, status.uid.effective, status.gid.real, status.gid.effective),
        cwd=cwd,
        limits=Limits(
            stack=resource.prlimit(pid, resource.RLIMIT_STACK)[0] % (1 << 64),
            core=resource.prlimit(pid, resource.RLIMIT_CORE)[0] % (1 << 64),
        ),
        layout=Layout.THREE_GB if Personality.ADDR_LIMIT_3GB in personality else Layout.DEFAULT,
        randomize=Personality.ADDR_NO_RANDOMIZE not in personality,
    )


def _strings(block: bytes) -> tuple[str, ...]:
    return tuple(os.fsdecode(text) for text in block.removesuffix(b"\0").split(b"\0")) if block else ()
