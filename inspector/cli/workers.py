"""Work on many programs side by side: a forked process for each, as many at a time as asked for.

A process a program keeps them apart: one that crashes takes nobody along. Simulation and waiting for gdb
overlap only between processes. Nothing outlives the command:

    Ctrl-C, SIGTERM     reaches the command, which ends its workers by SIGTERM; each cleans up on its way out
    kill -9             the kernel kills the workers (parent-death signal), and with them, by the same means,
                        gdb and the program
"""

from __future__ import annotations

import ctypes
import os
import pickle
import selectors
import signal
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

from inspector.cli.interrupt import SIGNALS, Interrupted, raise_interrupts
from inspector.errors import InspectorError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

Item = TypeVar("Item")
Result = TypeVar("Result")

_PR_SET_PDEATHSIG = 1
_CHUNK_BYTES = 1 << 20
_GRACE_SECONDS = 15.0
"""How long a worker may clean up before it is killed."""


class WorkerDied(InspectorError):
    """A worker ended without a result."""

    exit_code = 4


@dataclass(slots=True)
class _Worker:
    index: int
    pid: int
    pipe: int
    received: bytearray = field(default_factory=bytearray)


def available_cores() -> int:
    """Return how many processes can run at once."""
    return len(os.sched_getaffinity(0))


def side_by_side(
    work: Callable[[Item], Result], items: Sequence[Item], jobs: int
) -> Generator[Result | WorkerDied, None, None]:
    """Yield `work(item)` for each item, in order, as soon as it and all before it are known.

    Close the generator (`contextlib.closing`) to end what still runs. Results and items cross a process
    boundary: a result must be picklable. `work` should raise nothing but Interrupted.
    """
    return _Pool(work, jobs).run(items)


class _Pool(Generic[Item, Result]):
    def __init__(self, work: Callable[[Item], Result], jobs: int) -> None:
        self._work = work
        self._jobs = jobs
        self._selector = selectors.DefaultSelector()
        self._running: dict[int, _Worker] = {}
        """By the descriptor of the pipe."""

    def run(self, items: Sequence[Item]) -> Generator[Result | WorkerDied, None, None]:
        waiting = deque(enumerate(items))
        finished: dict[int, Result | WorkerDied] = {}
        following = 0
        try:
            while waiting or self._running:
                while waiting and len(self._running) < self._jobs:
                    self._start(*waiting.popleft())
                finished.update(self._collect())
                while following in finished:
                    yield finished.pop(following)
                    following += 1
        finally:
            _end(self._running.values())
            self._selector.close()

    def _start(self, index: int, item: Item) -> None:
        pipe, inner = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        # A signal between fork and the worker's own handlers would be taken for the command's.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                _be_worker(self._work, item, inner, parent, before)
            self._running[pipe] = _Worker(index, pid, pipe)
        finally:
            os.close(inner)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._selector.register(pipe, selectors.EVENT_READ)

    def _collect(self) -> dict[int, Result | WorkerDied]:
        """Wait until a worker says something; return the results that are complete by then."""
        complete: dict[int, Result | WorkerDied] = {}
        for key, _ in self._selector.select():
            worker = self._running[key.fd]
            data = os.read(worker.pipe, _CHUNK_BYTES)
            if data:
                worker.received += data
                continue
            self._selector.unregister(worker.pipe)
            _, status = os.waitpid(worker.pid, 0)
            del self._running[worker.pipe]
            os.close(worker.pipe)
            # What is unpickled comes from a fork of this very process.
            complete[worker.index] = _death(status) or pickle.loads(worker.received)  # noqa: S301
        return complete


def _death(status: int) -> WorkerDied | None:
    """Return the error that an exit status of waitpid() stands for; None if all was well."""
    if status == 0:
        return None
    if os.WIFSIGNALED(status):
        reason = f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    else:
        reason = f"lost, with exit status {os.WEXITSTATUS(status)}"
    return WorkerDied(f"internal error: the worker process was {reason}", help="try this program alone")


def _be_worker(
    work: Callable[[Item], Result], item: Item, pipe: int, parent: int, mask: Iterable[int]
) -> NoReturn:
    """Do the work and end, without a word to anything inherited but the pipe."""
    status = 1
    try:
        # A terminal sends SIGINT to everyone: what to do about it is for the command to decide.
        raise_interrupts(ignore=(signal.SIGINT, signal.SIGHUP))
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        # Had the parent died before, no signal would come.
        if os.getppid() == parent:
            data = pickle.dumps(work(item))
            with os.fdopen(pipe, "wb", closefd=False) as stream:
                stream.write(data)
            status = 0
    except Interrupted as interrupt:
        status = interrupt.exit_code
    except BaseException:  # noqa: BLE001 - whatever it is, the parent learns of it by the status
        if os.environ.get("INSPECTOR_DEBUG"):
            sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def _end(workers: Iterable[_Worker]) -> None:
    """End workers and wait for them; those that do not clean up in time are killed."""
    left = list(workers)
    for worker in left:
        os.kill(worker.pid, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while left and time.monotonic() < deadline:
        left = [worker for worker in left if os.waitpid(worker.pid, os.WNOHANG) == (0, 0)]
        time.sleep(0.01 if left else 0)
    for worker in left:
        os.kill(worker.pid, signal.SIGKILL)
        os.waitpid(worker.pid, 0)


__all__ = ["WorkerDied", "available_cores", "side_by_side"]
