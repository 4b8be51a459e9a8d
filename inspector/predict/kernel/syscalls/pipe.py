"""System calls that make pipes (fs/pipe.c)."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.pipe import Pipe
from inspector.predict.kernel.syscalls.registry import system_call
from inspector.predict.kernel.uaccess import copy_to_user

if TYPE_CHECKING:
    from inspector.predict.kernel.task import Task

_O_DIRECT = 0o40000


@system_call("pipe")
def pipe(task: Task, address: int) -> int:
    """Source: fs/pipe.c:pipe()."""
    return pipe2(task, address, 0)


@system_call("pipe2")
def pipe2(task: Task, address: int, flags: int) -> int:
    """Open both ends of a new pipe; where their numbers cannot be stored, close them again.

    Source: fs/pipe.c:do_pipe2().
    """
    if flags & ~(os.O_CLOEXEC | os.O_NONBLOCK | _O_DIRECT):
        raise KernelError(Errno.EINVAL)
    if flags & _O_DIRECT:
        raise NotModelled("a pipe of packets")
    new = Pipe(task.kernel)
    ends = (new.reader, new.writer)
    for end in ends:
        end.flags |= flags & os.O_NONBLOCK
    numbers: list[int] = []
    try:
        for end in ends:
            numbers.append(task.files.add(end, close_on_exec=bool(flags & os.O_CLOEXEC)))  # noqa: PERF401
        copy_to_user(task, address, struct.pack("<ii", *numbers))
    except KernelError:
        for number in numbers:
            task.files.close(number)
        raise
    return 0
