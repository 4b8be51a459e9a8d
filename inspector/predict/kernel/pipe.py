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
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SIZE
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.files import FileStat
from inspector.predict.kernel.syscalls.registry import Blocked

if TYPE_CHECKING:
    from inspector.predict.kernel.iov_iter import IovIter
    from inspector.predict.kernel.kernel import Kernel

_PAGES = 16


@dataclass(slots=True, eq=False)
class Pipe:
    """The bytes on their way, in the pieces that one write each put there at once."""

    kernel: Kernel
    pieces: list[bytes] = field(default_factory=list)
    reader: PipeEnd = field(init=False)
    writer: PipeEnd = field(init=False)

    def __post_init__(self) -> None:
        """Open both ends."""
        self.reader = PipeEnd(self, os.O_RDONLY)
        self.writer = PipeEnd(self, os.O_WRONLY)

    def has_room_for(self, size: int) -> bool:
        """Whether a write goes in as one piece: a small one always does, a large one needs pages for it."""
        if size <= PAGE_SIZE:
            return sum(map(len, self.pieces)) + size <= _PAGES * PAGE_SIZE
        return sum(-(-len(piece) // PAGE_SIZE) for piece in self.pieces) - (-size // PAGE_SIZE) <= _PAGES


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
        """Take what is there, page by page. Source: fs/pipe.c:pipe_read()."""
        if not to.count:
            return 0
        pieces = self.pipe.pieces
        if not pieces or (len(pieces) == 1 and len(pieces[0]) < to.count):
            self._await_more()
        if not pieces:
            return 0
        if len(pieces[0]) < to.count and len(pieces) > 1:
            raise NotModelled(
                "how much of several writes one read of a pipe finds, which is the scheduler's to say"
            )
        done = 0
        wanted = min(len(pieces[0]), to.count)
        while done < wanted:
            copied = to.copy_to(pieces[0][done : min(wanted, done + PAGE_SIZE)])
            done += copied
            if not copied:
                break
        if not done:
            raise KernelError(Errno.EFAULT)
        pieces[:1] = [pieces[0][done:]] if done < len(pieces[0]) else []
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
        """Put all of it there at once. Source: fs/pipe.c:pipe_write()."""
        pipe = self.pipe
        if not pipe.reader.is_open:
            raise NotModelled("writing to a pipe that nobody reads (SIGPIPE)")
        if not source.count:
            return 0
        if not pipe.has_room_for(source.count):
            raise NotModelled("a pipe that is full")
        data = b""
        while source.count:
            piece = source.copy_from(min(PAGE_SIZE, source.count))
            data += piece
            if not piece:
                break
        if not data:
            raise KernelError(Errno.EFAULT)
        pipe.pieces.append(data)
        return len(data)
