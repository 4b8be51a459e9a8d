"""Pipes between simulated processes (fs/pipe.c).

What a read finds may hang on how far the writer has come, and that is the scheduler's to say. A read is
answered only where every schedule gives the same answer: out of what one write put there at once, if that is
enough; or, where it is less than was asked for, when nothing else can come first. The rest is not modelled.

    |-- one write --|-- another --|        read of less than the first: the same always
                                           read of more: with or without the second, who can tell
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from signal import SIGPIPE
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SIZE
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.files import FileStat
from inspector.predict.kernel.order import Turns, learn
from inspector.predict.kernel.signal import SI_USER, SignalInfo, send
from inspector.predict.kernel.syscalls.registry import Blocked

if TYPE_CHECKING:
    from inspector.predict.kernel.iov_iter import IovIter
    from inspector.predict.kernel.kernel import Kernel
    from inspector.predict.kernel.order import Clock
    from inspector.predict.kernel.task import Task

_RING_SIZE = 16
"""Buffers of a page each (PIPE_DEF_BUFFERS)."""


@dataclass(slots=True)
class _Buffer:
    """Bytes in one page (struct pipe_buffer)."""

    data: bytes
    offset: int = 0
    """Of the first of them in the page."""

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


@dataclass(slots=True)
class _Piece:
    """What is left of one write."""

    size: int
    clock: Clock
    """What its writer knew."""
    own: bool
    """Whether its writer had the other end itself, so that it was open for certain."""


@dataclass(slots=True, eq=False)
class Pipe:
    """The bytes on their way: in the kernel's buffers, and by the writes that put them there."""

    kernel: Kernel
    buffers: list[_Buffer] = field(default_factory=list)
    pieces: list[_Piece] = field(default_factory=list)
    reader: PipeEnd = field(init=False)
    writer: PipeEnd = field(init=False)
    reads: Turns = field(default_factory=lambda: Turns("which of several readers of a pipe comes first"))
    writes: Turns = field(default_factory=lambda: Turns("which of several writers to a pipe comes first"))

    def __post_init__(self) -> None:
        """Open both ends."""
        self.reader = PipeEnd(self, os.O_RDONLY)
        self.writer = PipeEnd(self, os.O_WRONLY)
        self.kernel.pipes.append(self)

    def room_at_end(self, size: int) -> int:
        """Return how many of `size` bytes to write go into the last buffer: what exceeds whole pages, or 0.

        Raises NotModelled where the rest needs more buffers than there are.
        """
        rest = size % PAGE_SIZE
        merged = rest if self.buffers and self.buffers[-1].end + rest <= PAGE_SIZE else 0
        if len(self.buffers) - (merged - size) // PAGE_SIZE > _RING_SIZE:
            raise NotModelled("a pipe that is full")
        return merged


@dataclass(slots=True, eq=False)
class PipeEnd:
    """One end, open as long as a descriptor of a living process stands for it."""

    pipe: Pipe
    flags: int
    is_terminal = False

    @property
    def is_open(self) -> bool:
        """Whether any process still has it."""
        return any(self in task.files for task in self.pipe.kernel.tasks if task.ending is None)

    @property
    def stat(self) -> FileStat:
        """What fstat tells; its number is no one's to know."""
        uid, gid = os.getuid(), os.getgid()
        return FileStat(0, 1, stat.S_IFIFO | 0o600, 1, uid, gid, 0, 0, PAGE_SIZE, 0)

    def read(self, to: IovIter) -> int:
        """Take what is there, buffer by buffer; of one that cannot be copied whole, nothing.

        Source: fs/pipe.c:pipe_read().
        """
        if not to.count:
            return 0
        pipe, pieces = self.pipe, self.pipe.pieces
        if not pieces or (len(pieces) == 1 and pieces[0].size < to.count):
            self._await_more()
        pipe.reads.change(to.task)
        if not pieces:
            return 0
        if pieces[0].size < to.count and len(pieces) > 1:
            raise NotModelled(
                "how much of several writes one read of a pipe finds, which is the scheduler's to say"
            )
        learn(to.task, pieces[0].clock)
        done = 0
        wanted = min(pieces[0].size, to.count)
        while done < wanted:
            buffer = pipe.buffers[0]
            chunk = buffer.data[: wanted - done]
            if to.copy_page_to(chunk) < len(chunk):
                break
            done += len(chunk)
            buffer.data, buffer.offset = buffer.data[len(chunk) :], buffer.offset + len(chunk)
            if not buffer.data:
                del pipe.buffers[0]
        if not done:
            raise KernelError(Errno.EFAULT)
        pieces[0].size -= done
        if not pieces[0].size:
            del pieces[0]
        return done

    def _await_more(self) -> None:
        """Return when nothing more can come, or enough has."""
        pipe = self.pipe
        known = len(pipe.pieces)
        if pipe.writer.is_open and not pipe.kernel.at_rest:
            if self.flags & os.O_NONBLOCK:
                raise NotModelled("a look at whether a pipe is empty, which is the scheduler's to say")
            raise Blocked(lambda: len(pipe.pieces) > known or not pipe.writer.is_open, at_rest=bool(known))

    def write(self, source: IovIter) -> int:
        """Put all of it there at once; of a page that cannot be copied whole, nothing.

        Source: fs/pipe.c:pipe_write().
        """
        pipe, task = self.pipe, source.task
        if not source.count:
            return 0
        if not pipe.reader.is_open:
            _broken_pipe(task)
        pipe.writes.change(task)
        merged = pipe.room_at_end(source.count)
        done = 0
        if merged:
            piece = source.copy_page_from(merged)
            if len(piece) < merged:
                raise KernelError(Errno.EFAULT)
            pipe.buffers[-1].data += piece
            done = merged
        while wanted := min(PAGE_SIZE, source.count):
            piece = source.copy_page_from(wanted)
            if len(piece) < wanted:
                break
            pipe.buffers.append(_Buffer(piece))
            done += wanted
        if not done:
            raise KernelError(Errno.EFAULT)
        pipe.pieces.append(_Piece(done, dict(task.clock), own=pipe.reader in task.files))
        return done


def _broken_pipe(task: Task) -> None:
    """Refuse to write to a pipe that nobody reads. Raises KernelError(EPIPE), or NotModelled."""
    if len(task.kernel.tasks) > 1:
        raise NotModelled("writing to a pipe that nobody reads any more, or not yet (SIGPIPE)")
    send(task, SignalInfo(SIGPIPE, SI_USER, sender=(task.pid, task.credentials.uid)))
    raise KernelError(Errno.EPIPE)


def refuse_unread(kernel: Kernel) -> None:
    """Raise NotModelled where a pipe's last reader has gone and left what another process wrote.

    Had it gone a little earlier, the writer would have been sent SIGPIPE.
    """
    for pipe in kernel.pipes:
        if not all(piece.own for piece in pipe.pieces) and not pipe.reader.is_open:
            raise NotModelled("whether a pipe is still read when it is written to, the scheduler decides")
